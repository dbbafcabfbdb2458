"""Signed heads: C2SP tlog-checkpoints inside signed notes (c2sp.org/tlog-checkpoint).

A checkpoint's text is three lines: origin, size in decimal, root in base64.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import ProofError
from .merkle import HASH_BYTES
from .note import Note, Signature, VerifierKey, decode64, signature_line

__all__ = ["Checkpoint", "sign_checkpoint"]

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head that was signed: origin, size and root, with the note it was read from."""

    origin: str
    size: int
    root: bytes
    note: Note

    @classmethod
    def parse(cls, note: str) -> "Checkpoint":
        """Read a note without judging its signatures. Raises `ProofError` if it is malformed."""
        read = Note.parse(note)
        lines = read.text[:-1].split("\n")
        if len(lines) < 3 or not lines[0] or not _SIZE.fullmatch(lines[1]):
            raise ProofError("a checkpoint has the lines origin, size, root")
        if len(lines) > 3:
            raise ProofError("a checkpoint of ours has no extension lines")
        root = decode64(lines[2], "root")
        if len(root) != HASH_BYTES:
            raise ProofError(f"a root has {HASH_BYTES} bytes, not {len(root)}")
        return cls(lines[0], int(lines[1]), root, read)

    def signatures(self, keys: "tuple[VerifierKey, ...]") -> tuple[Signature, ...]:
        """The valid signatures of these keys, by their lines."""
        return self.note.valid_signatures(keys)


def sign_checkpoint(
    private: Iterable[Ed25519PrivateKey], origin: str, size: int, root: bytes
) -> str:
    """A note over a head, signed by each of these keys; their name is the origin."""
    text = _text(origin, size, root)
    return str(Note(text, tuple(signature_line(key, origin, text) for key in private)))


def _text(origin: str, size: int, root: bytes) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
