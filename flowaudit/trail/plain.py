"""Whole tiles of entries with nothing wrong and little to say: nearly all of a trail, in one go.

Verification looks at each entry with care (`verification/rows.py`). Here 256 of them are looked at
together, in a third of the time; what is not plainly as it must be is left to that.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import msgspec

from ..event import Entry
from ..proofs.merkle import HASH_BYTES, NOT_SEALED, SALT_BYTES, TILE_WIDTH

__all__ = ["Plain", "StoredRow", "plain_tile"]

StoredRow = tuple[object, object, object, object, object]
"""An entry as a store gives it: seq, core, personal, salt, sealed; of any type if damaged."""


class _Glance(msgspec.Struct, gc=False):
    """What is looked at in every core."""

    source: str | None = None
    n: int | None = None
    kind: str | None = None


class _Action(msgspec.Struct, gc=False):
    action: str | None = None


_GLANCE: Final = msgspec.json.Decoder(_Glance)
_ACTION: Final = msgspec.json.Decoder(_Action)
_TELLING: Final = frozenset({"gap", "ops"})


@dataclass(slots=True)
class Plain:
    """What the entries under a tile say."""

    runs: dict[str, list[int]] = field(default_factory=dict)
    """Of each source the first and last number, without a hole between, and where the last stands.
    """
    sealed: list[tuple[int, bytes]] = field(default_factory=list)
    """Entries without their personal part: `seq` and core."""
    leaves: list[bytes] = field(default_factory=list)
    """Their leaf hashes, if they were asked for."""
    telling: list[Entry] = field(default_factory=list)
    """Entries that speak of others: gaps, erasures."""


def plain_tile(rows: Iterable[StoredRow], tile: bytes | None, first: int) -> Plain | None:
    """What the rows under a full tile say, the first of them at `first`; `None` if they are not
    plainly those whose hashes the tile holds, in order and numbered in order, or tell of keys.
    Without a tile their leaves are given back, for the caller to judge.
    """
    found, expected = Plain(), first
    leaves: list[bytes] = []
    decode, add, runs, telling = _GLANCE.decode, leaves.append, found.runs, _TELLING
    source, run = "", [0, 0, 0]
    try:
        for seq, core, personal, salt, sealed in rows:
            if seq != expected or type(core) is not bytes:
                return None
            expected += 1
            if type(personal) is bytes:
                if type(salt) is not bytes or len(salt) != SALT_BYTES or sealed is not None:
                    return None
                sealing = sha256(b"\x02" + salt + personal).digest()
            elif personal is not None or salt is not None:
                return None
            elif sealed is None:
                sealing = NOT_SEALED
            else:
                if type(sealed) is not bytes or len(sealed) != HASH_BYTES or sealed == NOT_SEALED:
                    return None
                sealing = sealed
                found.sealed.append((seq, core))
            add(sha256(b"\x00" + core + sealing).digest())
            seen = decode(core)
            if seen.source != source:
                if seen.source is None or seen.n is None:
                    return None
                source = seen.source
                run = runs.setdefault(source, [seen.n, seen.n - 1, seq])
            if seen.n != run[1] + 1:
                return None
            run[1], run[2] = seen.n, seq
            if seen.kind in telling:
                if _ACTION.decode(core).action == "key":
                    return None
                found.telling.append(Entry(seq=seq, core=core))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if expected != first + TILE_WIDTH or (tile is not None and b"".join(leaves) != tile):
        return None
    if tile is None:
        found.leaves = leaves
    return found
