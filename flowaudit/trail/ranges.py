"""Ranges of entries that have left the trail's file: into an archive, or for good.

A range is made of whole level-0 tiles. Its rows and those tiles are gone from the trail; the tiles
above are kept, so its entries are still bound to the head, wherever they stand. What verification
must know of entries that it can't see, their numbers and what they tell, is kept beside it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from ..errors import NotATrailError
from ..proofs.merkle import TILE_WIDTH
from .intervals import merged

__all__ = ["Away", "Range", "State", "Telling", "Told", "ends_away", "ranges_from"]

State = Literal["writing", "moving", "archived", "pruned"]
"""`writing`: the trail has all of it, and a file is on the way; `moving`: the archive has all of
it, and the trail may still have some; `pruned`: nobody has it.
"""


class Told(msgspec.Struct, frozen=True):
    """What verification must know of a range without its entries."""

    runs: list[tuple[str, int, int]] = []
    """Each source with the first and last of numbers that stand in the range without a hole."""
    events: list[tuple[int, str]] = []
    """`seq` and core of events that speak of others: gaps, erasures, keys, prunings."""

    def says_the_same(self, other: "Told") -> bool:
        """Whether both say the same; the order of sources says nothing."""
        return sorted(self.runs) == sorted(other.runs) and self.events == other.events


@dataclass(frozen=True, slots=True)
class Range:
    """A range of entries that has left the trail's file, both ends included."""

    first: int
    last: int
    state: State
    place: str
    """Where its archive is; for people, and for commands that name no place."""
    file: str
    """Its name there; empty if there is none."""
    draft: str
    """Another file there that counts for nothing, and is removed by whoever comes next."""
    first_ts: int
    """Smallest `ts` in it, µs since 1970 UTC."""
    last_ts: int
    """When the last of it was committed, as far as the `ts` up to there tell."""
    told: str
    """JSON text of a `Told`."""

    @property
    def count(self) -> int:
        """How many entries it has."""
        return self.last - self.first + 1

    def what_it_tells(self) -> Told:
        """`told`, read. Raises `NotATrailError` if that can't be."""
        try:
            return msgspec.json.decode(self.told, type=Told)
        except (msgspec.MsgspecError, UnicodeEncodeError) as error:
            raise _damaged(self.first) from error


_FIELDS: Final = tuple(Range.__slots__)


def _damaged(place: object) -> NotATrailError:
    return NotATrailError(f"the table of archived ranges is damaged at {place!r:.40}")


def ranges_from(rows: Iterable[Sequence[object]]) -> tuple[Range, ...]:
    """The rows of the table, by rising `first`; those that are being written are passed over.

    Raises `NotATrailError` for one that can't be.
    """
    found: list[Range] = []
    for row in rows:
        texts = [x.decode("utf-8", "replace") if isinstance(x, bytes) else x for x in row]
        try:
            one = msgspec.convert(dict(zip(_FIELDS, texts, strict=True)), Range)
        except msgspec.ValidationError as error:
            raise _damaged(texts[0]) from error
        if one.state == "writing":
            continue
        above = found[-1].last if found else -1
        is_whole = one.first % TILE_WIDTH == 0 and (one.last + 1) % TILE_WIDTH == 0
        if not (is_whole and above < one.first < one.last):
            raise _damaged(one.first)
        found.append(one)
    return tuple(found)


class Away:
    """Ranges whose entries are not at hand, for looking up."""

    def __init__(self, ranges: Sequence[Range] = ()) -> None:
        self.ranges = ranges
        """By rising `first`, without overlap."""
        self._lasts = [each.last for each in ranges]
        self._firsts = [each.first for each in ranges]

    def range_of(self, seq: int) -> Range | None:
        """The range that an entry is in; `None` if it is in none."""
        at = bisect_right(self._firsts, seq) - 1
        return self.ranges[at] if at >= 0 and seq <= self.ranges[at].last else None

    def between(self, first: int, end: int) -> Iterator[Range]:
        """Ranges that begin in `first` <= seq < `end`."""
        at = bisect_left(self._firsts, first)
        while at < len(self.ranges) and self._firsts[at] < end:
            yield self.ranges[at]
            at += 1

    def gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """What of `first` to `last` is in no range: first and last of each piece, rising."""
        at = bisect_left(self._lasts, first)
        while at < len(self.ranges) and self._firsts[at] <= last:
            if first < self._firsts[at]:
                yield first, self._firsts[at] - 1
            first = self._lasts[at] + 1
            at += 1
        if first <= last:
            yield first, last

    @property
    def count(self) -> int:
        """How many entries are away."""
        return sum(each.count for each in self.ranges)


def ends_away(away: Away, size: int) -> bool:
    """Whether the root at this size takes leaves that are not at hand."""
    return size % TILE_WIDTH != 0 and away.range_of(size) is not None


class _Glance(msgspec.Struct):
    source: str | None = None
    n: int | None = None
    kind: str | None = None
    action: object = None


_GLANCE: Final = msgspec.json.Decoder(_Glance)
_TELLING_OPS: Final = ("erase", "key", "prune")  # no set: an action may be a list


class Telling:
    """Gathers what a range tells, entry by entry in order of `seq`."""

    def __init__(self) -> None:
        self._runs: dict[str, list[tuple[int, int]]] = {}
        self._events: list[tuple[int, str]] = []

    def run(self, source: str, first: int, last: int) -> None:
        """Note numbers of a source that stand without a hole."""
        runs = self._runs.setdefault(source, [])
        if runs and runs[-1][1] + 1 == first:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))

    def see(self, seq: int, core: bytes, *, is_numbered: bool = False) -> None:
        """Note an entry; one whose core is none tells nothing. Its number may be known already."""
        try:
            seen = _GLANCE.decode(core)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if not is_numbered and seen.source is not None and seen.n is not None:
            self.run(seen.source, seen.n, seen.n)
        if seen.kind == "gap" or (seen.kind == "ops" and seen.action in _TELLING_OPS):
            self._events.append((seq, core.decode()))

    def told(self) -> Told:
        """What was told."""
        runs = [(s, *pair) for s, pairs in self._runs.items() for pair in merged(pairs)]
        return Told(runs, self._events)

    def text(self) -> str:
        """The JSON text of it."""
        return msgspec.json.encode(self.told()).decode()
