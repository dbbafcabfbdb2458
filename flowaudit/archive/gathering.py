"""The next range of a trail that is fit for an archive, gathered tile by tile as columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec

from ..errors import TrailError
from ..event import Entry
from ..proofs.checkpoint import Checkpoint
from ..proofs.merkle import TILE_WIDTH
from ..trail.ranges import Away, Telling
from ..trail.store import ReadableTrail
from .columns import table_of
from .modules import archive_module
from .parquet import ARCHIVE_FORMAT, FileFacts, encoded, leaves_of, range_roots

__all__ = ["DAY_US", "Gathered", "gather"]

DAY_US: Final = 86_400_000_000

FILE_TILES: Final = 256
"""Tiles of one file at most: 65,536 entries, so that a file fits into memory."""

FILE_BYTES: Final = 256 * 1024 * 1024
"""Text of one file's entries at most, but for the last tile."""

CHUNK_TILES: Final = 32
"""Tiles that become columns at once."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A range as columns, and what must be known of it."""

    table: Any
    facts: FileFacts
    leaves: list[bytes]
    personal: int
    """Entries that have a personal part."""
    latest: int
    """When its last entry was committed, µs since 1970 UTC; see `gather`."""
    told: str


class _Moment(msgspec.Struct):
    ts: int | None = None


_MOMENT: Final = msgspec.json.Decoder(_Moment)


def gather(reader: ReadableTrail, before: int, now: int) -> Gathered | None:
    """The first range that is whole tiles, of one day, under a checkpoint and older than `before`.

    An entry's day is that of its commit, for which the latest `ts` up to it stands: the trail
    keeps no other time. One that lies after `now` was made by a wrong clock, and is passed over.

    Args:
        reader: the trail.
        before: µs since 1970 UTC, the beginning of a day.
        now: µs since 1970 UTC.

    Raises `TrailError` for an entry that does not hold: such a range stays where it is.
    """
    note = reader.newest_checkpoint()
    if note is None:
        return None
    end = min(Checkpoint.parse(note).size, reader.size) // TILE_WIDTH * TILE_WIDTH
    away = Away(reader.ranges)
    for first, last in away.gaps(0, end - 1):
        start = -(-first // TILE_WIDTH) * TILE_WIDTH
        latest = max((r.last_ts for r in reader.ranges if r.last < first), default=0)
        made = _Range(start, min(latest, now))
        for tile, leaves in _tiles(reader, start, last):
            if not made.takes(tile, leaves, before, now):
                break
        if made.count:
            return made.gathered(reader.origin, note)
    return None


def _tiles(
    reader: ReadableTrail, start: int, last: int
) -> Iterator[tuple[list[Entry], list[bytes]]]:
    """Whole tiles' entries and their leaves, each of which is held against its tile."""
    entries = reader.entries(start, last)
    for first in range(start, last + 2 - TILE_WIDTH, TILE_WIDTH):
        tile = list(islice(entries, TILE_WIDTH))
        if [entry.seq for entry in tile] != list(range(first, first + TILE_WIDTH)):
            raise TrailError(f"an entry from {first} on is missing: run flowaudit verify")
        stored = reader.tile(0, first // TILE_WIDTH) or b""
        leaves = leaves_of(tile)
        for seq, leaf in enumerate(leaves, first):
            at = seq % TILE_WIDTH * len(leaf)
            if stored[at : at + len(leaf)] != leaf:
                raise TrailError(f"entry {seq} was changed: run flowaudit verify")
        yield tile, leaves


class _Range:
    """A range that grows by tiles."""

    def __init__(self, first: int, latest: int) -> None:
        self.count = 0
        self._first = first
        self._latest = latest
        self._day = -1
        self._bytes = 0
        self._moments: list[int] = []
        self._waiting: list[Entry] = []
        self._chunks: list[Any] = []
        self._leaves: list[bytes] = []
        self._telling = Telling()
        self._personal = 0

    def takes(self, tile: list[Entry], leaves: list[bytes], before: int, now: int) -> bool:
        """Take a tile in, unless the range ends before it."""
        moments = [ts for entry in tile if (ts := _ts(entry.core)) is not None]
        latest = max([self._latest, *(ts for ts in moments if ts <= now)])
        is_full = self.count >= FILE_TILES * TILE_WIDTH or self._bytes >= FILE_BYTES
        if latest >= before or is_full or self._day not in (-1, latest // DAY_US):
            return False
        self._latest, self._day = latest, latest // DAY_US
        self._moments = (
            [min(moments + self._moments[:1]), max(moments + self._moments[1:])]
            if (moments)
            else self._moments
        )
        self.count += len(tile)
        for entry in tile:
            self._telling.see(entry.seq, entry.core)
            self._bytes += len(entry.core) + len(entry.personal or b"")
            self._personal += entry.personal is not None
        self._leaves += leaves
        self._waiting += tile
        if len(self._waiting) >= CHUNK_TILES * TILE_WIDTH:
            self._settle()
        return True

    def _settle(self) -> None:
        if self._waiting:
            self._chunks.append(table_of(self._waiting))
            self._waiting = []

    def gathered(self, origin: str, note: str) -> Gathered:
        """What was taken in."""
        self._settle()
        first_ts, last_ts = self._moments or (self._latest, self._latest)
        facts = FileFacts(
            format=ARCHIVE_FORMAT,
            origin=origin,
            first=self._first,
            last=self._first + self.count - 1,
            first_ts=first_ts,
            last_ts=last_ts,
            subtrees=encoded(range_roots(self._first, self._leaves)),
            checkpoint=note,
        )
        table = archive_module("pyarrow").concat_tables(self._chunks)
        return Gathered(
            table, facts, self._leaves, self._personal, self._latest, self._telling.text()
        )


def _ts(core: bytes) -> int | None:
    try:
        return _MOMENT.decode(core).ts
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
