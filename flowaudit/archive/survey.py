"""What verification needs of a file, made of its columns in one go, maybe by another process.

A file's bytes go in; out come its leaves, and what the entries under each tile tell, a few words a
tile. Nothing else of the file stays, so memory does not grow with the number of files.
"""

import gc
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from types import TracebackType
from typing import Final, Self

from ..errors import ArchiveError
from ..proofs.merkle import HASH_BYTES, TILE_WIDTH, Tree
from ..trail.plain import Plain, plain_tile
from ..trail.ranges import Range, Telling, Told
from .parquet import ArchiveFile, entry_of, leaves_of
from .places import ArchivePlace

__all__ = ["Survey", "Surveyor", "check_facts", "find_file", "survey"]

AHEAD: Final = 3
"""Files read ahead for each process."""

KEPT: Final = 2
"""Surveys that are remembered, some 2 MB each."""


@dataclass(slots=True)
class Survey:
    """What a file holds, by its tiles."""

    leaves: bytes
    roots: list[bytes]
    """The root over each tile's leaves."""
    plain: list[Plain | None]
    """What each tile's entries tell; `None` where they need a closer look."""
    told: Told
    """What the trail should have kept of it."""

    def tile(self, at: int) -> bytes:
        """The leaves of the file's tile number `at`."""
        width = TILE_WIDTH * HASH_BYTES
        return self.leaves[at * width : (at + 1) * width]


def find_file(places: Sequence[ArchivePlace], one: Range) -> bytes:
    """The bytes of a range's file, from the first of the places that has it."""
    for place in places:
        if place.has(one.file):
            return place.read(one.file)
    named = " nor ".join(place.text for place in places)
    raise ArchiveError(f"{one.file} is not in {named}")


def check_facts(file: ArchiveFile, first: int, last: int, origin: str) -> ArchiveFile:
    """The same file. Raises `ArchiveError` if it is another one than the trail means."""
    facts = file.facts
    if (facts.first, facts.last, facts.origin) != (first, last, origin):
        raise ArchiveError(f"{file.name} is of another range or trail than it should be")
    return file


def survey(data: bytes, name: str, first: int, last: int, origin: str) -> Survey:
    """What a range's file holds. Raises `ArchiveError` if it is none, or another one's."""
    rows = check_facts(ArchiveFile(data, name), first, last, origin).rows()
    found, telling = Survey(b"", [], [], Told()), Telling()
    leaves: list[bytes] = []
    for at in range(0, len(rows), TILE_WIDTH):
        tile = rows[at : at + TILE_WIDTH]
        plain = plain_tile(tile, None, first + at)
        made = leaves_of(map(entry_of, tile)) if plain is None else plain.leaves
        if plain is not None:
            plain.leaves = []
            for source, (n, last, _) in plain.runs.items():
                telling.run(source, n, last)
            for entry in plain.telling:
                telling.see(entry.seq, entry.core, is_numbered=True)
        else:
            for entry in map(entry_of, tile):
                telling.see(entry.seq, entry.core)
        leaves += made
        found.plain.append(plain)
        tree = Tree()
        tree.extend(made)
        found.roots.append(tree.root())
    found.leaves, found.told = b"".join(leaves), telling.told()
    return found


class Surveyor:
    """Surveys of a trail's files, in any order, made ahead by other processes if it may.

    Args:
        places: where the files are.
        ranges: those that will be asked for, mostly in this order.
        origin: the trail's name.
        processes: how many make surveys beside this one; 0 for none.
    """

    def __init__(
        self,
        places: Sequence[ArchivePlace],
        ranges: Sequence[Range],
        origin: str,
        processes: int = 0,
    ) -> None:
        self._places, self._ranges, self._origin = places, ranges, origin
        self._at = {each.first: at for at, each in enumerate(ranges)}
        self._ahead = processes * AHEAD
        self._begun: dict[int, Future[Survey]] = {}
        self._known: OrderedDict[int, Survey] = OrderedDict()
        self._pool = (
            # what they make has no cycles: looking for some among its rows takes a third longer
            ProcessPoolExecutor(processes, get_context("spawn"), initializer=gc.disable)
            if processes and len(ranges) > processes
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def of(self, one: Range) -> Survey:
        """The survey of a range's file. Raises `ArchiveError` if it can't be made."""
        known = self._known.get(one.first)
        if known is None:
            known = self._made(one)
            self._known[one.first] = known
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return known

    def _made(self, one: Range) -> Survey:
        begun = self._begun.pop(one.first, None)
        if self._pool is not None:
            at = self._at[one.first]
            for each in self._ranges[at + 1 : at + 1 + self._ahead]:
                if each.first not in self._begun and each.first not in self._known:
                    self._begin(each)
        try:
            if begun is not None:
                return begun.result()
        except BrokenExecutor:  # a process was killed: go on without
            self.close()
            self._pool = None
        data = find_file(self._places, one)
        return survey(data, one.file, one.first, one.last, self._origin)

    def _begin(self, one: Range) -> None:
        assert self._pool is not None
        try:
            data = find_file(self._places, one)
            self._begun[one.first] = self._pool.submit(
                survey, data, one.file, one.first, one.last, self._origin
            )
        except (ArchiveError, BrokenExecutor):
            return  # told when it is asked for

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
