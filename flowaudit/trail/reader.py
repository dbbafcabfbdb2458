"""Reading a trail as it was stored: entries, tiles, head, checkpoints. Writes nothing.

One reader sees one state of the trail: everything it answers comes from the transaction that it
began when it was opened.
"""

import os
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ..errors import NotATrailError
from ..event import Entry
from ..proofs.merkle import TILE_WIDTH
from ..vault.guard import SQLITE_ERRORS, error_code
from .forgetting import names_any
from .paths import check_is_trail, read_only_uri, trail_error
from .plain import Plain, StoredRow, plain_tile
from .ranges import Away, Range, ranges_from

__all__ = ["TrailReader"]

MAX_VALUE_BYTES: Final = 1024 * 1024
"""Nothing of ours is as large: a core and a personal part have at most 160 KiB together."""

NOTES: Final = 1_000
"""Checkpoints fetched in one query."""

LOOK_RANGE: Final = 100_000
"""Entries looked through in one query: a fraction of a second."""

SMALLEST_SEQ: Final = -(2**63)
"""A hand with the sqlite3 shell may have put a row anywhere."""

_ROWS: Final = (
    "SELECT seq, core, personal, salt, sealed FROM event WHERE seq > ? AND seq <= ? ORDER BY seq"
)


class TrailReader:
    """An open trail, for one thread at a time. Text comes as bytes, undecoded.

    Raises `NotATrailError` if the file is no trail or its tables are gone.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        check_is_trail(self.path)
        try:
            self._db = sqlite3.connect(
                read_only_uri(self.path), uri=True, isolation_level=None, check_same_thread=False
            )
        except SQLITE_ERRORS as error:
            raise trail_error(error, self.path) from error
        try:
            self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
            self._db.execute("PRAGMA cell_size_check = ON")
            self._db.execute("PRAGMA trusted_schema = OFF")
            self._db.text_factory = bytes
            self._db.execute("BEGIN")
            self.size, self.frontier = self._head()
            self.ranges = self._ranges()
            self.away = Away(self.ranges)
        except SQLITE_ERRORS as error:
            self._db.close()
            raise trail_error(error, self.path) from error
        except NotATrailError:
            self._db.close()
            raise

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
        """End the reading transaction and close the file."""
        self._db.close()

    def _head(self) -> tuple[int, bytes]:
        row = self._db.execute("SELECT size, frontier FROM head").fetchone()
        if row is None or not isinstance(row[0], int) or row[0] < 0:
            raise NotATrailError(f"{self.path} has no head: it was damaged")
        return row[0], _bytes(row[1]) or b""

    def _ranges(self) -> tuple[Range, ...]:
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'archived'").fetchone():
            return ()  # a trail of format 1
        return ranges_from(
            self._db.execute(
                "SELECT first, last, state, place, file, draft, first_ts, last_ts, told"
                " FROM archived ORDER BY first"
            )
        )

    @property
    def origin(self) -> str:
        """The trail's name in checkpoints."""
        rows = self._all("SELECT id FROM trail")
        return "flowaudit/" + (_bytes(rows[0][0]) or b"").decode("utf-8", "replace") if rows else ""

    def entries(self, first: int | None = None, last: int | None = None) -> Iterator[Entry]:
        """Entries with `first` <= seq <= `last` in order of seq; a missing one is passed over,
        and so is what stands in archives.

        One that holds more than any event comes without anything: it was damaged.
        """
        start = first if first is not None else SMALLEST_SEQ + 1
        end = last if last is not None else -SMALLEST_SEQ - 1
        for piece in self.away.gaps(start, end):
            yield from self._piece(*piece)

    def _piece(self, first: int, end: int) -> Iterator[Entry]:
        above = first - 1
        while True:
            try:
                for row in self._rows(above, end):
                    above = row.seq
                    yield row
                return
            except SQLITE_ERRORS as error:
                if error_code(error) != sqlite3.SQLITE_TOOBIG:
                    raise trail_error(error, self.path) from error
            # sqlite3 reads one row ahead: the next one may be whole, and the one behind it not
            [(above,)] = self._all(
                "SELECT min(seq) FROM event WHERE seq > ? AND seq <= ?", (above, end)
            )
            if above is None:
                return
            yield self._alone(above)

    def _alone(self, seq: int) -> Entry:
        try:
            return next(self._rows(seq - 1, seq))
        except sqlite3.Error as error:
            if error_code(error) != sqlite3.SQLITE_TOOBIG:
                raise
            return Entry(seq=seq, core=b"")

    def _rows(self, above: int, end: int) -> Iterator[Entry]:
        rows = self._db.execute(_ROWS, (above, end))
        for seq, core, personal, salt, sealed in rows:
            if seq <= above:  # pages that lead in a circle would never end
                raise NotATrailError(f"{self.path} is damaged: its entries are out of order")
            above = seq
            yield Entry(
                seq=seq,
                core=core if type(core) is bytes else _bytes(core) or b"",
                personal=personal if personal is None else _bytes(personal),
                salt=salt if salt is None else _bytes(salt),
                sealed=sealed if sealed is None else _bytes(sealed),
            )

    def entries_of(
        self, tokens: Collection[str], first: int = 0, end: int | None = None
    ) -> Iterator[Entry]:
        """Entries with `first` <= seq < `end` that are of one of these tokens (see `names_any`),
        in order; without `end` to the last one.
        """
        named = " OR ".join(["instr(core, ?) OR instr(coalesce(personal, ''), ?)"] * len(tokens))
        wanted = [token for token in tokens for _ in range(2)]
        end = self.last_seq() + 1 if end is None else end
        for start in range(first, end, LOOK_RANGE):
            rows = self._all(
                "SELECT seq, CAST(core AS BLOB), CAST(personal AS BLOB) FROM event"
                f" WHERE seq >= ? AND seq < ? AND ({named}) ORDER BY seq",
                (start, min(start + LOOK_RANGE, end), *wanted),
            )
            for seq, core, personal in rows:
                is_here = self.away.range_of(seq) is None
                if is_here and names_any(core or b"", personal, tokens):
                    yield Entry(seq=seq, core=core or b"", personal=personal)

    def last_seq(self) -> int:
        """The highest seq of an entry, stored here or in an archive; -1 if there is none."""
        [(seq,)] = self._all("SELECT max(seq) FROM event")
        return max(-1 if seq is None else int(seq), self.ranges[-1].last if self.ranges else -1)

    def faults(self) -> Iterator[tuple[int, str]]:
        """What is wrong with ranges that have left the trail: where, and what."""
        for each in self.ranges:
            if each.state != "moving":
                [(seq,)] = self._all(
                    "SELECT min(seq) FROM event WHERE seq BETWEEN ? AND ?", (each.first, each.last)
                )
                if seq is not None:
                    yield int(seq), "this entry has left the trail, and stands in it again"

    def tile(self, level: int, idx: int) -> bytes | None:
        """A tile's hashes as stored."""
        rows = self._all("SELECT hashes FROM tile WHERE level = ? AND idx = ?", (level, idx))
        return _bytes(rows[0][0]) or b"" if rows else None

    def checkpoints(
        self, first: int = SMALLEST_SEQ, *, limit: int | None = None
    ) -> Iterator[tuple[int, str]]:
        """Checkpoints over at least `first` entries: their size and note, by rising size."""
        above, left = max(first, SMALLEST_SEQ + 1) - 1, limit
        while left is None or left > 0:
            rows = self._all(
                "SELECT size, note FROM checkpoint WHERE size > ? ORDER BY size LIMIT ?",
                (above, NOTES if left is None else min(left, NOTES)),
            )
            for size, note in rows:
                if size <= above:
                    raise NotATrailError(f"{self.path} is damaged: checkpoints are out of order")
                above = size
                yield size, (_bytes(note) or b"").decode("utf-8", "replace")
            if len(rows) < NOTES:
                return
            left = None if left is None else left - len(rows)

    def newest_checkpoint(self) -> str | None:
        """The note of the checkpoint over most entries; `None` if nothing is signed."""
        rows = self._all("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1")
        return (_bytes(rows[0][0]) or b"").decode("utf-8", "replace") if rows else None

    def sources(self) -> dict[str, int | None]:
        """The last number that each source used up; `None` where that is no number any more."""
        found: dict[str, int | None] = {}
        above = b""
        try:
            for name, n in self._db.execute("SELECT id, last_n FROM source ORDER BY id"):
                source = _bytes(name) or b""
                if found and source <= above:
                    raise NotATrailError(f"{self.path} is damaged: its sources are out of order")
                above = source
                found[source.decode("utf-8", "replace")] = n if isinstance(n, int) else None
        except SQLITE_ERRORS as error:
            raise trail_error(error, self.path) from error
        return found

    def plain_tile(self, idx: int) -> Plain | None:
        """What the entries under a full level-0 tile tell, if they are plainly those it holds."""
        if self.away.range_of(idx * TILE_WIDTH):
            return None
        rows = self._tile_rows(idx)
        return plain_tile(rows, self.tile(0, idx) or b"", idx * TILE_WIDTH) if rows else None

    def _tile_rows(self, idx: int) -> list[StoredRow] | None:
        """The rows under a level-0 tile as they are stored; `None` if one of them is too large."""
        first = idx * TILE_WIDTH
        try:
            return self._db.execute(_ROWS, (first - 1, first + TILE_WIDTH - 1)).fetchall()
        except SQLITE_ERRORS as error:
            if error_code(error) != sqlite3.SQLITE_TOOBIG:
                raise trail_error(error, self.path) from error
            return None

    def tile_count(self) -> int:
        """How many tiles are stored."""
        return int(self._all("SELECT count(*) FROM tile")[0][0])

    def _all(self, sql: str, parameters: tuple[int | str, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as error:
            raise trail_error(error, self.path) from error


def _bytes(value: object) -> bytes | None:
    """A column's bytes, whatever type a hand with the sqlite3 shell has given it."""
    match value:
        case None:
            return None
        case bytes():
            return value
        case _:
            return str(value).encode("utf-8", "surrogateescape")
