"""Inclusion and consistency proofs, against RFC 9162 written down as it stands there."""

import random
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.errors import ProofError
from flowaudit.proofs.merkle import Tree, leaf_hash
from flowaudit.proofs.paths import TileTree, inclusion_root, is_consistent, is_included

LEAVES = [leaf_hash(b"%d" % i) for i in range(70_000)]
EDGES = [1, 2, 3, 4, 5, 7, 8, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


class Stored:
    """The tiles of the whole tree, as a trail keeps them."""

    def __init__(self, size: int) -> None:
        tree = Tree()
        tree.extend(LEAVES[:size])
        self.tiles = {(level, idx): data for level, idx, data in tree.take_tiles()}
        self.read: list[tuple[int, int]] = []
        self.size = size

    def __call__(self, level: int, idx: int) -> bytes | None:
        self.read.append((level, idx))
        return self.tiles.get((level, idx))


@pytest.fixture(scope="module")
def stored() -> Stored:
    return Stored(70_000)


@pytest.fixture(scope="module")
def roots() -> dict[int, bytes]:
    return {size: mth(LEAVES[:size]) for size in [0, *EDGES]}


def cases(size: int) -> list[int]:
    return sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)))


@pytest.mark.parametrize("size", EDGES)
def test_every_root_comes_from_the_tiles_of_a_larger_tree(
    stored: Stored, roots: dict[int, bytes], size: int
) -> None:
    assert TileTree(stored.size, stored).root(size) == roots[size]


@pytest.mark.parametrize("size", EDGES)
def test_a_leaf_is_proved_included_and_no_other_is(
    stored: Stored, roots: dict[int, bytes], size: int
) -> None:
    tree = TileTree(stored.size, stored)
    for seq in cases(size):
        path = tree.inclusion(seq, size)
        assert is_included(LEAVES[seq], seq, size, path, roots[size])
        assert not is_included(LEAVES[seq], seq, size, path, roots[0])
        assert not is_included(leaf_hash(b"another"), seq, size, path, roots[size])
        for other in cases(size):
            if other != seq:
                assert not is_included(LEAVES[seq], other, size, path, roots[size])


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("old", [0, *EDGES])
def test_a_tree_is_proved_to_begin_with_an_older_one(
    stored: Stored, roots: dict[int, bytes], old: int, size: int
) -> None:
    tree = TileTree(stored.size, stored)
    if old > size:
        with pytest.raises(ProofError):
            tree.consistency(old, size)
        return
    proof = tree.consistency(old, size)
    assert is_consistent(old, roots[old], size, roots[size], proof)
    assert not is_consistent(old, b"\x00" * 32, size, roots[size], proof)
    assert not is_consistent(old, roots[old], size, b"\x00" * 32, proof) or old == 0
    assert not is_consistent(old, roots[old], size, roots[size], [*proof, b"\x00" * 32])


@given(st.data())
def test_no_altered_proof_proves(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 600))
    stored = Stored(size)
    tree, root = TileTree(size, stored), mth(LEAVES[:size])
    seq = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size - 1))
    path, proof = tree.inclusion(seq), tree.consistency(old)
    old_root = mth(LEAVES[:old])
    assert is_included(LEAVES[seq], seq, size, path, root)
    assert is_consistent(old, old_root, size, root, proof)
    for altered in alterations(path, data):
        assert not is_included(LEAVES[seq], seq, size, altered, root)
    for altered in alterations(proof, data):
        assert not is_consistent(old, old_root, size, root, altered)


def alterations(hashes: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    at = data.draw(st.integers(0, max(0, len(hashes) - 1)))
    bit = data.draw(st.integers(0, 255))
    altered = [
        [*hashes, bytes(32)],
        [bytes(32), *hashes],
        hashes[:at] + hashes[at + 1 :],
        hashes[::-1],
        [each[:31] for each in hashes],
    ]
    if hashes:
        flipped = bytearray(hashes[at])
        flipped[bit // 8] ^= 1 << bit % 8
        altered.append([*hashes[:at], bytes(flipped), *hashes[at + 1 :]])
    return [each for each in altered if each != hashes]


def test_a_proof_reads_a_few_tiles_whatever_the_size(stored: Stored) -> None:
    stored.read.clear()
    TileTree(stored.size, stored).inclusion(12_345)
    assert len(stored.read) <= 6  # three levels, two tiles each


@pytest.mark.parametrize(
    ("lack", "seq"),
    [((0, 3), 800), ((0, 273), 800), ((1, 0), 800), ((1, 1), 800), ((2, 0), 69_999)],
    ids=str,
)
@pytest.mark.parametrize("cut", [None, b"", bytes(31)])
def test_a_missing_or_cut_tile_is_no_proof(
    stored: Stored, lack: tuple[int, int], seq: int, cut: bytes | None
) -> None:
    def read(level: int, idx: int) -> bytes | None:
        return cut if (level, idx) == lack else stored.tiles.get((level, idx))

    tree = TileTree(stored.size, read)
    with pytest.raises(ProofError):
        tree.inclusion(seq)


@pytest.mark.parametrize(("seq", "size"), [(-1, 5), (5, 5), (0, 0), (3, 70_001), (0, -1)])
def test_what_is_not_in_the_tree_has_no_proof(stored: Stored, seq: int, size: int) -> None:
    with pytest.raises(ProofError):
        TileTree(stored.size, stored).inclusion(seq, size)


def test_a_huge_proof_is_refused_unread() -> None:
    path = [random.Random(1).randbytes(32)] * 1_000_000
    with pytest.raises(ProofError, match="not read"):
        inclusion_root(LEAVES[0], 0, 2**62, path)
    assert not is_consistent(1, LEAVES[0], 2**62, LEAVES[1], path)
