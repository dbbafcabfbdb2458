"""C2SP signed notes: a text, and lines below it that say who signed it (c2sp.org/signed-note).

Two kinds of Ed25519 signature are read and made: the plain one, over the text as it stands, and
the cosignature of a witness (c2sp.org/tlog-cosignature), which also says when it was given.

Ed25519 is read strictly, so that every verifier comes to the same answer: points in their one
encoding and S below the group's order, as RFC 8032 §5.1.3 and §5.1.7 want; and no point of small
order, by which one signature fits many texts (Chalkias, Garillot, Nikolaenko: Taming the many
EdDSAs, 2020).
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

__all__ = [
    "COSIGNATURE",
    "ED25519",
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "Note",
    "Signature",
    "VerifierKey",
    "cosignature_line",
    "decode64",
    "signature_line",
]

ED25519: Final = b"\x01"
"""Signature type identifier of Ed25519 in signed notes."""

COSIGNATURE: Final = b"\x04"
"""Signature type identifier of a timestamped Ed25519 cosignature."""

KEY_HASH_BYTES: Final = 4
PUBLIC_BYTES: Final = 32
TIME_BYTES: Final = 8

MAX_NOTE_BYTES: Final = 64 * 1024
"""A checkpoint larger than this is refused unread."""

MAX_SIGNATURES: Final = 100
"""Lines of signatures below a text; a note with more is refused, before any is judged."""

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
"""The field and the curve of Ed25519: -x² + y² = 1 + d·x²·y² modulo p (RFC 8032 §5.1)."""

_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset((0, 1, _P - 1, _ORDER_8, _P - _ORDER_8))
"""The y of the eight points whose order divides 8: of order 4, 1, 2, and twice 8."""

_FOREIGN: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")
_SIGNATURE: Final = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under."""

    name: str
    public: bytes
    """32 bytes of Ed25519."""
    kind: bytes = ED25519
    """`ED25519` for what a log signs, `COSIGNATURE` for a witness."""

    @property
    def hash(self) -> bytes:
        """Four bytes that lead a signature to its key."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.public).digest()[
            :KEY_HASH_BYTES
        ]

    def __str__(self) -> str:
        key = base64.b64encode(self.kind + self.public).decode()
        return f"{self.name}+{self.hash.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read ``name+hash+key``. Raises `ProofError` if it is malformed or contradicts itself."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3 or not parts[0]:
            raise ProofError("a verifier key has the form name+hash+key")
        data = decode64(parts[2], "verifier key")
        kind, public = data[:1], data[1:]
        if kind not in (ED25519, COSIGNATURE) or len(public) != PUBLIC_BYTES:
            raise ProofError("a verifier key holds one byte 0x01 or 0x04 and 32 bytes of Ed25519")
        if not _is_sound(public) or not _is_on_curve(public):
            raise ProofError(f"verifier key {parts[0]!r}: its bytes are no key of Ed25519")
        key = cls(parts[0], public, kind)
        if key.hash.hex() != parts[1].lower():
            raise ProofError(f"verifier key {parts[0]!r}: its hash does not belong to it")
        return key

    def signed_at(self, text: str, blob: bytes) -> int | None:
        """When this key signed a text: in seconds since 1970 for a cosignature, 0 for a plain
        signature, which does not say; `None` if the signature is not valid.
        """
        if blob[:KEY_HASH_BYTES] != self.hash:
            return None
        signed, at, message = blob[KEY_HASH_BYTES:], 0, text.encode()
        if self.kind == COSIGNATURE:
            at = int.from_bytes(signed[:TIME_BYTES])
            signed, message = signed[TIME_BYTES:], _cosigned(at, text)
        if not _is_sound(self.public) or not _is_sound(signed[:PUBLIC_BYTES]):
            return None
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signed, message)
        except (InvalidSignature, ValueError):
            return None
        return at


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that was found valid."""

    key: VerifierKey
    at: int
    """Seconds since 1970 where the signature says so, else 0."""


