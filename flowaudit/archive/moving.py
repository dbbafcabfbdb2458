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

from ..errors import ArchiveError
from ..trail.opening import open_reader
from ..trail.ranges import Range
from ..trail.store import WritableTrail
from .gathering import Gathered, gather
from .parquet import ArchiveFile, leaves_of, to_parquet
from .places import ArchivePlace
from .table import begin, take
from .upkeep import drop, remove_drafts, upkeep

__all__ = ["Moved", "archive_trail"]


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
    with upkeep(trail):
        trail.checkpoint()
        for left in remove_drafts(trail, [place]):
            if left.state == "writing":
                raise ArchiveError(f"{left.place}/{left.draft} must go first, and can't be reached")
        while (made := _gathered(trail, before, now)) is not None:
            yield _move(trail, place, made)
        trail.truncate_log()


def _gathered(trail: WritableTrail, before: int, now: int) -> Gathered | None:
    with open_reader(trail.paths) as reader:
        return gather(reader, before, now)


def _move(trail: WritableTrail, place: ArchivePlace, made: Gathered) -> Moved:
    data = to_parquet(made.table, made.facts)
    name = file_name(made, data)
    facts = made.facts
    planned = Range(
        facts.first, facts.last, "writing", place.text, "", name, facts.first_ts, made.latest, ""
    )
    place.has(name)  # a place that can't be asked, such as a mistyped one, leaves no trace
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
        made.latest,
        made.told,
    )
    trail.change(partial(take, one=moving, personal=made.personal))
    drop(trail, moving)
    return Moved(facts.first, facts.last, name, len(data), facts.first_ts, facts.last_ts)


def check_written(place: ArchivePlace, name: str, leaves: list[bytes], personal: int) -> None:
    """Read a file back. Raises `ArchiveError` unless it has exactly what went into it."""
    entries = ArchiveFile(place.read(name), name).entries()
    kept = sum(entry.personal is not None for entry in entries)
    if leaves_of(entries) != leaves or kept != personal:
        raise ArchiveError(f"{place.text}/{name} does not give back what was written")


def file_name(made: Gathered, data: bytes) -> str:
    """A name that says which trail, day and range a file is of, and that no other content has."""
    trail = re.sub("[^a-z0-9]", "", made.facts.origin.rpartition("/")[2])[:32]
    day = datetime.fromtimestamp(made.latest // 1_000_000, UTC)
    span = f"{made.facts.first:012d}-{made.facts.last:012d}"
    return f"{trail}-{day:%Y-%m-%d}-{span}-{sha256(data).hexdigest()[:12]}.parquet"
