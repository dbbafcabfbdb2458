"""A statement as a signed note: one line that says what it is, one of canonical JSON, signatures.

The first line differs from every checkpoint's, so that neither can be taken for the other
although the same key signs both.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import ProofError
from ..proofs.note import Note, Signature, VerifierKey, signature_line

__all__ = ["MAX_STATEMENT_BYTES", "SignedStatement", "sign_statement"]

KIND: Final = "flowaudit/statement/v1"
"""First line of a signed statement."""

MAX_STATEMENT_BYTES: Final = 64 * 1024 * 1024
"""A statement larger than this is refused unread: some 100,000 sources."""

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement as it was read; who signed it is not judged yet."""

    said: dict[str, Any]
    note: Note

    @classmethod
    def parse(cls, text: str) -> "SignedStatement":
        """Read one. Raises `ProofError` if it is none."""
        note = Note.parse(text, limit=MAX_STATEMENT_BYTES)
        lines = note.text[:-1].split("\n")
        if len(lines) != 2 or lines[0] != KIND:
            raise ProofError("it is not a flowaudit statement")
        try:
            said = msgspec.json.decode(lines[1], type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ProofError(f"the statement cannot be read: {error}") from error
        return cls(said, note)

    def signatures(self, keys: tuple[VerifierKey, ...]) -> tuple[Signature, ...]:
        """The valid signatures of these keys, by their lines."""
        return self.note.valid_signatures(keys)


def note_text(data: bytes) -> str:
    """JSON as a note may hold it: without the one control character that JSON allows."""
    return data.decode().replace("\x7f", "\\u007f")


def is_statement(text: str) -> bool:
    """Whether a text begins as a signed statement does."""
    return text.startswith(KIND + "\n")


def sign_statement(private: Ed25519PrivateKey, name: str, said: dict[str, Any]) -> str:
    """The signed note of what is said: texts, whole numbers, lists and maps alone."""
    text = f"{KIND}\n{note_text(_ENCODER.encode(said))}\n"
    return str(Note(text, (signature_line(private, name, text),)))
