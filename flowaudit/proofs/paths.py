"""Inclusion and consistency proofs (RFC 9162 §2.1.3, §2.1.4), made from tiles alone.

A proof is a list of node hashes. Making one reads at most two tiles a level and hashes at most
two tiles' worth of nodes each, whatever the size of the tree; no entry is read.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ..errors import ProofError
from .merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    node_hash,
    split_hashes,
)

__all__ = [
    "MAX_PROOF_HASHES",
    "TileTree",
    "inclusion_root",
    "is_consistent",
    "is_included",
]

TILES_KEPT: Final = 256
"""Tiles remembered, some 4 MB; then all are forgotten."""

ReadTile = Callable[[int, int], bytes | None]

MAX_PROOF_HASHES: Final = 128
"""A longer proof belongs to no tree that can exist, and is refused unread."""


class TileTree:
    """The tree behind a trail's tiles, for reading.

    Args:
        size: leaves of the whole tree as stored.
        read_tile: gives the stored hashes of a tile by (level, index); `None` if it is missing.
    """

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        self.size = size
        self._read_tile = read_tile
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def root(self, size: int | None = None) -> bytes:
        """Root of the first `size` leaves. Raises `ProofError` if a tile is missing or cut."""
        end = self._checked(self.size if size is None else size)
        return self._range(0, end) if end else EMPTY_ROOT

    def leaf(self, seq: int) -> bytes:
        """A leaf's hash as its tile holds it. Raises `ProofError` if there is none."""
        return self._subtree(0, seq)

    def inclusion(self, seq: int, size: int | None = None) -> list[bytes]:
        """The audit path of a leaf in the tree of `size`, nearest first (RFC 9162 §2.1.3.1).

        Raises `ProofError` if there is no such leaf, or if a tile is missing or cut.
        """
        end = self._checked(self.size if size is None else size)
        if not 0 <= seq < end:
            raise ProofError(f"a tree of {end} has no leaf {seq}")
        path: list[bytes] = []
        start = 0
        while end - start > 1:
            middle = start + _split(end - start)
            if seq < middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """Proof that the tree of `size` begins with the tree of `old` (RFC 9162 §2.1.4.1).

        Empty if `old` is 0 or `size`, where there is nothing to prove. Raises `ProofError` if
        `old` is larger, or if a tile is missing or cut.
        """
        end = self._checked(self.size if size is None else size)
        if not 0 <= old <= end:
            raise ProofError(f"a tree of {end} does not begin with one of {old}")
        if old in (0, end):
            return []
        proof: list[bytes] = []
        start, is_whole = 0, True
        while old != end:
            middle = start + _split(end - start)
            if old <= middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start, is_whole = middle, False
        if not is_whole:
            proof.append(self._range(start, end))
        return proof[::-1]

    def _checked(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ProofError(f"the tiles give trees up to {self.size}, not {size}")
        return size

    def _range(self, start: int, end: int) -> bytes:
        """MTH of the leaves from `start` to before `end`; `start` is where a split put it."""
        width = end - start
        if width & (width - 1) == 0:
            height = width.bit_length() - 1
            return self._subtree(height, start >> height)
        middle = start + _split(width)
        return node_hash(self._range(start, middle), self._range(middle, end))

    def _subtree(self, height: int, idx: int) -> bytes:
        """Root of a complete subtree: the one numbered `idx` of those that high."""
        level, above = divmod(height, TILE_HEIGHT)
        first = idx << above
        hashes = self._tile(level, first // TILE_WIDTH)[first % TILE_WIDTH :][: 1 << above]
        if len(hashes) != 1 << above:
            raise ProofError(f"tile {level}/{first // TILE_WIDTH} is cut")
        while len(hashes) > 1:
            hashes = [
                node_hash(left, right)
                for left, right in zip(hashes[::2], hashes[1::2], strict=True)
            ]
        return hashes[0]

    def _tile(self, level: int, idx: int) -> list[bytes]:
        known = self._tiles.get((level, idx))
        if known is None:
            if len(self._tiles) >= TILES_KEPT:
                self._tiles.clear()
            data = self._read_tile(level, idx)
            if data is None:
                raise ProofError(f"tile {level}/{idx} is missing")
            known = self._tiles[level, idx] = split_hashes(data)
        return known


def inclusion_root(leaf: bytes, seq: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an audit path leads to (RFC 9162 §2.1.3.2).

    Raises `ProofError` if the path has not the length that `seq` and `size` ask for.
    """
    if not 0 <= seq < size:
        raise ProofError(f"a tree of {size} has no leaf {seq}")
    _check_hashes(path)
    node, last, root = seq, size - 1, leaf
    for each in path:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if node & 1 or node == last:
            root = node_hash(each, root)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            root = node_hash(root, each)
        node >>= 1
        last >>= 1
    if last:
        raise ProofError("the inclusion proof is too short")
    return root


def is_included(leaf: bytes, seq: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether an audit path proves that a leaf is number `seq` of the tree with this root."""
    try:
        return inclusion_root(leaf, seq, size, path) == root
    except ProofError:
        return False


def is_consistent(
    old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether a proof shows that a tree begins with another one (RFC 9162 §2.1.4.2)."""
    try:
        _check_hashes(proof)
    except ProofError:
        return False
    if old < 0 or old > size:
        return False
    if old in (0, size):
        begins_alike = old_root == (EMPTY_ROOT if old == 0 else root)
        return begins_alike and not proof
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)  # the older tree is a complete subtree: its root is no news
    if not path:
        return False
    node, last = old - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    older = newer = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            older, newer = node_hash(each, older), node_hash(each, newer)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            newer = node_hash(newer, each)
        node >>= 1
        last >>= 1
    return last == 0 and older == old_root and newer == root


def _split(width: int) -> int:
    """The largest power of two below `width`, where RFC 9162 §2.1.1 splits."""
    return 1 << ((width - 1).bit_length() - 1)


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if len(hashes) > MAX_PROOF_HASHES:
        raise ProofError(f"a proof of {len(hashes)} hashes is not read")
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ProofError(f"a proof's hashes have {HASH_BYTES} bytes each")
