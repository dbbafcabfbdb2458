"""Ranges of whole numbers, both ends included."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["is_within", "merged", "uncovered"]


def is_within(number: int, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether one of these ranges, as `merged` gives them, holds a number. In logarithmic time."""
    at = bisect_right(ranges, number, key=lambda each: each[0]) - 1
    return at >= 0 and number <= ranges[at][1]


def uncovered(
    first: int, last: int, ranges: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """The parts of `first`..`last` (both included) that none of the ranges covers."""
    at = first
    for start, end in sorted(ranges):
        if start > last or end < at:
            continue
        if start > at:
            yield at, start - 1
        at = max(at, end + 1)
    if at <= last:
        yield at, last


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in rising ranges that do not touch."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
