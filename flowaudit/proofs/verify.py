"""The checks of a trail's proofs, entry by entry, without files.

`entry_leaf` gives the leaf that an entry's stored bytes make; `check_tiles` holds the tiles
against each other and against the frontier of the head.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256

from ..errors import ProofError
from ..event import Entry
from .merkle import (
    HASH_BYTES,
    NOT_SEALED,
    SALT_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    edge_tiles,
    leaf_hash,
    node_hash,
    seal,
    split_hashes,
)

__all__ = ["check_tiles", "entry_leaf", "frontier_from_tiles", "is_sealed_only", "tile_problem"]

ReadTile = Callable[[int, int], bytes | None]


def is_sealed_only(entry: Entry) -> bool:
    """Whether the personal part of this entry was removed (only its commitment is left)."""
    return entry.personal is None and entry.salt is None and entry.sealed is not None


def entry_leaf(entry: Entry) -> bytes:
    """Leaf hash of an entry as stored.

    A row is (personal, salt, -), (-, -, sealed) or (-, -, -): anything else raises `ProofError`.
    """
    if entry.personal is not None and entry.salt is not None and entry.sealed is None:
        if len(entry.salt) != SALT_BYTES:
            raise ProofError(f"its salt has {len(entry.salt)} bytes, not {SALT_BYTES}")
        return leaf_hash(entry.core, seal(entry.salt, entry.personal))
    if entry.personal is None and entry.salt is None:
        if entry.sealed is None:
            return leaf_hash(entry.core, NOT_SEALED)
        if len(entry.sealed) != HASH_BYTES:
            raise ProofError(f"its sealed part has {len(entry.sealed)} bytes, not {HASH_BYTES}")
        if entry.sealed == NOT_SEALED:
            raise ProofError("its sealed part says that there never was a personal part")
        return leaf_hash(entry.core, entry.sealed)
    raise ProofError("its personal part, salt and sealed part do not fit together")


def check_tiles(
    size: int,
    frontier: bytes,
    read_tile: ReadTile,
    is_dropped: Callable[[int], bool] = lambda seq: False,
) -> Iterator[tuple[int, str]]:
    """Hold every tile against its parent, and the right edge against the frontier.

    Yields (first seq under the tile, what is wrong), lowest level first. A full tile's parent is
    one hash in the tile above; a partial tile has none yet and is judged by the frontier. Full
    tiles of leaves that are dropped, by their first seq, are passed over.
    """
    for level, width, last in edge_tiles(size):
        for idx in range(last + (1 if width else 0)):
            if level == 0 and idx < last and is_dropped(idx * TILE_WIDTH):
                continue
            expected = TILE_WIDTH if idx < last else width
            problem = tile_problem(level, idx, expected, read_tile)
            if problem:
                yield (idx * TILE_WIDTH) << (TILE_HEIGHT * level), problem
    try:
        rebuilt = frontier_from_tiles(size, read_tile)
        stored = split_hashes(frontier)
    except ProofError:
        yield size, "the head's frontier cannot be compared with the tiles"
        return
    if len(stored) != len(rebuilt):
        yield size, f"the head's frontier has {len(stored)} hashes, not {len(rebuilt)}"
        return
    start = 0
    for height, mine, theirs in zip(_heights(size), rebuilt, stored, strict=True):
        if mine != theirs:
            yield start, "the tiles from here on do not give the head's frontier"
            return
        start += 1 << height


def frontier_from_tiles(size: int, read_tile: ReadTile) -> list[bytes]:
    """Frontier of the tree of `size` out of the right edge of its tiles, largest first.

    Raises `ProofError` if one of them is missing or torn.
    """
    frontier: list[bytes] = []
    for level, width, idx in reversed(edge_tiles(size)):
        if not width:
            continue
        hashes = split_hashes(read_tile(level, idx) or b"")
        if len(hashes) < width:
            raise ProofError(f"tile {level}/{idx} is cut")
        start = 0
        for bit in range(TILE_HEIGHT - 1, -1, -1):
            if width >> bit & 1:
                frontier.append(_subtree(hashes[start : start + (1 << bit)]))
                start += 1 << bit
    return frontier


def tile_problem(level: int, idx: int, expected: int, read_tile: ReadTile) -> str | None:
    """What is wrong with a tile of `expected` hashes by the one above it; `None` if nothing."""
    data = read_tile(level, idx)
    if data is None:
        return f"tile {level}/{idx} is missing"
    if len(data) != expected * HASH_BYTES:
        return f"tile {level}/{idx} has {len(data)} bytes, not {expected * HASH_BYTES}"
    if expected < TILE_WIDTH:
        return None
    parent = read_tile(level + 1, idx // TILE_WIDTH) or b""
    at = (idx % TILE_WIDTH) * HASH_BYTES
    if _tile_root(data) != parent[at : at + HASH_BYTES]:
        return f"tile {level}/{idx} does not give the hash that stands for it one level up"
    return None


def _tile_root(data: bytes) -> bytes:
    """Root of a full tile; hashed in place, for this is done for every tile of a trail."""
    hashes = [
        sha256(b"\x01" + data[at : at + 2 * HASH_BYTES]).digest()
        for at in range(0, len(data), 2 * HASH_BYTES)
    ]
    while len(hashes) > 1:
        hashes = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
    return hashes[0]


def _subtree(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def _heights(size: int) -> list[int]:
    return [bit for bit in range(size.bit_length() - 1, -1, -1) if size >> bit & 1]
