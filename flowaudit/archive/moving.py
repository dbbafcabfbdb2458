"""Moving ranges of entries out of a trail into an archive.

At every moment the trail has all of a range, or the archive has::

    trail     note the name of the file that is about to be written     (`writing`)
    archive   write the file, whole and durable
    archive   read it back; its leaves must be those of the trail's tiles
    trail     the file has the range from now on                        (`moving`)
    trail     delete the rows, some thousands at a time
    trail     delete the level-0 tiles                                  (`archived`)

Whoever comes next completes what was broken off: a file that was only noted is removed, a range
that is `moving` is moved on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Final

from ..errors import ArchiveError
from ..trail.locks import upkeep_lock
from ..trail.opening import open_reader
from ..trail.ranges import Range
from ..trail.store import WritableTrail
from .gathering import Gathered, gather
from .parquet import ArchiveFile, leaves_of, to_parquet
from .places import ArchivePlace, open_place
from .table import all_rows, begin, drop_rows, drop_tiles, forget_draft, take

__all__ = ["LOCK_TIMEOUT_S", "Moved", "archive_trail", "complete", "file_name"]

LOCK_TIMEOUT_S: Final = 30.0
"""Seconds to wait for others who take something out of the same trail."""

ROWS_AT_ONCE: Final = 5_120
"""Rows deleted in one transaction, so that writers get their turn."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A range that was archived."""

    first: int
    last: int
    file: str
    size_bytes: int
    first_ts: int
    last_ts: int


def archive_trail(
    trail: WritableTrail, place: ArchivePlace, before: int, now: int
) -> Iterator[Moved]:
    """Move every range that was committed before a day, and say so for each.

    Args:
        trail: the trail; what is not under a checkpoint yet is signed first.
        place: where the files go.
        before: µs since 1970 UTC, the beginning of a day.
        now: µs since 1970 UTC.
    """
    with upkeep_lock(trail.paths.lock).held(LOCK_TIMEOUT_S):
        trail.checkpoint()
        complete(trail, place)
        while (made := _gathered(trail, before, now)) is not None:
            yield _move(trail, place, made)
        trail.truncate_log()


def _gathered(trail: WritableTrail, before: int, now: int) -> Gathered | None:
    with open_reader(trail.paths) as reader:
        return gather(reader, before, now)


def complete(trail: WritableTrail, place: ArchivePlace) -> None:
    """Complete what was broken off; to be called under the lock of upkeep.

    Raises `ArchiveError` if a file that must go stands at another place which can't be reached.
    """
    rows: list[Range] = []
    trail.change(lambda db: rows.extend(all_rows(db)))
    for each in rows:
        if each.draft:
            there = place if each.place == place.text else open_place(each.place)
            there.remove(each.draft)
            trail.change(partial(forget_draft, one=each))
        if each.state == "moving":
            _drop(trail, each)


def _move(trail: WritableTrail, place: ArchivePlace, made: Gathered) -> Moved:
    data = to_parquet(made.table, made.facts)
    name = file_name(made, data)
    facts = made.facts
    planned = Range(
        facts.first, facts.last, "writing", place.text, "", name, facts.first_ts, facts.last_ts, ""
    )
    trail.change(partial(begin, one=planned))
    place.write_new(name, data)
    check_written(place, name, made.leaves, made.personal)
    moving = Range(
        facts.first,
        facts.last,
        "moving",
        place.text,
        name,
        "",
        facts.first_ts,
        facts.last_ts,
        made.told,
    )
    trail.change(partial(take, one=moving, personal=made.personal))
    _drop(trail, moving)
    return Moved(facts.first, facts.last, name, len(data), facts.first_ts, facts.last_ts)


def _drop(trail: WritableTrail, one: Range) -> None:
    for first in range(one.first, one.last + 1, ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE - 1, one.last)
        trail.change(partial(drop_rows, first=first, last=last))
    trail.change(partial(drop_tiles, one=one))


def check_written(place: ArchivePlace, name: str, leaves: list[bytes], personal: int) -> None:
    """Read a file back. Raises `ArchiveError` unless it has exactly what went into it."""
    entries = ArchiveFile(place.read(name), name).entries()
    kept = sum(entry.personal is not None for entry in entries)
    if leaves_of(entries) != leaves or kept != personal:
        raise ArchiveError(f"{place.text}/{name} does not give back what was written")


def file_name(made: Gathered, data: bytes) -> str:
    """A name that says which trail, day and range a file is of, and that no other content has."""
    trail = re.sub("[^a-z0-9]", "", made.facts.origin.rpartition("/")[2])[:32]
    day = datetime.fromtimestamp(made.facts.last_ts // 1_000_000 % 253_402_300_800, UTC)
    span = f"{made.facts.first:012d}-{made.facts.last:012d}"
    return f"{trail}-{day:%Y-%m-%d}-{span}-{sha256(data).hexdigest()[:12]}.parquet"
