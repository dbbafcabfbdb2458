"""The tree is that of RFC 9162, at every size, and its tiles those of C2SP."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowaudit.errors import ProofError
from flowaudit.event import Entry
from flowaudit.proofs.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_WIDTH,
    Tree,
    edge_tiles,
    frontier_root,
    leaf_hash,
    seal,
    tree_root,
)
from flowaudit.proofs.verify import check_tiles, entry_leaf, frontier_from_tiles


def mth(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162 §2.1.1, to the letter, over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def make_leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(str(i).encode()).digest() for i in range(count)]


def grown(count: int, steps: Sequence[int] = ()) -> tuple[Tree, dict[tuple[int, int], bytes]]:
    tree, tiles = Tree(), {}
    leaves = make_leaves(count)
    at = 0
    for step in [*steps, count]:
        tree.extend(leaves[at : at + step])
        at = min(count, at + step)
        tiles.update({(level, idx): data for level, idx, data in tree.take_tiles()})
    return tree, tiles


@given(st.integers(0, 700))
@settings(max_examples=60)
def test_root_is_that_of_the_rfc(count: int) -> None:
    assert tree_root(make_leaves(count)) == mth(make_leaves(count))


def test_the_empty_tree() -> None:
    assert Tree().root() == EMPTY_ROOT == mth([])


@given(st.integers(0, 1_500), st.lists(st.integers(0, 400), max_size=6))
@settings(max_examples=40, deadline=None)
def test_tiles_and_frontier_agree_however_the_tree_grew(count: int, steps: list[int]) -> None:
    tree, tiles = grown(count, steps)
    assert tree.size == count
    assert tree.root() == mth(make_leaves(count))
    read = lambda level, idx: tiles.get((level, idx))  # noqa: E731
    assert frontier_from_tiles(count, read) == tree.frontier
    assert list(check_tiles(count, b"".join(tree.frontier), read)) == []
    again = Tree.load(count, b"".join(tree.frontier), lambda level, idx: tiles[level, idx])
    extra = [hashlib.sha256(b"more%d" % i).digest() for i in range(300)]
    again.extend(extra)
    assert again.root() == mth([*make_leaves(count), *extra])


def test_three_levels_of_tiles() -> None:
    count = TILE_WIDTH * TILE_WIDTH + TILE_WIDTH + 3
    tree, tiles = grown(count, [5_000] * 12)
    assert {level for level, _ in tiles} == {0, 1, 2}
    assert len(tiles[2, 0]) == HASH_BYTES
    assert [t[1] for t in edge_tiles(count)] == [3, 1, 1]
    assert tree.root() == mth(make_leaves(count))


@given(st.integers(2, 1_200), st.data())
@settings(max_examples=60, deadline=None)
def test_any_changed_tile_is_found(count: int, data: st.DataObject) -> None:
    tree, tiles = grown(count)
    place = data.draw(st.sampled_from(sorted(tiles)))
    at = data.draw(st.integers(0, len(tiles[place]) - 1))
    changed = bytearray(tiles[place])
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    tiles[place] = bytes(changed)
    problems = list(check_tiles(count, b"".join(tree.frontier), lambda lv, i: tiles.get((lv, i))))
    assert problems
    assert min(seq for seq, _ in problems) <= count


def test_a_missing_or_torn_tile_is_named() -> None:
    tree, tiles = grown(600)
    del tiles[0, 1]
    problems = list(check_tiles(600, b"".join(tree.frontier), lambda lv, i: tiles.get((lv, i))))
    assert (256, "tile 0/1 is missing") in problems
    tiles[0, 1] = b"x" * 5
    problems = list(check_tiles(600, b"".join(tree.frontier), lambda lv, i: tiles.get((lv, i))))
    assert problems[0][0] == 256


def test_a_tree_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ProofError):
        Tree(3, [b"x" * 32])
    with pytest.raises(ProofError):
        Tree.load(3, b"x" * 64, lambda level, idx: b"")


def test_the_leaf_is_the_one_of_the_format() -> None:
    salt, core, personal = b"s" * 16, b'{"v":1}', b'{"path":"/x"}'
    sealed = hashlib.sha256(b"\x02" + salt + personal).digest()
    assert seal(salt, personal) == sealed
    assert leaf_hash(core, sealed) == hashlib.sha256(b"\x00" + core + sealed).digest()
    assert leaf_hash(core) == hashlib.sha256(b"\x00" + core + bytes(32)).digest()
    whole = Entry(seq=0, core=core, personal=personal, salt=salt)
    erased = Entry(seq=0, core=core, sealed=sealed)
    assert entry_leaf(whole) == entry_leaf(erased) != entry_leaf(Entry(seq=0, core=core))


@pytest.mark.parametrize(
    ("personal", "salt", "sealed"),
    [
        (b"{}", None, None),
        (None, b"s" * 16, None),
        (b"{}", b"s" * 15, None),
        (b"{}", b"s" * 16, b"x" * 32),
        (None, None, b"x" * 31),
        (None, b"s" * 16, b"x" * 32),
    ],
)
def test_rows_of_another_shape_are_refused(
    personal: bytes | None, salt: bytes | None, sealed: bytes | None
) -> None:
    with pytest.raises(ProofError):
        entry_leaf(Entry(seq=0, core=b"{}", personal=personal, salt=salt, sealed=sealed))


def test_frontier_root_of_one_subtree() -> None:
    assert frontier_root([b"a" * 32]) == b"a" * 32
