"""Reading a trail in PostgreSQL as it was stored, in one snapshot. Writes nothing.

What a log-in may not see is not there: with the role `flowaudit_product` no entry has a personal
part, with `flowaudit_security` none has a salt. Tiles, checkpoints and sources are the auditor's.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, suppress
from operator import itemgetter
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg import errors

from ..errors import NotATrailError, TrailError
from ..event import Entry
from ..proofs.merkle import TILE_WIDTH
from ..vault.link import Link
from ..vault.place import DatabaseUrl
from .forgetting import names_any
from .plain import Plain, StoredRow, plain_tile
from .postgres import ANSWER_S
from .postgres_calls import postgres_error
from .ranges import Away, ranges_from

__all__ = ["PostgresReader", "check_database"]

RANGE: Final = 20_000
"""Entries fetched in one query at most."""

FIRST_RANGE: Final = 500
"""Entries fetched first, for whoever wants no more."""

MAX_VALUE_BYTES: Final = 1024 * 1024
"""Nothing of ours is as large: a core and a personal part have at most 160 KiB together."""

TILES: Final = 64
"""Tiles fetched at once for whoever walks through them: half a MB."""

NOTES: Final = 1_000
"""Checkpoints fetched in one query."""

SMALLEST_SEQ: Final = -(2**63)
LARGEST_SEQ: Final = 2**63 - 1

_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_RANGES: Final = (
    "SELECT first, last, state, place, file, draft, first_ts, last_ts, told"
    " FROM flowaudit.archived ORDER BY first"
)
_COLUMNS: Final = ("seq", "core", "personal", "salt", "sealed")
_MAY_READ: Final = "SELECT " + ", ".join(
    f"has_column_privilege('flowaudit.event', '{name}', 'SELECT')" for name in _COLUMNS
)


class PostgresReader:
    """An open trail; promises as `ReadableTrail` has them.

    Raises `NotATrailError` if the database holds none, `TrailError` for what this log-in may not
    read.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self._link = Link(url, timeout_s=ANSWER_S, idle_s=0)
        self._open = ExitStack()
        self._page: tuple[int, list[Any]] = (-TILES * TILE_WIDTH, [])  # its first seq, its rows
        self._tiles: dict[int, tuple[int, int, dict[int, bytes | None]]] = {}  # by level
        try:
            self._db = self._open.enter_context(self._link.transaction(_SNAPSHOT))
            self.size, self.frontier = self._head()
            self.ranges = ranges_from(self._all(_RANGES))
            self.away = Away(self.ranges)
            [may] = self._all(_MAY_READ)
        except psycopg.Error as error:
            self.close()
            raise _reading_error(error, url) from error
        except BaseException:
            self.close()
            raise
        self._columns = ", ".join(
            _bounded(name) if is_allowed else f"NULL::bytea AS {name}"
            for name, is_allowed in zip(_COLUMNS, may, strict=True)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the reading transaction and close the connection."""
        with suppress(psycopg.Error):  # what was read stands
            self._open.close()
        self._link.close()

    def _head(self) -> tuple[int, bytes]:
        rows = self._all("SELECT size, frontier FROM flowaudit.head")
        if not rows or not isinstance(rows[0][0], int) or rows[0][0] < 0:
            raise NotATrailError(f"{self.url} has no head: it was damaged")
        return rows[0][0], rows[0][1] or b""

    @property
    def origin(self) -> str:
        """The trail's name in checkpoints."""
        rows = self._all("SELECT id FROM flowaudit.trail")
        return f"flowaudit/{rows[0][0] or ''}" if rows else ""

    def entries(self, first: int | None = None, last: int | None = None) -> Iterator[Entry]:
        """Entries with `first` <= seq <= `last` in order of seq; a missing one is passed over,
        and so is what stands in archives.
        """
        start = max(first if first is not None else SMALLEST_SEQ, SMALLEST_SEQ + 1)
        end = min(last if last is not None else LARGEST_SEQ, LARGEST_SEQ)
        for piece in self.away.gaps(start, end):
            yield from self._piece(*piece)

    def _piece(self, first: int, end: int) -> Iterator[Entry]:
        above, count = first - 1, FIRST_RANGE
        while True:
            rows = self._all(
                f"SELECT {self._columns} FROM flowaudit.event"
                " WHERE seq > %s AND seq <= %s ORDER BY seq LIMIT %s",
                (above, end, count),
            )
            for seq, core, personal, salt, sealed in rows:
                yield Entry(seq=seq, core=core or b"", personal=personal, salt=salt, sealed=sealed)
            if len(rows) < count:
                return
            above, count = rows[-1][0], min(count * 4, RANGE)

    def entries_of(
        self, tokens: Collection[str], first: int = 0, end: int | None = None
    ) -> Iterator[Entry]:
        """Entries with `first` <= seq < `end` that are of one of these tokens (see `names_any`),
        in order; without `end` to the last one.
        """
        end = self.last_seq() + 1 if end is None else end
        wanted = [token.encode() for token in tokens]
        for start in range(first, end, RANGE):
            rows = self._all(
                f"SELECT seq, core, personal FROM (SELECT {self._columns} FROM flowaudit.event"
                " WHERE seq >= %s AND seq < %s) AS found WHERE EXISTS ("
                "SELECT FROM unnest(%s::bytea[]) AS token"
                " WHERE position(token IN core) > 0 OR position(token IN personal) > 0)"
                " ORDER BY seq",
                (start, min(start + RANGE, end), wanted),
            )
            for seq, core, personal in rows:
                is_here = self.away.range_of(seq) is None
                if is_here and names_any(core or b"", personal, tokens):
                    yield Entry(seq=seq, core=core or b"", personal=personal)

    def last_seq(self) -> int:
        """The highest seq of an entry, stored here or in an archive; -1 if there is none."""
        [(seq,)] = self._all("SELECT max(seq) FROM flowaudit.event")
        return max(-1 if seq is None else int(seq), self.ranges[-1].last if self.ranges else -1)

    def faults(self) -> Iterator[tuple[int, str]]:
        """What is wrong with ranges that have left the trail: where, and what."""
        for each in self.ranges:
            if each.state != "moving":
                [(seq,)] = self._all(
                    "SELECT min(seq) FROM flowaudit.event WHERE seq BETWEEN %s AND %s",
                    (each.first, each.last),
                )
                if seq is not None:
                    yield int(seq), "this entry has left the trail, and stands in it again"

    def tile(self, level: int, idx: int) -> bytes | None:
        """A tile's hashes as stored. Whoever asks for one after the other gets them in blocks."""
        first, end, block = self._tiles.get(level, (0, 0, {}))
        if not first <= idx < end:
            count = TILES if idx == end else 1
            first, end = idx, idx + count
            block = dict(
                self._all(
                    "SELECT idx, hashes FROM flowaudit.tile"
                    " WHERE level = %s AND idx >= %s AND idx < %s",
                    (level, first, end),
                )
            )
            self._tiles[level] = first, end, block
        return (block[idx] or b"") if idx in block else None

    def plain_tile(self, idx: int) -> Plain | None:
        """What the entries under a full level-0 tile tell, if they are plainly those it holds."""
        if self.away.range_of(idx * TILE_WIDTH):
            return None
        return plain_tile(self._tile_rows(idx), self.tile(0, idx) or b"", idx * TILE_WIDTH)

    def _tile_rows(self, idx: int) -> list[StoredRow]:
        """The rows under a level-0 tile as they are stored; fetched for many tiles at once."""
        first = idx * TILE_WIDTH
        page_first, page = self._page
        if not page_first <= first < page_first + TILES * TILE_WIDTH:
            page = self._all(
                f"SELECT {self._columns} FROM flowaudit.event"
                " WHERE seq >= %s AND seq < %s ORDER BY seq",
                (first, first + TILES * TILE_WIDTH),
            )
            self._page = first, page
        start = bisect_left(page, first, key=itemgetter(0))
        return page[start : bisect_left(page, first + TILE_WIDTH, start, key=itemgetter(0))]

    def tile_count(self) -> int:
        """How many tiles are stored."""
        return int(self._all("SELECT count(*) FROM flowaudit.tile")[0][0])

    def checkpoints(
        self, first: int = SMALLEST_SEQ, *, limit: int | None = None
    ) -> Iterator[tuple[int, str]]:
        """Checkpoints over at least `first` entries: their size and note, by rising size."""
        above, left = max(first, SMALLEST_SEQ + 1) - 1, limit
        while left is None or left > 0:
            rows = self._all(
                "SELECT size, note FROM flowaudit.checkpoint WHERE size > %s"
                " ORDER BY size LIMIT %s",
                (above, NOTES if left is None else min(left, NOTES)),
            )
            for size, note in rows:
                yield size, note or ""
            if len(rows) < NOTES:
                return
            above, left = rows[-1][0], None if left is None else left - len(rows)

    def newest_checkpoint(self) -> str | None:
        """The note of the checkpoint over most entries; `None` if nothing is signed."""
        rows = self._all("SELECT note FROM flowaudit.checkpoint ORDER BY size DESC LIMIT 1")
        return rows[0][0] or "" if rows else None

    def sources(self) -> dict[str, int | None]:
        """The last number that each source used up; `None` where that is no number any more."""
        return dict(self._all("SELECT id, last_n FROM flowaudit.source"))

    def _all(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, parameters, binary=True).fetchall()
        except psycopg.Error as error:
            raise _reading_error(error, self.url) from error


def check_database(url: DatabaseUrl) -> None:
    """Raise `NotATrailError` unless a database holds a trail, which this log-in need not read."""
    with closing(Link(url, timeout_s=ANSWER_S, idle_s=0)) as link:
        try:
            with link.transaction(_SNAPSHOT) as db:
                db.execute("SELECT 'flowaudit.head'::regclass")
        except psycopg.Error as error:
            raise _reading_error(error, url) from error


def _bounded(name: str) -> str:
    """A column, but nothing of a value that is larger than any of ours: it was damaged."""
    if name == "seq":
        return name
    return f"CASE WHEN length({name}) <= {MAX_VALUE_BYTES} THEN {name} END AS {name}"


def _reading_error(error: psycopg.Error, url: DatabaseUrl) -> TrailError:
    if isinstance(error, errors.InsufficientPrivilege):
        return TrailError(f"{url}: this log-in may not read that ({error.diag.message_primary})")
    return postgres_error(error, url)