@dataclass(frozen=True, slots=True)
class Note:
    """A signed text as it was read: its lines are signatures, and not judged yet."""

    text: str
    """What is signed, with its final newline."""
    signatures: tuple[str, ...]
    """The lines below it, without their newlines."""

    @classmethod
    def parse(cls, data: str, *, limit: int = MAX_NOTE_BYTES) -> "Note":
        """Read a note. Raises `ProofError` if it is none, or longer than `limit` characters."""
        if len(data) > limit:
            raise ProofError(f"a note of {len(data)} characters is not read")
        text, separator, lines = data.rpartition("\n\n")
        if not separator or not text or not lines.endswith("\n"):
            raise ProofError("a note is a text, an empty line, then lines of signatures")
        if _FOREIGN.search(data):
            raise ProofError("a note is text, without control characters")
        signatures = tuple(lines[:-1].split("\n"))
        if len(signatures) > MAX_SIGNATURES:
            raise ProofError(f"a note with {len(signatures)} signatures is not read")
        for line in signatures:
            _read_line(line)
        return cls(text + "\n", signatures)

    def __str__(self) -> str:
        return f"{self.text}\n" + "".join(f"{line}\n" for line in self.signatures)

    @property
    def claims(self) -> tuple[str, ...]:
        """Who its lines say they are by, as name and hash of a key; nothing of it is judged."""
        lines = map(_read_line, self.signatures)
        return tuple(f"{name}+{blob[:KEY_HASH_BYTES].hex()}" for name, blob in lines)

    def last_signed_by(self, key: VerifierKey) -> bool:
        """Whether the last of its lines is a valid signature of this key."""
        return bool(Note(self.text, self.signatures[-1:]).valid_signatures((key,)))

    def valid_signatures(self, keys: "tuple[VerifierKey, ...]") -> tuple[Signature, ...]:
        """Those of the signatures that one of these keys has made, by their lines; each key once.

        Lines of others are passed over.
        """
        found: dict[VerifierKey, Signature] = {}
        for line in self.signatures:
            name, blob = _read_line(line)
            for key in keys:
                at = key.signed_at(self.text, blob) if key.name == name else None
                if at is not None:
                    found.setdefault(key, Signature(key, at))
        return tuple(found.values())


def signature_line(private: Ed25519PrivateKey, name: str, text: str) -> str:
    """The line by which a key signs a text, without its newline."""
    key = VerifierKey(name, private.public_key().public_bytes_raw())
    return _line(key, private.sign(text.encode()))


def cosignature_line(private: Ed25519PrivateKey, name: str, text: str, at: int) -> str:
    """The line by which a witness cosigns a checkpoint's text, `at` in seconds since 1970."""
    key = VerifierKey(name, private.public_key().public_bytes_raw(), COSIGNATURE)
    return _line(key, at.to_bytes(TIME_BYTES) + private.sign(_cosigned(at, text)))


def decode64(text: str, what: str) -> bytes:
    """The bytes of base64 in its one form. Raises `ProofError`, naming `what`, for another text."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofError(f"{what}: not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ProofError(f"{what}: not the canonical base64 of its bytes")
    return data


def _read_line(line: str) -> tuple[str, bytes]:
    """Whose signature a line says it is, and its bytes. Raises `ProofError` if it is none."""
    match = _SIGNATURE.fullmatch(line)
    if match is None:
        raise ProofError("a line below a note is not a signature")
    return match[1], decode64(match[2], "signature")


def _is_sound(encoded: bytes) -> bool:
    """Whether the y in an encoded point is below p, and not that of a point of small order."""
    y = _y_of(encoded)
    return y < _P and y not in _SMALL_ORDER


def _is_on_curve(encoded: bytes) -> bool:
    """Whether an encoded y has an x: (y² - 1) / (d·y² + 1) must be a square (Euler)."""
    y = _y_of(encoded)
    return pow((y * y - 1) * (_D * y * y + 1), (_P - 1) // 2, _P) != _P - 1


def _y_of(encoded: bytes) -> int:
    """All bits but the highest, which is the sign of x (RFC 8032 §5.1.2)."""
    return int.from_bytes(encoded, "little") & (1 << 255) - 1


def _line(key: VerifierKey, signed: bytes) -> str:
    return f"— {key.name} {base64.b64encode(key.hash + signed).decode()}"


def _cosigned(at: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()
