"""Odd Ed25519 keys and signatures, most of them valid by the equation alone: two verifiers, one
answer, and a no wherever RFC 8032 leaves room for more than one.
"""

import base64
import hashlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from flowaudit.errors import ProofError
from flowaudit.proofs.note import ED25519, VerifierKey, decode64

TEXT = "odd\n"
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
SECRET, NONCE = 2**251 + 8 * 12345, 2**250 + 777
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
Made = tuple[bytes, bytes]
"""A key and a signature over `TEXT`."""


def packed(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


class Maker:
    """Makes keys and signatures with the curve's arithmetic, as a hostile signer does."""

    def __init__(self, alone: ModuleType) -> None:
        self.curve = alone
        self.torsion = alone.point_of(ORDER_8)

    def encoded(self, point: Any) -> bytes:
        inverse = pow(point[2], -1, P)
        x, y = point[0] * inverse % P, point[1] * inverse % P
        return packed(y, x & 1)

    def times(self, number: int, torsion: int = 0) -> bytes:
        """A multiple of the base point, with some of what has small order added."""
        point = self.curve.times(number, self.curve.BASE)
        return self.encoded(self.curve.add(point, self.curve.times(torsion, self.torsion)))

    def sign(self, public: bytes, secret: int, nonce: int, r: bytes | None = None) -> bytes:
        r = self.times(nonce) if r is None else r
        digest = hashlib.sha512(r + public + TEXT.encode()).digest()
        s = (nonce + int.from_bytes(digest, "little") * secret) % L
        return r + s.to_bytes(32, "little")

    def grind(self, public: bytes, secret: int, torsion: int = 0) -> bytes:
        """A signature whose challenge makes the small part of a key go away."""
        for nonce in range(1, 1_000):
            signature = self.sign(public, secret, nonce, self.times(nonce, torsion))
            digest = hashlib.sha512(signature[:32] + public + TEXT.encode()).digest()
            if int.from_bytes(digest, "little") % L % 8 == 0:
                return signature
        raise AssertionError("no such nonce")


def honest(make: Maker) -> Made:
    public = make.times(SECRET)
    return public, make.sign(public, SECRET, NONCE)


def too_large(make: Maker) -> Made:
    public, signature = honest(make)
    s = int.from_bytes(signature[32:], "little") + L
    return public, signature[:32] + s.to_bytes(32, "little")


def weak_key(public: bytes) -> Callable[[Maker], Made]:
    return lambda make: (public, make.grind(public, 0))


def weak_nonce(r: bytes) -> Callable[[Maker], Made]:
    def made(make: Maker) -> Made:
        public = make.times(SECRET)
        return public, make.sign(public, SECRET, 0, r)

    return made


def mixed_key(make: Maker) -> Made:
    public = make.times(SECRET, torsion=1)
    return public, make.grind(public, SECRET)


def mixed_nonce(make: Maker) -> Made:
    public = make.times(SECRET)
    return public, make.sign(public, SECRET, NONCE, make.times(NONCE, torsion=1))


CASES: dict[str, tuple[Callable[[Maker], Made], bool]] = {
    "as it should be": (honest, True),
    "S is not below L": (too_large, False),
    "a key that is zero": (weak_key(packed(1)), False),
    "zero, with y not below p": (weak_key(packed(P + 1)), False),
    "zero, with a sign": (weak_key(packed(1, 1)), False),
    "zero, with both": (weak_key(packed(P + 1, 1)), False),
    "a key of order 2": (weak_key(packed(P - 1)), False),
    "order 2, with a sign": (weak_key(packed(P - 1, 1)), False),
    "a key of order 4": (weak_key(packed(0)), False),
    "the other of order 4": (weak_key(packed(0, 1)), False),
    "order 4, with y not below p": (weak_key(packed(P)), False),
    "a key of order 8": (weak_key(ORDER_8), False),
    "the second of order 8": (weak_key(bytes([*ORDER_8[:31], ORDER_8[31] | 128])), False),
    "the third of order 8": (
        weak_key(packed(P - int.from_bytes(ORDER_8, "little"))), False,
    ),
    "R is zero": (weak_nonce(packed(1)), False),
    "R is zero, with y not below p": (weak_nonce(packed(P + 1)), False),
    "R is zero, with a sign": (weak_nonce(packed(1, 1)), False),
    # by the equation without cofactor, which RFC 8032 allows and both of ours use
    "a key with a small part": (mixed_key, True),
    "R with a small part": (mixed_nonce, False),
    "a key that is no point": (lambda make: (packed(2), make.sign(packed(2), 0, 1)), False),
    "a signature too short": (lambda make: (honest(make)[0], honest(make)[1][:63]), False),
    "a signature too long": (lambda make: (honest(make)[0], honest(make)[1] + b"\0"), False),
}  # fmt: skip


@pytest.mark.parametrize(("made", "holds"), CASES.values(), ids=CASES.keys())
def test_both_verifiers_accept_and_refuse_the_same(
    alone: ModuleType, made: Callable[[Maker], Made], holds: bool
) -> None:
    public, signature = made(Maker(alone))
    key = VerifierKey("a", public)
    assert (key.signed_at(TEXT, key.hash + signature) is not None) == holds
    assert alone.signed(public, TEXT.encode(), signature) == holds


KEYS = {
    "whole": (bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), 1),
    "zero": (packed(1), 0),
    "order 8": (ORDER_8, 0),
    "y not below p": (packed(P + 3), 0),
    "no point": (packed(2), 0),
}


@pytest.mark.parametrize(("public", "is_one"), KEYS.values(), ids=KEYS.keys())
def test_what_is_no_sound_point_is_no_key_for_either(
    alone: ModuleType, public: bytes, is_one: bool
) -> None:
    text = str(VerifierKey("a", public, ED25519))
    if is_one:
        assert alone.Key(text).public == VerifierKey.parse(text).public == public
        return
    with pytest.raises(ProofError):
        VerifierKey.parse(text)
    with pytest.raises(alone.Bad):
        alone.Key(text)


@pytest.mark.parametrize(
    "text", ["A", "AA", "AAA", "AA=", "AAB=", "AB==", "====", "A===", "AAAA====", "AA A=", "AA\n=="]
)
def test_base64_has_one_form_for_both(alone: ModuleType, text: str) -> None:
    key = VerifierKey.parse(f"{VerifierKey('a', KEYS['whole'][0])}")
    blob = base64.b64encode(key.hash).decode()
    assert alone.bytes_of(blob) == key.hash
    with pytest.raises(alone.Bad):
        alone.bytes_of(text)
    with pytest.raises(ProofError):
        decode64(text, "text")
