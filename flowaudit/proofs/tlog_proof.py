"""Inclusion proofs as files that stand alone: C2SP tlog-proof (c2sp.org/tlog-proof).

A header line, an optional line of extra data, the entry's index, the audit path nearest first, an
empty line, and the checkpoint that the path leads to.
"""

import base64
import re
from dataclasses import dataclass
from typing import Final

from ..errors import ProofError
from .checkpoint import Checkpoint
from .merkle import HASH_BYTES
from .note import MAX_NOTE_BYTES, decode64
from .paths import MAX_PROOF_HASHES, is_included

__all__ = ["InclusionProof"]

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_PROOF_BYTES: Final = MAX_NOTE_BYTES + 64 * MAX_PROOF_HASHES
"""A proof larger than this is refused unread."""

_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That an entry stands at its place in a log, under a checkpoint."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint

    def __str__(self) -> str:
        lines = [HEADER, f"index {self.index}", *map(_encode64, self.path)]
        return "".join(f"{line}\n" for line in lines) + f"\n{self.checkpoint.note}"

    @classmethod
    def parse(cls, text: str) -> "InclusionProof":
        """Read a proof without judging it. Raises `ProofError` if it is malformed.

        Extra data is passed over: nothing of ours is in it.
        """
        if len(text) > MAX_PROOF_BYTES:
            raise ProofError(f"a proof of {len(text)} characters is not read")
        head, separator, note = text.partition("\n\n")
        lines = head.split("\n")
        if not separator or lines[0] != HEADER:
            raise ProofError(f"a proof begins with the line {HEADER}")
        if len(lines) > 1 and lines[1].startswith("extra "):
            decode64(lines.pop(1).removeprefix("extra "), "extra data")
        index = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
        if index is None:
            raise ProofError("a proof has a line `index` with the entry's place")
        path = tuple(decode64(line, "a hash of the proof") for line in lines[2:])
        if any(len(each) != HASH_BYTES for each in path):
            raise ProofError(f"a proof's hashes have {HASH_BYTES} bytes each")
        return cls(int(index[1]), path, Checkpoint.parse(note))

    def proves(self, leaf: bytes) -> bool:
        """Whether the path leads from this leaf hash to the checkpoint's root."""
        mark = self.checkpoint
        return is_included(leaf, self.index, mark.size, self.path, mark.root)


def _encode64(data: bytes) -> str:
    return base64.b64encode(data).decode()
