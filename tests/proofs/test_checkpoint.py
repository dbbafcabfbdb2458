"""Checkpoints are C2SP signed notes; a malformed one is refused, never believed."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.errors import ProofError
from flowaudit.proofs.checkpoint import Checkpoint, VerifierKey, sign_checkpoint

ORIGIN = "flowaudit/abcdefgh"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey(ORIGIN, PRIVATE.public_key().public_bytes_raw())
ROOT = bytes(range(32))
NOTE = sign_checkpoint(PRIVATE, ORIGIN, 42, ROOT)


def test_a_note_has_the_lines_of_the_specification() -> None:
    lines = NOTE.split("\n")
    assert lines[:3] == [ORIGIN, "42", base64.b64encode(ROOT).decode()]
    assert lines[3] == ""
    dash, name, blob = lines[4].split(" ")
    assert (dash, name) == ("\u2014", ORIGIN)
    signature = base64.b64decode(blob)
    assert signature[:4] == KEY.hash
    assert len(signature) == 4 + 64
    PRIVATE.public_key().verify(signature[4:], "\n".join([*lines[:3], ""]).encode())


def test_a_note_is_read_back_and_its_signer_known() -> None:
    mark = Checkpoint.parse(NOTE)
    assert (mark.origin, mark.size, mark.root) == (ORIGIN, 42, ROOT)
    assert mark.signed_by((KEY,)) == (ORIGIN,)
    other = VerifierKey(ORIGIN, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert mark.signed_by((other,)) == ()


def test_a_verifier_key_has_a_text_form() -> None:
    assert VerifierKey.parse(str(KEY)) == KEY
    name, key_hash, key = str(KEY).split("+", 2)
    assert name == ORIGIN
    assert len(key_hash) == 8
    with pytest.raises(ProofError):
        VerifierKey.parse(f"{name}+00000000+{key}")


@given(st.integers(0, len(NOTE) - 1), st.characters(exclude_categories=["Cs"]))
def test_no_changed_note_is_taken_for_the_signed_one(at: int, char: str) -> None:
    changed = NOTE[:at] + char + NOTE[at + 1 :]
    if changed == NOTE:
        return
    try:
        mark = Checkpoint.parse(changed)
        names = mark.signed_by((KEY,))
    except ProofError:
        return
    assert not names or (mark.origin, mark.size, mark.root) == (ORIGIN, 42, ROOT)


@given(st.text(max_size=200))
def test_any_text_is_refused_or_read_without_a_crash(text: str) -> None:
    for read in (Checkpoint.parse, VerifierKey.parse):
        try:
            read(text)
        except ProofError:
            continue


@pytest.mark.parametrize(
    "note",
    [
        "",
        "x",
        "a\n1\n\n",
        "a\n-1\nAAAA\n\n",
        "a\n01\nAAAA\n\n",
        "a\n1\nnot base64\n\n",
        "x" * 70_000,
    ],
)
def test_malformed_notes_are_refused(note: str) -> None:
    with pytest.raises(ProofError):
        Checkpoint.parse(note)
