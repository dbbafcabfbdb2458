"""Spools that killed processes left: read under their lock, to be adopted."""

import fcntl
import os
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple

from .live import is_own
from .records import Record, scan
from .ring import AT_BOOT, AT_FINISHED, AT_LOST, AT_RECEIVED, AT_SOURCE, HEADER_BYTES, MAGIC, U64

__all__ = [
    "DeadSpool",
    "Record",
    "SpoolState",
    "spool_files",
    "spool_states",
    "waiting_records",
]


MAX_SPOOL_BYTES: Final = HEADER_BYTES + 4_194_304 * 1_024
"""Size of the largest spool that a setting can ask for; a larger file is none."""


class DeadSpool:
    """The spool of a source that is no more, held under its lock by whoever adopts it."""

    def __init__(self, path: Path, descriptor: int, data: bytes) -> None:
        self.path = path
        self._descriptor = descriptor
        self._data = data
        self.source = data[AT_SOURCE : AT_SOURCE + 26].rstrip(b"\0").decode("ascii", "replace")
        self.boot = data[AT_BOOT : AT_BOOT + 36].rstrip(b"\0").decode("ascii", "replace")
        self.received = self._number(AT_RECEIVED)
        self.lost_to = self._number(AT_LOST)
        """Highest n that a loss used up and no gap event has reported; 0 if none."""
        self.is_named_right = path.stem == self.source or data[: len(MAGIC)] != MAGIC
        """Whether it is the spool of the source that its name says, or was never finished."""
        self.records: list[Record] = []
        self.finished = self._number(AT_FINISHED)
        for record, finished in scan(data):
            self.records.append(record)
            self.finished = max(self.finished, finished)

    @classmethod
    def adopt(cls, path: Path) -> "DeadSpool | None":
        """Take the spool over if its source is dead, else `None`; never blocks.

        The lock is held until `close`. A file that is no spool (a source that died at birth)
        is adopted with no records.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return cls(path, descriptor, _contents(descriptor))
        except OSError:
            pass
        os.close(descriptor)
        return None

    def _number(self, at: int) -> int:
        return int(U64.unpack_from(self._data, at)[0])

    def close(self, *, remove: bool) -> None:
        """Release the lock; remove the file once all that it held is in the trail."""
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def spool_files(folder: Path) -> list[Path]:
    """Spools in a folder that this process does not itself hold."""
    try:
        files = sorted(folder.glob("*.ring"))
    except OSError:
        return []
    return [path for path in files if not is_own(path)]


class SpoolState(NamedTuple):
    """What the spool of another process shows at a glance."""

    source: str
    is_living: bool
    received: int
    finished: int
    """Requests that came in, and those of them that are over."""
    waiting: int
    """Events in it."""

    @property
    def open(self) -> int:
        """Requests that are not over."""
        return max(0, self.received - self.finished)


def spool_states(folder: Path) -> dict[str, SpoolState]:
    """The spools of other processes in a folder, by source."""
    found: dict[str, SpoolState] = {}
    for path in spool_files(folder):
        dead = DeadSpool.adopt(path)
        if dead is not None:
            dead.close(remove=False)
            found[dead.source] = SpoolState(
                dead.source, False, dead.received, dead.finished, len(dead.records)
            )
            continue
        try:
            living = DeadSpool(path, -1, _peek(path))
        except OSError:
            continue  # it has just gone
        found[living.source] = SpoolState(
            living.source, True, living.received, living.finished, len(living.records)
        )
    return found


def waiting_records(folder: Path) -> int:
    """How many events wait in the spools of a folder, whoever they belong to."""
    waiting = 0
    for path in spool_files(folder):
        try:
            waiting += sum(1 for _ in scan(_peek(path)))
        except OSError:
            continue
    return waiting


def _contents(descriptor: int) -> bytes:
    """What a file holds. Raises `OSError` if it is no file, or larger than any spool of ours."""
    stat = os.fstat(descriptor)
    if not S_ISREG(stat.st_mode) or stat.st_size > MAX_SPOOL_BYTES:
        raise OSError("not a spool")
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(MAX_SPOOL_BYTES).ljust(HEADER_BYTES, b"\0")


def _peek(path: Path) -> bytes:
    """What a spool holds that somebody else may hold the lock of. Raises `OSError`."""
    # not blocking: it might be a pipe that nobody writes to
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return _contents(descriptor)
    finally:
        os.close(descriptor)
