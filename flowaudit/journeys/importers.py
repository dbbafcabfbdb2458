"""Log files into a trail: every line an event, in groups, from where an earlier try stopped.

The source of what a file holds is made from its content and its events are numbered in order, so
the trail itself knows how far an import got: the same content again adds nothing, and one that
was interrupted goes on behind its last group.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import msgspec

from ..trail.opening import open_reader, open_trail
from ..trail.paths import TrailPaths
from ..trail.store import WritableTrail
from ..vault.opening import open_vault
from ..verification.numbering import Numbering
from .jsonlines import given_event
from .lines import Content, Progress, lines_of, open_log, survey
from .loglines import FORMATS, LogLines, Record

__all__ = ["IMPORT_FORMATS", "ImportResult", "import_log", "probe_format"]

IMPORT_FORMATS: Final = (*FORMATS, "events")
"""What `--as` takes."""

GROUP_EVENTS: Final = 4_000
"""Events in one transaction: some MB, and a fsync costs less than 1 µs an event."""

PROBE_LINES: Final = 200
"""First lines that tell a file's format."""

SHOWN_LINES: Final = 50
"""Numbers of malformed lines that are reported."""

SHOWN_FIELDS: Final = 20
"""Names of fields that are reported as left out."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did."""

    lines: int
    events: int
    """Added by this run."""
    malformed: int
    malformed_lines: tuple[int, ...]
    """Numbers of the first 50, from 1."""
    form: str
    """What the lines were read as."""
    known: int
    """Events that the trail had already."""
    left_out: tuple[str, ...]
    """Fields of given events that are not in the schema, and so not in the trail; the first 20."""


class _Reader(Protocol):
    """Makes events of lines and hands them on."""

    left_out: set[str]
    """Names of fields that did not get into an event."""

    def take(self, line: str) -> bool:
        """Take a line; False if it is malformed."""


def import_log(
    file: Path,
    paths: TrailPaths,
    *,
    form: str | None = None,
    redact: bool = True,
    progress: Progress | None = None,
) -> ImportResult:
    """Add a log file's events to a trail; it is made if there is none.

    Raises `ImportFormatError` if the file cannot be read, `TrailBusyError` if another import of
    the same content is at work.

    Args:
        file: the log, plain or gzip.
        paths: the trail.
        form: one of `IMPORT_FORMATS`; found out from the first lines if not given.
        redact: mask secrets and drop queries; `events` are kept as they are in any case.
        progress: told how far it is, for each MiB.
    """
    with (
        open_log(file) as log,
        open_trail(paths) as trail,
        open_vault(paths.vault) as vault,
    ):
        content = survey(log, progress)
        form = form or probe_format(log, content)
        group = _Group(trail)
        reader: _Reader
        if form == "events":
            reader = _GivenEvents(group, content.source, paths)
        else:
            reader = _LogEvents(
                group, content.source, LogLines(form, redact=redact, token=vault.token)
            )
        lines, malformed, numbers = 0, 0, []
        for line in lines_of(log, content.size_bytes, progress):
            lines += 1
            if line is None or not reader.take(line):
                malformed += 1
                if malformed <= SHOWN_LINES:
                    numbers.append(lines)
        group.commit()
    return ImportResult(
        lines,
        group.added,
        malformed,
        tuple(numbers),
        form,
        group.known,
        tuple(sorted(reader.left_out)[:SHOWN_FIELDS]),
    )


class _Group:
    """Events of one source that wait to be committed together."""

    def __init__(self, trail: WritableTrail) -> None:
        self.added = 0
        self.known = 0
        self._trail = trail
        self._source = ""
        self._last_n = 0
        self._records: list[Record] = []
        self._committed: dict[str, int] = {}

    def committed(self, source: str) -> int:
        """The highest number of a source that the trail had when this import first asked."""
        if source not in self._committed:
            self._committed[source] = self._trail.last_n(source)
        return self._committed[source]

    def add(self, source: str, n: int, record: Record) -> None:
        """Take an event on; commit what waits if it is of another source or enough."""
        if source != self._source or len(self._records) >= GROUP_EVENTS:
            self.commit()
            self._source, self._last_n = source, self.committed(source)
        self._records.append(record)
        self._last_n = max(self._last_n, n)

    def commit(self) -> None:
        """Make what waits durable."""
        if not self._records:
            return
        self._trail.append(
            self._records, self._source, self._last_n, after_n=self.committed(self._source)
        )
        self._committed[self._source] = self._last_n
        self.added += len(self._records)
        self._records = []


class _LogEvents:
    """Lines of an access log, numbered in order."""

    def __init__(self, group: _Group, source: str, lines: LogLines) -> None:
        self._group = group
        self._source = source
        self._lines = lines
        self._n = 0
        self._committed = group.committed(source)
        self.left_out: set[str] = set()

    def take(self, line: str) -> bool:
        """Take a line; False if it is malformed."""
        n = self._n + 1
        if n <= self._committed:
            if not self._lines.is_event(line):
                return False
            self._group.known += 1
        else:
            record = self._lines.record(line, self._source, n)
            if record is None:
                return False
            self._group.add(self._source, n, record)
        self._n = n
        return True


class _GivenEvents:
    """Lines of flat events: those with a source and number keep them, others are numbered."""

    def __init__(self, group: _Group, source: str, paths: TrailPaths) -> None:
        self._group = group
        self._source = source
        self._paths = paths
        self._n = 0
        self._committed = group.committed(source)
        self._numbering = Numbering()
        self._has_read_trail = False
        self.left_out: set[str] = set()

    def take(self, line: str) -> bool:
        """Take a line; False if it is malformed."""
        event = given_event(line)
        if event is None:
            return False
        if event.left_out and len(self.left_out) < SHOWN_FIELDS:
            self.left_out |= event.left_out
        if event.source is not None and event.n is not None:
            source, n = event.source, event.n
            is_known = self._is_known(source, n)
        else:
            source = self._source
            n = self._n = max(event.n or 0, self._n + 1)
            is_known = n <= self._committed
        if is_known:
            self._group.known += 1
        else:
            self._group.add(source, n, (event.core_bytes(source, n), event.personal))
        return True

    def _is_known(self, source: str, n: int) -> bool:
        """Whether the trail, or an earlier line, has this number of a source."""
        if not self._has_read_trail and self._group.committed(source):
            self._has_read_trail = True
            for known in _numbers(self._paths):
                self._numbering.see(*known, 0)
        return self._numbering.see(source, n, 0) is not None


class _Id(msgspec.Struct, gc=False):
    source: str = ""
    n: int = 0


def _numbers(paths: TrailPaths) -> Iterator[tuple[str, int]]:
    """Source and number of every event of a trail."""
    decode = msgspec.json.Decoder(_Id).decode
    with open_reader(paths) as reader:
        for entry in reader.entries():
            name = decode(entry.core)
            yield name.source, name.n


def probe_format(log: BinaryIO, content: Content) -> str:
    """The format that most of the first lines have; combined if none has any."""
    hits: Counter[str] = Counter()
    for line in islice(lines_of(log, content.size_bytes), PROBE_LINES):
        for name, pattern in FORMATS.items():
            hits[name] += bool(line and pattern.fullmatch(line))
        hits["events"] += bool(line and given_event(line))
    return max(IMPORT_FORMATS, key=lambda name: hits[name])
