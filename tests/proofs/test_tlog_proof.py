"""Proofs as files: what is written is read back, and nothing else is believed."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.errors import ProofError
from flowaudit.proofs.checkpoint import Checkpoint, sign_checkpoint
from flowaudit.proofs.merkle import Tree, leaf_hash
from flowaudit.proofs.paths import TileTree
from flowaudit.proofs.tlog_proof import InclusionProof

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LEAVES = [leaf_hash(str(number).encode()) for number in range(700)]


def proof(size: int, index: int) -> InclusionProof:
    tree = Tree()
    tree.extend(LEAVES[:size])
    tiles = {(level, idx): hashes for level, idx, hashes in tree.take_tiles()}
    mark = sign_checkpoint((PRIVATE,), "flowaudit/abc", size, tree.root())
    path = TileTree(size, lambda level, idx: tiles.get((level, idx))).inclusion(index)
    return InclusionProof(index, tuple(path), Checkpoint.parse(mark))


@pytest.mark.parametrize(("size", "index"), [(1, 0), (2, 1), (256, 255), (257, 256), (700, 300)])
def test_a_proof_is_read_back_and_proves_its_leaf_alone(size: int, index: int) -> None:
    made = proof(size, index)
    read = InclusionProof.parse(str(made))
    assert read == made
    assert [leaf for leaf in LEAVES[:size] if read.proves(leaf)] == [LEAVES[index]]


def test_a_proof_has_the_lines_of_the_specification() -> None:
    made = proof(3, 2)
    lines = str(made).split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 2"]
    assert base64.b64decode(lines[2]) == made.path[0]
    assert lines[3] == ""
    assert lines[4:7] == made.checkpoint.note.text[:-1].split("\n")
    with_extra = str(made).replace("\nindex", "\nextra Zm9v\nindex")
    assert InclusionProof.parse(with_extra) == made


@given(st.integers(0, 400), st.sampled_from("0aZ=\n /+"))
def test_no_changed_proof_proves_the_leaf_of_another_place(at: int, char: str) -> None:
    text = str(proof(700, 300))
    changed = text[:at] + char + text[at + 1 :]
    try:
        read = InclusionProof.parse(changed)
    except ProofError:
        return
    proven = [place for place, leaf in enumerate(LEAVES) if read.proves(leaf)]
    assert proven in ([], [300])
    assert not proven or read.index == 300


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "c2sp.org/tlog-proof@v1\n\n",
        "c2sp.org/tlog-proof@v2\nindex 0\n\n",
        "c2sp.org/tlog-proof@v1\nindex -1\n\n",
        "c2sp.org/tlog-proof@v1\nindex 00\n\n",
        "c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n\nno note",
        "c2sp.org/tlog-proof@v1\n" + "A" * 100_000,
    ],
)
def test_a_malformed_proof_is_refused(text: str) -> None:
    with pytest.raises(ProofError):
        InclusionProof.parse(text)
