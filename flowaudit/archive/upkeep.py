"""What comes before anything is taken out of a trail or its archives: complete what was broken off.

Two ways a thing can be broken off, and two ways to complete it: a range that is `moving` is moved
on, and a file that counts for nothing (`draft`) is removed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from ..errors import ArchiveError
from ..trail.locks import upkeep_lock
from ..trail.ranges import Range
from ..trail.store import WritableTrail
from .places import ArchivePlace, open_place
from .table import all_rows, drop_rows, drop_tiles, forget_draft

__all__ = ["LOCK_TIMEOUT_S", "drop", "is_at", "remove_drafts", "rows_of", "upkeep"]

LOCK_TIMEOUT_S: Final = 30.0
"""Seconds to wait for others who take something out of the same trail."""

ROWS_AT_ONCE: Final = 5_120
"""Rows deleted in one transaction, so that writers get their turn."""


@contextmanager
def upkeep(trail: WritableTrail) -> Iterator[None]:
    """Alone with a trail, but for its writers, and nothing is half moved.

    Raises `TrailBusyError` if another one has been at it for too long.
    """
    with upkeep_lock(trail.paths.lock).held(LOCK_TIMEOUT_S):
        for each in rows_of(trail):
            if each.state == "moving":
                drop(trail, each)
        yield


def rows_of(trail: WritableTrail) -> list[Range]:
    """Every row of the table of ranges, those that are being written too."""
    rows: list[Range] = []
    trail.change(lambda db: rows.extend(all_rows(db)))
    return rows


def drop(trail: WritableTrail, one: Range) -> None:
    """Delete from the trail what an archive has."""
    for first in range(one.first, one.last + 1, ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE - 1, one.last)
        trail.change(partial(drop_rows, first=first, last=last))
    trail.change(partial(drop_tiles, one=one))


def remove_drafts(trail: WritableTrail, places: Sequence[ArchivePlace]) -> Iterator[Range]:
    """Remove files that count for nothing, at the given places and where the trail says they are.

    Yields ranges whose place could not be reached: their file may still be there.
    """
    for each in rows_of(trail):
        if not each.draft:
            continue
        try:
            for place in places:
                place.remove(each.draft)
            if each.place not in {place.text for place in places}:
                open_place(each.place).remove(each.draft)
        except ArchiveError:
            yield each
            continue
        trail.change(partial(forget_draft, one=each))


def is_at(places: Sequence[ArchivePlace], one: Range) -> bool:
    """Whether a range's archive is meant by these places: it was written to one, or is there now.

    Raises `ArchiveError` for a place that can't be asked.
    """
    return one.place in {place.text for place in places} or any(
        place.has(one.file) for place in places
    )
