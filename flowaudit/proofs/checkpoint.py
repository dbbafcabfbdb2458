"""Signed heads: C2SP tlog-checkpoints inside C2SP signed notes, with Ed25519.

A checkpoint's text is three lines (origin, size in decimal, root in base64); a signature line
follows after an empty line. The verifier key's text form is ``name+hash+key`` as the signed-note
specification gives it (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).
"""

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..errors import ProofError
from .merkle import HASH_BYTES

__all__ = ["Checkpoint", "VerifierKey", "sign_checkpoint"]

ED25519: Final = b"\x01"
"""Signature type identifier of Ed25519 in signed notes."""

KEY_HASH_BYTES: Final = 4
MAX_NOTE_BYTES: Final = 64 * 1024
"""A note larger than this is refused unread."""

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE: Final = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under."""

    name: str
    public: bytes
    """32 bytes of Ed25519."""

    @property
    def hash(self) -> bytes:
        """Four bytes that lead a signature to its key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:KEY_HASH_BYTES]

    def __str__(self) -> str:
        key = base64.b64encode(ED25519 + self.public).decode()
        return f"{self.name}+{self.hash.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read ``name+hash+key``. Raises `ProofError` if it is malformed or contradicts itself."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3 or not parts[0]:
            raise ProofError("a verifier key has the form name+hash+key")
        data = _decode64(parts[2], "verifier key")
        if data[:1] != ED25519 or len(data) != 1 + 32:
            raise ProofError("a verifier key holds one byte 0x01 and 32 bytes of Ed25519")
        key = cls(parts[0], data[1:])
        if key.hash.hex() != parts[1].lower():
            raise ProofError(f"verifier key {parts[0]!r}: its hash does not belong to it")
        return key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head that was signed: origin, size and root, with the note it was read from."""

    origin: str
    size: int
    root: bytes
    note: str

    @property
    def text(self) -> str:
        """The signed text, with its final newline."""
        return _text(self.origin, self.size, self.root)

    @classmethod
    def parse(cls, note: str) -> "Checkpoint":
        """Read a note without judging its signatures. Raises `ProofError` if it is malformed."""
        if len(note) > MAX_NOTE_BYTES:
            raise ProofError(f"a checkpoint of {len(note)} characters is not read")
        text, separator, _ = note.partition("\n\n")
        lines = text.split("\n")
        if not separator or len(lines) < 3 or not lines[0] or not _SIZE.fullmatch(lines[1]):
            raise ProofError("a checkpoint has the lines origin, size, root, then signatures")
        if len(lines) > 3:
            raise ProofError("a checkpoint of ours has no extension lines")
        root = _decode64(lines[2], "root")
        if len(root) != HASH_BYTES:
            raise ProofError(f"a root has {HASH_BYTES} bytes, not {len(root)}")
        return cls(lines[0], int(lines[1]), root, note)

    def signed_by(self, keys: "tuple[VerifierKey, ...]") -> tuple[str, ...]:
        """Names of those `keys` whose signature on this note is valid."""
        signatures = self.note.partition("\n\n")[2]
        names = []
        for line in signatures.split("\n"):
            match = _SIGNATURE.fullmatch(line)
            if match is None:
                continue
            blob = _decode64(match[2], "signature")
            names += [
                key.name
                for key in keys
                if key.name == match[1]
                and key.hash == blob[:KEY_HASH_BYTES]
                and _is_valid(key, blob[KEY_HASH_BYTES:], self.text.encode())
            ]
        return tuple(dict.fromkeys(names))


def sign_checkpoint(private: Ed25519PrivateKey, origin: str, size: int, root: bytes) -> str:
    """A signed note over a head; the key's name is the origin."""
    text = _text(origin, size, root)
    key = VerifierKey(origin, private.public_key().public_bytes_raw())
    blob = base64.b64encode(key.hash + private.sign(text.encode())).decode()
    return f"{text}\n— {origin} {blob}\n"


def _text(origin: str, size: int, root: bytes) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def _is_valid(key: VerifierKey, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _decode64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofError(f"{what}: not base64") from error
