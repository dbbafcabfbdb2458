"""Bringing archived ranges back into a trail, byte for byte.

While rows are put back the range is `moving`: the archive has all of it. With its tiles it is the
trail's again, and the file counts for nothing and is removed, since no erasure would reach it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ..errors import ArchiveError
from ..event import Entry
from ..proofs.merkle import TILE_WIDTH, Tree
from ..trail.opening import open_reader
from ..trail.ranges import Range
from ..trail.store import ReadableTrail, WritableTrail
from ..vault.place import DatabaseUrl
from .parquet import leaves_of
from .places import ArchivePlace
from .reading import open_range
from .table import put_rows, put_tiles, take_back
from .upkeep import remove_drafts, rows_of, upkeep

__all__ = ["restore_ranges"]

ROWS_AT_ONCE: Final = 2_048
"""Rows put back in one transaction."""


def restore_ranges(
    trail: WritableTrail,
    places: Sequence[ArchivePlace],
    first_ts: int,
    end_ts: int,
    *,
    keeps_files: bool = False,
) -> list[Range]:
    """Put back every archived range that has an event of a span of time.

    Args:
        trail: the trail; it may be a copy.
        places: where its archives are.
        first_ts: µs since 1970 UTC.
        end_ts: the first moment that is not meant any more.
        keeps_files: whether the files stay where they are: they are another trail's.

    Raises `ArchiveError` for a file that does not fit to the trail's tiles; it stays archived.
    """
    with upkeep(trail):
        if not keeps_files:
            list(remove_drafts(trail, places))
        due = [
            each
            for each in rows_of(trail)
            if each.state == "archived" and each.first_ts < end_ts and each.last_ts >= first_ts
        ]
        for each in due:
            _restore(trail, places, each, keeps_files)
        if not keeps_files:
            list(remove_drafts(trail, places))
        return due


def _restore(
    trail: WritableTrail, places: Sequence[ArchivePlace], one: Range, keeps_files: bool
) -> None:
    entries = open_range(places, one, trail.origin).entries()
    leaves = leaves_of(entries)
    with open_reader(trail.paths) as reader:
        check_leaves(reader, one, leaves)
    as_row = _as_bytes if isinstance(trail.paths.trail, DatabaseUrl) else _as_text
    trail.change(partial(take_back, one=one))
    for at in range(0, len(entries), ROWS_AT_ONCE):
        rows = [as_row(entry) for entry in entries[at : at + ROWS_AT_ONCE]]
        trail.change(partial(put_rows, rows=rows))
    trail.change(partial(put_tiles, one=one, leaves=leaves, keeps_file=keeps_files))


def check_leaves(reader: ReadableTrail, one: Range, leaves: list[bytes]) -> None:
    """Raise `ArchiveError` unless leaves give the hashes that the trail has kept above them."""
    for at in range(0, len(leaves), TILE_WIDTH):
        parent, place = divmod((one.first + at) // TILE_WIDTH, TILE_WIDTH)
        kept = (reader.tile(1, parent) or b"")[place * 32 : place * 32 + 32]
        tree = Tree()
        tree.extend(leaves[at : at + TILE_WIDTH])
        if tree.root() != kept:
            raise ArchiveError(f"{one.file} was changed: an entry from {one.first + at} on")


def _as_text(entry: Entry) -> tuple[Any, ...]:
    """A row as SQLite has it: text where it is text."""
    return (entry.seq, _text(entry.core), _text(entry.personal), entry.salt, entry.sealed)


def _text(part: bytes | None) -> str | bytes | None:
    try:
        return None if part is None else part.decode()
    except UnicodeDecodeError:
        return part


def _as_bytes(entry: Entry) -> tuple[Any, ...]:
    return (entry.seq, entry.core, entry.personal, entry.salt, entry.sealed)
