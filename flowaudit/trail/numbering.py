"""The numbers of each source: 1, 2, 3 … without repetition and without an unexplained hole.

Numbers may be committed out of order by a little (a loss is reported after what came behind it),
so holes are kept as ranges until a late number or a gap event fills them.
"""

import base64
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from .verification import Problem

__all__ = ["Numbering", "merged", "new_source", "uncovered"]

MAX_HOLES: Final = 100_000
"""Holes remembered a source; beyond, the trail is past telling them apart."""


def new_source() -> str:
    """A random source id: 128 bits as 26 characters of base32."""
    return base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()


class Numbering:
    """What has been seen of every source's numbers."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}  # source: (highest n, its seq)
        self._holes: dict[str, dict[int, tuple[int, int]]] = {}  # source: first: (last, seq after)
        self._gaps: dict[str, list[tuple[int, int]]] = {}

    def see(self, source: str, n: int, seq: int) -> str | None:
        """Note a number; says what is wrong with it, or `None`."""
        last, _ = self._last.get(source, (0, seq))
        if n == last + 1:
            self._last[source] = (n, seq)
            return None
        if n < 1:
            return f"source {source} cannot have number {n}"
        if n > last:
            holes = self._holes.setdefault(source, {})
            if len(holes) < MAX_HOLES:
                holes[last + 1] = (n - 1, seq)
            self._last[source] = (n, seq)
            return None
        return None if self._fill(source, n) else f"source {source} repeats number {n}"

    def _fill(self, source: str, n: int) -> bool:
        holes = self._holes.get(source, {})
        for first, (last, seq) in holes.items():
            if first <= n <= last:
                del holes[first]
                if first < n:
                    holes[first] = (n - 1, seq)
                if n < last:
                    holes[n + 1] = (last, seq)
                return True
        return False

    def explain(self, source: str, first: int, last: int) -> None:
        """A gap event says that these numbers of a source were lost."""
        if 0 < first <= last:
            self._gaps.setdefault(source, []).append((first, last))

    def problems(self, committed: Mapping[str, int | None]) -> Iterator[Problem]:
        """Holes that no gap explains; numbers that the source table knows and no entry has."""
        for source, number in committed.items():
            last, seq = self._last.get(source, (0, 0))
            if number is None:
                yield Problem(None, f"source {source}: its last number was changed")
                continue
            for first, end in self._unexplained(source, last + 1, number):
                yield Problem(
                    seq + 1 if last else None,
                    f"source {source}: the events {first} to {end} were committed and are gone",
                )
        for source, holes in self._holes.items():
            for first, (last, seq) in holes.items():
                for start, end in self._unexplained(source, first, last):
                    yield Problem(
                        seq,
                        f"source {source}: the numbers {start} to {end} are missing, no gap event",
                    )
        for source in self._last.keys() - committed.keys():
            yield Problem(self._last[source][1], f"source {source} is not in the table of sources")

    def _unexplained(self, source: str, first: int, last: int) -> Iterator[tuple[int, int]]:
        return uncovered(first, last, self._gaps.get(source, []))


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
