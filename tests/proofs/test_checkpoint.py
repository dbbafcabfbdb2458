"""Checkpoints are C2SP signed notes; a malformed one is refused, never believed."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.errors import ProofError
from flowaudit.proofs.checkpoint import Checkpoint, sign_checkpoint
from flowaudit.proofs.note import (
    COSIGNATURE,
    Note,
    Signature,
    VerifierKey,
    cosignature_line,
    signature_line,
)

ORIGIN = "flowaudit/abcdefgh"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey(ORIGIN, PRIVATE.public_key().public_bytes_raw())
ROOT = bytes(range(32))
NOTE = sign_checkpoint((PRIVATE,), ORIGIN, 42, ROOT)


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
    assert mark.signatures((KEY,)) == (Signature(KEY, 0),)
    other = VerifierKey(ORIGIN, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert mark.signatures((other,)) == ()


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
        names = mark.signatures((KEY,))
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


WITNESS = VerifierKey("witness.example/w", PRIVATE.public_key().public_bytes_raw(), COSIGNATURE)


def test_a_cosignature_says_when_and_signs_that_too() -> None:
    mark = Checkpoint.parse(NOTE)
    line = cosignature_line(PRIVATE, WITNESS.name, mark.note.text, 1_700_000_000)
    both = Note(mark.note.text, (*mark.note.signatures, line))
    read = Checkpoint.parse(str(both))
    assert read.signatures((KEY, WITNESS)) == (
        Signature(KEY, 0),
        Signature(WITNESS, 1_700_000_000),
    )
    blob = base64.b64decode(line.split(" ")[2])
    message = f"cosignature/v1\ntime 1700000000\n{mark.note.text}".encode()
    PRIVATE.public_key().verify(blob[12:], message)
    later = base64.b64encode(blob[:11] + bytes([blob[11] + 1]) + blob[12:]).decode()
    moved = Note(mark.note.text, (f"\u2014 {WITNESS.name} {later}",))
    assert moved.valid_signatures((WITNESS,)) == ()


def test_a_plain_signature_is_no_cosignature_nor_the_other_way_round() -> None:
    """The same private key: only the kind, which the key's hash covers, differs."""
    text = Checkpoint.parse(NOTE).note.text
    plain = VerifierKey(WITNESS.name, WITNESS.public)
    signed = Note(text, (signature_line(PRIVATE, WITNESS.name, text),))
    cosigned = Note(text, (cosignature_line(PRIVATE, WITNESS.name, text, 1),))
    assert signed.valid_signatures((WITNESS,)) == ()
    assert cosigned.valid_signatures((plain,)) == ()
    assert VerifierKey.parse(str(WITNESS)) == WITNESS


@pytest.mark.parametrize(
    "line",
    ["", "x", "- a AAAA", "\u2014 a", "\u2014 a not-base64!", "\u2014 a b c"],
    ids=["empty", "a word", "a hyphen", "no signature", "not base64", "too many"],
)
def test_a_line_below_a_note_that_is_no_signature_is_refused(line: str) -> None:
    with pytest.raises(ProofError):
        Note.parse(f"text\n\n{line}\n").valid_signatures((KEY,))


def test_a_text_may_have_empty_lines() -> None:
    text = "a\n\nb\n"
    note = Note.parse(str(Note(text, (signature_line(PRIVATE, ORIGIN, text),))))
    assert note.text == text
    assert note.valid_signatures((KEY,)) == (Signature(KEY, 0),)
