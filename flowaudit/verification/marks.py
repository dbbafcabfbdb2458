"""A trail's checkpoints on the way through its entries: signed by whom, and do the tiles agree?"""

from collections.abc import Iterator
from typing import Final

from ..errors import ProofError
from ..proofs.checkpoint import Checkpoint
from ..proofs.note import VerifierKey
from ..proofs.paths import TileTree
from ..trail.keychain import KeyChain, KeyFacts
from ..trail.ranges import ends_away
from ..trail.store import ReadableTrail
from .found import Problem

__all__ = ["Marks"]

MAX_OPEN: Final = 1_000_000
"""Checkpoints whose key is not known yet that are remembered: a year's, at one in 30 s."""


class Marks:
    """The checkpoints of one trail, met in the order of their sizes while its rows are read.

    Args:
        reader: the trail.
        chain: told of the keys that rows speak of, in order, before the marks over those rows.
        tree: gives the root at each size, from tiles that are held against the rows beside this.
        suspects: first entries under tiles that are wrong.
    """

    def __init__(
        self,
        reader: ReadableTrail,
        chain: KeyChain,
        tree: TileTree,
        suspects: list[int],
        first: int,
    ) -> None:
        self.newest: Checkpoint | None = None
        """The largest that is signed and agrees."""
        self.signer: VerifierKey | None = None
        """Whose signature it has."""
        self.found = 0
        self._reader = reader
        self._chain = chain
        self._tree = tree
        self._suspects = suspects
        self._notes = reader.checkpoints(first) if first else reader.checkpoints()
        self._next = next(self._notes, None)
        self._agreed = first
        self._longest = 0
        self._is_parted = False
        self._open: list[int] = []

    @property
    def next_size(self) -> int:
        """Size of the next one; beyond any trail if there is none."""
        return self._next[0] if self._next else 2**63

    def learn(self, seq: int, facts: KeyFacts, *, is_proved: bool = True) -> str | None:
        """An entry tells of a key; says what is wrong with that, or `None`."""
        return self._chain.learn(seq, facts, is_proved=is_proved)

    def suspect(self, seq: int) -> None:
        """From this entry on a tile is wrong."""
        self._suspects.append(seq)

    def reach(self, size: int) -> Iterator[Problem]:
        """Judge all of at most this size."""
        while self._next is not None and self._next[0] <= size:
            yield from self._judge(*self._next)
            self._next = next(self._notes, None)

    def end(self) -> Iterator[Problem]:
        """Judge the rest, and those again that older keys have signed."""
        yield from self.reach(2**63)
        for size in self._open:
            for _, note in self._reader.checkpoints(size, limit=1):
                mark = Checkpoint.parse(note)
                signer = self._chain.signer(mark)
                yield from self._compare(mark, signer) if signer else [self._unsigned(mark)]
        if self._chain.trusted is None and self.found:
            yield Problem(None, "there is no public key to judge the checkpoints by")
        if self._longest > self._reader.size:
            yield Problem(
                self._reader.size,
                f"the tail was cut: a checkpoint was signed over {self._longest} entries,"
                f" {self._reader.size} are here",
            )

    def _judge(self, size: int, note: str) -> Iterator[Problem]:
        self.found += 1
        try:
            mark = Checkpoint.parse(note)
            if mark.size != size or mark.origin != self._reader.origin:
                raise ProofError("it speaks of another size or another trail")
            signer = self._chain.signer(mark)
        except ProofError as error:
            yield Problem(None, f"the checkpoint of size {size} is not valid: {error}")
            return
        if self._chain.trusted is None:
            return
        if signer is not None:
            yield from self._compare(mark, signer)
        elif len(self._open) < MAX_OPEN:
            self._open.append(size)
        else:
            yield self._unsigned(mark)

    def _unsigned(self, mark: Checkpoint) -> Problem:
        trusted = self._chain.trusted
        what = f"it is not signed by {trusted.name if trusted else 'a known key'}"
        return Problem(None, f"the checkpoint of size {mark.size} is not valid: {what}")

    def _compare(self, mark: Checkpoint, signer: VerifierKey) -> Iterator[Problem]:
        """Hold a signed root against the tiles; where one of them is wrong too, it says where."""
        self._longest = max(self._longest, mark.size)
        if mark.size > self._tree.size or ends_away(self._reader.away, mark.size):
            return
        try:
            agrees = self._tree.root(mark.size) == mark.root
        except ProofError as error:
            if not self._suspects:  # else the tile's fault is told by itself
                yield Problem(None, f"the checkpoint of size {mark.size} can't be held: {error}")
            return
        if agrees:
            self._chain.confirm(mark.size)
            self._agreed = max(self._agreed, mark.size)
            if self.newest is None or self.newest.size < mark.size:
                self.newest, self.signer = mark, signer
            return
        if self._is_parted:
            return  # one place where histories part is enough
        self._is_parted = True
        suspects = [seq for seq in self._suspects if self._agreed <= seq < mark.size]
        first = min(suspects, default=self._agreed)
        if mark.size == 0:
            yield Problem(None, "the checkpoint of size 0 does not agree")
        else:
            yield Problem(
                first,
                f"the signed checkpoint of size {mark.size} does not agree: an entry from"
                f" {first} to {mark.size - 1} was changed",
            )
