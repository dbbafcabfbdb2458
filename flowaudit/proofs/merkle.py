"""The Merkle tree of RFC 9162 §2.1, grown leaf by leaf, with C2SP tlog-tiles beside it.

A leaf covers the core and a commitment to the personal part, so that the personal part can be
erased without touching a proof::

    sealed = SHA-256(0x02 ‖ salt ‖ personal)        32 zero bytes where there is no personal part
    leaf   = SHA-256(0x00 ‖ core ‖ sealed)          RFC 9162: MTH({d}) = HASH(0x00 ‖ d)
    node   = SHA-256(0x01 ‖ left ‖ right)
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from ..errors import ProofError

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "NOT_SEALED",
    "SALT_BYTES",
    "TILE_WIDTH",
    "Tile",
    "Tree",
    "edge_tiles",
    "frontier_root",
    "leaf_hash",
    "node_hash",
    "seal",
    "split_hashes",
    "tree_root",
]

HASH_BYTES: Final = 32
SALT_BYTES: Final = 16
NOT_SEALED: Final = bytes(HASH_BYTES)
"""Stands for `sealed` in the leaf of an event without personal fields."""

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
"""Hashes in a full tile (C2SP tlog-tiles: tiles of height 8, 256 wide)."""

EMPTY_ROOT: Final = sha256(b"").digest()
"""Root of the empty tree (RFC 9162 §2.1.1)."""

Tile = tuple[int, int, bytes]
"""A tile: its level, its index, and up to 256 hashes end to end."""


def seal(salt: bytes, personal: bytes) -> bytes:
    """Commitment to a personal part. Raises `ProofError` for a salt that is not 16 bytes."""
    if len(salt) != SALT_BYTES:
        raise ProofError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return sha256(b"\x02" + salt + personal).digest()


def leaf_hash(core: bytes, sealed: bytes = NOT_SEALED) -> bytes:
    """Hash of one entry. Raises `ProofError` for a `sealed` that is not 32 bytes."""
    if len(sealed) != HASH_BYTES:
        raise ProofError(f"a sealed part has {HASH_BYTES} bytes, not {len(sealed)}")
    return sha256(b"\x00" + core + sealed).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def split_hashes(data: bytes) -> list[bytes]:
    """Hashes that stand end to end in `data`. Raises `ProofError` for a torn length."""
    if len(data) % HASH_BYTES:
        raise ProofError(f"{len(data)} bytes are not a whole number of hashes")
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


def frontier_root(frontier: Sequence[bytes]) -> bytes:
    """Root of the tree whose complete subtrees have these roots, largest first."""
    if not frontier:
        return EMPTY_ROOT
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


class Tree:
    """An append-only tree: its size, its frontier, and the right edge of its tiles.

    Holds O(log n) hashes plus one partial tile a level, so its memory is flat.
    """

    __slots__ = ("_edge", "_full", "frontier", "size")

    def __init__(
        self,
        size: int = 0,
        frontier: Iterable[bytes] = (),
        edge: Iterable[Iterable[bytes]] = (),
    ) -> None:
        self.size = size
        """Leaves so far."""
        self.frontier = list(frontier)
        """Roots of the complete subtrees, largest first: one for each set bit of `size`."""
        self._edge = [list(hashes) for hashes in edge]
        self._full: list[Tile] = []
        if len(self.frontier) != size.bit_count():
            raise ProofError(
                f"a tree of {size} has {size.bit_count()} subtrees, not {len(self.frontier)}"
            )

    @classmethod
    def load(cls, size: int, frontier: bytes, read_tile: Callable[[int, int], bytes]) -> "Tree":
        """A tree as stored: `read_tile(level, idx)` gives the partial tiles of the right edge.

        Raises `ProofError` if a tile has not as many hashes as `size` says.
        """
        edge = []
        for level, width, idx in edge_tiles(size):
            hashes = split_hashes(read_tile(level, idx)) if width else []
            if len(hashes) != width:
                raise ProofError(f"tile {level}/{idx} has {len(hashes)} hashes, not {width}")
            edge.append(hashes)
        return cls(size, split_hashes(frontier), edge)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash at the right end."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes at the right end, in order.

        Works level by level: at each height the complete subtree that stands alone from before
        comes first, neighbours are hashed in pairs, and an odd one out stands alone from now on.
        """
        nodes, alone, height = list(leaves), [], 0
        size = self.size + len(nodes)
        while nodes:
            if height % TILE_HEIGHT == 0:
                self._push(height // TILE_HEIGHT, nodes)
            if self.size >> height & 1:
                nodes.insert(0, self.frontier.pop())
            if len(nodes) & 1:
                alone.append(nodes.pop())
            nodes = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(nodes[::2], nodes[1::2], strict=True)
            ]
            height += 1
        self.frontier += reversed(alone)
        self.size = size

    def _push(self, level: int, nodes: Sequence[bytes]) -> None:
        """Put the new nodes of a level into its last tile and those after it."""
        if level == len(self._edge):
            self._edge.append([])
        idx = (self.size >> TILE_HEIGHT * level) // TILE_WIDTH
        hashes = self._edge[level]
        hashes += nodes
        while len(hashes) >= TILE_WIDTH:
            self._full.append((level, idx, b"".join(hashes[:TILE_WIDTH])))
            del hashes[:TILE_WIDTH]
            idx += 1

    def root(self) -> bytes:
        """Root over all leaves so far."""
        return frontier_root(self.frontier)

    def take_tiles(self) -> list[Tile]:
        """Tiles to store since the last call: those that became full, and the right edge."""
        tiles, self._full = self._full, []
        for (level, width, idx), hashes in zip(edge_tiles(self.size), self._edge, strict=False):
            if width:
                tiles.append((level, idx, b"".join(hashes)))
        return tiles


def edge_tiles(size: int) -> list[tuple[int, int, int]]:
    """For a tree of `size`: (level, hashes in its last partial tile, index of that tile)."""
    tiles = []
    level, count = 0, size
    while count:
        tiles.append((level, count % TILE_WIDTH, count // TILE_WIDTH))
        count >>= TILE_HEIGHT
        level += 1
    return tiles
