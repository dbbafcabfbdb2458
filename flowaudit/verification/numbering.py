"""The numbers of each source: 1, 2, 3 … without repetition and without an unexplained hole.

Numbers may be committed out of order by a little (a loss is reported after what came behind it),
so holes are kept as ranges until a late number or a gap event fills them.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping
from typing import Final

from ..trail.intervals import merged, uncovered
from .found import Problem

__all__ = ["Numbering"]

MAX_HOLES: Final = 1_000_000
"""Holes remembered a source. With more of them it is said that they can't be told apart."""


class _Source:
    """What has been seen of one source's numbers. Each hole and each gap costs a few words."""

    __slots__ = ("_firsts", "_holes", "begun", "gaps", "last", "seq")

    def __init__(self, begun: int, seq: int) -> None:
        self.begun = begun
        """The number before the first that is judged."""
        self.last, self.seq = begun, seq
        """The highest number, and where it stands."""
        self.gaps: list[tuple[int, int, int]] = []
        """Numbers told as lost: first, last, and where that stands."""
        self._firsts: list[int] = []  # first number of each hole, rising
        self._holes: dict[int, tuple[int, int]] = {}  # first: (last, where the hole was noticed)

    @property
    def is_full(self) -> bool:
        """Whether there were more holes than can be remembered."""
        return len(self._firsts) >= MAX_HOLES

    def open_hole(self, first: int, last: int, seq: int) -> None:
        """Numbers that were passed over; those from `first` on are higher than all others."""
        if not self.is_full:
            self._firsts.append(first)
            self._holes[first] = last, seq

    def fill(self, n: int) -> bool:
        """Take a late number out of its hole; False if it is in none."""
        at = bisect_right(self._firsts, n) - 1
        first = self._firsts[at] if at >= 0 else n + 1
        last, seq = self._holes.get(first, (0, 0))
        if not first <= n <= last:
            return False
        del self._holes[first]
        if first < n:
            self._holes[first] = n - 1, seq
        else:
            del self._firsts[at]
        if n < last:
            self._holes[n + 1] = last, seq
            insort(self._firsts, n + 1)
        return True

    def holes(self) -> Iterator[tuple[int, int, int]]:
        """First and last number of each hole, and where it was noticed; rising."""
        for first in self._firsts:
            last, seq = self._holes[first]
            yield first, last, seq


class Numbering:
    """What has been seen of every source's numbers.

    Its time is that of the numbers, whatever holes and gaps there are; its memory is that of the
    sources, holes and gaps.

    Args:
        is_whole: whether everything from the beginning is seen; else each source may begin with
            any number, and what lies below that is not judged.
    """

    def __init__(self, *, is_whole: bool = True) -> None:
        self._is_whole = is_whole
        self._sources: dict[str, _Source] = {}
        self._untold: dict[str, list[tuple[int, int, int]]] = {}  # gaps of sources not seen yet

    def see(self, source: str, n: int, seq: int) -> str | None:
        """Note a number; says what is wrong with it, or `None`."""
        return self.see_run(source, n, n, seq)

    def see_run(self, source: str, first: int, last: int, seq: int) -> str | None:
        """Note the numbers `first` to `last` that stand in order, from `seq` on if in one piece."""
        known = self._sources.get(source)
        if known is None:
            known = self._sources[source] = _Source(0 if self._is_whole else first - 1, seq)
        if first == known.last + 1:
            known.last, known.seq = last, seq + last - first
            return None
        if first < 1:
            return f"source {source} cannot have number {first}"
        if first > known.last:
            known.open_hole(known.last + 1, first - 1, seq)
            known.last, known.seq = last, seq + last - first
            return None
        for n in range(first, last + 1):
            if n > known.last:
                return self.see_run(source, n, last, seq + n - first)
            if not known.fill(n) and n > known.begun:
                return f"source {source} repeats number {n}"
        return None

    def follows(self, source: str, n: int) -> bool:
        """Whether a number is the next one of its source."""
        known = self._sources.get(source)
        return n == 1 if known is None else n == known.last + 1

    def explain(self, source: str, first: int, last: int, seq: int = 0) -> None:
        """A gap event at `seq` says that these numbers of a source were lost."""
        if 0 < first <= last:
            known = self._sources.get(source)
            gaps = self._untold.setdefault(source, []) if known is None else known.gaps
            gaps.append((first, last, seq))

    def problems(self, committed: Mapping[str, int | None], end: int) -> Iterator[Problem]:
        """Holes that no gap explains, gaps where there is no hole, and what does not fit to the
        table of sources: their last numbers as it was `committed`. What it has more of is gone
        from the `end` of the trail, if nothing else is wrong.
        """
        for source, number in committed.items():
            known = self._sources.get(source) or _Source(0, -1)
            if not self._is_whole and source not in self._sources:
                continue
            yield from _against_table(source, known, number, self._gaps(source), end)
        for source, known in self._sources.items():
            yield from _unexplained(source, known, self._gaps(source))
            if source not in committed:
                yield Problem(known.seq, f"source {source} is not in the table of sources")

    def _gaps(self, source: str) -> list[tuple[int, int, int]]:
        known = self._sources.get(source)
        return self._untold.get(source, []) + (known.gaps if known is not None else [])


def _against_table(
    source: str, known: _Source, number: int | None, gaps: list[tuple[int, int, int]], end: int
) -> Iterator[Problem]:
    """What the table of sources says of a source's last number, and the trail does not."""
    if number is None:
        yield Problem(None, f"source {source}: its last number was changed")
        return
    if number < known.last:
        yield Problem(
            None, f"source {source}: its last number was changed to {number}, below {known.last}"
        )
    told = merged((first, last) for first, last, _ in gaps)
    for first, last in uncovered(known.last + 1, number, told):
        yield Problem(
            end, f"source {source}: the events {first} to {last} were committed and are gone"
        )


def _unexplained(
    source: str, known: _Source, gaps: list[tuple[int, int, int]]
) -> Iterator[Problem]:
    """Holes without a gap, and gaps without a hole."""
    told = merged((first, last) for first, last, _ in gaps)
    at = 0
    for first, last, seq in known.holes():
        while at < len(told) and told[at][1] < first:
            at += 1
        for start, end in uncovered(first, last, _from(told, at, last)):
            yield Problem(
                seq, f"source {source}: the numbers {start} to {end} are missing, no gap event"
            )
    if known.is_full:
        yield Problem(known.seq, f"source {source} has more holes than can be told apart")
        return
    holes = [(first, last) for first, last, _ in known.holes()]
    at = 0
    for first, last, seq in sorted(gaps):
        while at < len(holes) and holes[at][1] < first:
            at += 1
        for start, end in uncovered(
            max(first, known.begun + 1), min(last, known.last), _from(holes, at, last)
        ):
            yield Problem(
                seq, f"source {source}: a gap tells {start} to {end} as lost, and they are here"
            )


def _from(ranges: list[tuple[int, int]], at: int, last: int) -> Iterator[tuple[int, int]]:
    """Rising ranges from a place on, as far as they begin at or below `last`."""
    while at < len(ranges) and ranges[at][0] <= last:
        yield ranges[at]
        at += 1
