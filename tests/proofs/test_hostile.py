"""Notes, keys and proofs from anywhere: a clear refusal, never a crash, never a yes."""

import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from flowaudit.errors import ProofError
from flowaudit.proofs.checkpoint import Checkpoint, sign_checkpoint
from flowaudit.proofs.merkle import HASH_BYTES, Tree, leaf_hash
from flowaudit.proofs.note import VerifierKey
from flowaudit.proofs.paths import TileTree, is_consistent, is_included

PRIVATE = Ed25519PrivateKey.generate()
ORIGIN = "flowaudit/abc"
KEY = VerifierKey(ORIGIN, PRIVATE.public_key().public_bytes_raw())
NOTE = sign_checkpoint((PRIVATE,), ORIGIN, 42, b"r" * HASH_BYTES)
SIZE = 700


def test_the_note_itself_is_a_yes() -> None:
    assert [signature.key for signature in Checkpoint.parse(NOTE).signatures((KEY,))] == [KEY]


def is_yes(note: str) -> bool:
    try:
        mark = Checkpoint.parse(note)
        return bool(mark.signatures((KEY,))) and (mark.origin, mark.size) == (ORIGIN, 42)
    except ProofError:
        return False


@settings(max_examples=500)
@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_text_is_no_signed_note(text: str) -> None:
    assert not is_yes(text)
    assert not is_yes(f"{ORIGIN}\n42\n{text}\n\n{text}\n")
    assert not is_yes(NOTE.partition("\n\n")[0] + "\n\n" + text + "\n")


@settings(max_examples=500)
@given(st.integers(0, len(NOTE) - 1), st.characters(), st.sampled_from(["put", "insert", "drop"]))
def test_no_changed_note_is_a_yes(at: int, char: str, how: str) -> None:
    changed = {
        "put": NOTE[:at] + char + NOTE[at + 1 :],
        "insert": NOTE[:at] + char + NOTE[at:],
        "drop": NOTE[:at] + NOTE[at + 1 :],
    }[how]
    assert changed == NOTE or not is_yes(changed)


@settings(max_examples=300)
@given(st.text() | st.integers(0, len(str(KEY)) - 1))
def test_any_text_is_no_key_of_this_name(text: str | int) -> None:
    if isinstance(text, int):
        text = str(KEY)[:text] + "x" + str(KEY)[text + 1 :]
    try:
        assert VerifierKey.parse(text).public != KEY.public or text.strip() == str(KEY)
    except ProofError:
        return


@pytest.fixture(scope="module")
def tree() -> tuple[TileTree, list[bytes]]:
    leaves = [leaf_hash(str(i).encode()) for i in range(SIZE)]
    grown, tiles = Tree(), {}
    grown.extend(leaves)
    for level, idx, hashes in grown.take_tiles():
        tiles[level, idx] = hashes
    return TileTree(SIZE, lambda level, idx: tiles.get((level, idx))), leaves


def test_no_changed_inclusion_proof_is_a_yes(tree: tuple[TileTree, list[bytes]]) -> None:
    tiles, leaves = tree
    rng, root = random.Random(5), tiles.root()
    for _ in range(3_000):
        seq = rng.randrange(SIZE)
        path, size, at = tiles.inclusion(seq), SIZE, seq
        assert is_included(leaves[seq], seq, SIZE, path, root)
        match rng.randrange(6):
            case 0:
                which = rng.randrange(len(path))
                path[which] = rng.randbytes(HASH_BYTES)
            case 1:
                del path[rng.randrange(len(path))]
            case 2:
                path.insert(rng.randrange(len(path) + 1), rng.randbytes(HASH_BYTES))
            case 3:
                one = rng.randrange(len(path) - 1)
                path[one], path[one + 1] = path[one + 1], path[one]
            case 4:
                at = rng.choice([other for other in (seq - 1, seq + 1, -1, 2**70) if other != seq])
            case _:
                path = [each[: rng.randrange(HASH_BYTES)] for each in path]
        assert not is_included(leaves[seq], at, size, path, root)


@settings(max_examples=300)
@given(
    one=st.integers(-5, 2**80),
    two=st.integers(-5, 2**80),
    proof=st.lists(st.binary(max_size=40), max_size=200),
    root=st.binary(min_size=32, max_size=32),
)
def test_any_bytes_prove_nothing(
    one: int, two: int, proof: list[bytes], root: bytes, tree: tuple[TileTree, list[bytes]]
) -> None:
    tiles, leaves = tree
    assert not is_included(leaves[3], one, two, proof, tiles.root()) or two == 1
    if one not in (0, two):
        assert not is_consistent(one, root, two, tiles.root(), proof)


@pytest.mark.parametrize("size", [2**62, 2**300, SIZE + 1, -1])
def test_absurd_sizes_are_refused_at_once(size: int, tree: tuple[TileTree, list[bytes]]) -> None:
    tiles, _ = tree
    for ask in (tiles.root, lambda n: tiles.inclusion(0, n), lambda n: tiles.consistency(1, n)):
        with pytest.raises(ProofError):
            ask(size)
    empty = TileTree(2**62, lambda level, idx: None)
    for ask in (empty.root, lambda n: empty.inclusion(5), lambda n: empty.consistency(5)):
        with pytest.raises(ProofError):
            ask(2**62)
