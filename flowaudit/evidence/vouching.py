"""Whether a statement is signed: by the key that is trusted, or by one that the trail leads to.

A statement has no events, so nothing in it tells of keys. With the trail at hand its chain of keys
is followed as for checkpoints, both ways, and each key counts as far as it may sign.
"""

import base64
from dataclasses import dataclass

from ..errors import ProofError
from ..proofs.note import VerifierKey
from ..proofs.paths import TileTree
from ..trail.keychain import short_name
from ..trail.opening import open_reader
from ..trail.paths import TrailPaths
from ..trail.ranges import ends_away
from ..trail.store import ReadableTrail
from ..verification.found import Verification
from ..verification.trail import verify_trail
from ..verification.witnesses import why_away
from .making import Beside, alone
from .signed import SignedStatement

__all__ = ["Vouched", "vouch_alone", "vouch_by_trail"]


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who has signed a statement, or why that counts for nothing."""

    key: VerifierKey | None
    """The key whose signature counts; `None` if there is none."""
    problem: str | None = None
    """Why there is none, and how to go on."""


def vouch_alone(statement: SignedStatement, key: VerifierKey | None) -> Vouched:
    """By one key and nothing else."""
    if key is None:
        return Vouched(None, "it was not checked: give the trail's public key with --key FILE")
    if statement.signatures((key,)):
        return Vouched(key)
    what = f"it is NOT signed by {short_name(key)}, or was changed"
    others = [claim for claim in statement.note.claims if claim != short_name(key)]
    if others:
        what += (
            f"; it claims to be by {others[0]}: if one of the two keys took over from the other,"
            " --trail TRAIL beside --key FILE follows the trail's keys"
        )
    return Vouched(None, what)


def vouch_by_trail(
    statement: SignedStatement,
    paths: TrailPaths,
    key: VerifierKey | None,
    beside: Beside = alone,
) -> Vouched:
    """By the keys of a trail, as far as each may sign, and by the history that it has.

    Args:
        statement: as it was read.
        paths: the trail; all of it is verified.
        key: the key that is trusted; `TRAIL.pub` if not given.
        beside: gives a reader that has more of the trail at hand: what stands in archives.

    Raises `TrailError` if the trail cannot be read.
    """
    found = verify_trail(paths, key=key, beside=beside)
    if not found.ok:
        first = found.problems[0].what if found.problems else "no key is trusted"
        return Vouched(
            None, f"the trail does not hold, and its keys lead nowhere ({first}): flowaudit verify"
        )
    with beside(open_reader(paths)) as reader:
        other = _another_history(statement, reader)
    return Vouched(None, other) if other else _signer(statement, found)


def _signer(statement: SignedStatement, found: Verification) -> Vouched:
    size = statement.said["size"]
    over = None
    for span in found.keys:
        key = VerifierKey.parse(span.key)
        if statement.signatures((key,)):
            if span.has(size):
                return Vouched(key)
            over = key
    if over is None:
        return Vouched(None, "it is NOT signed by a key of the trail, or was changed")
    return Vouched(
        None,
        f"it does not count: {short_name(over)} signed it, whose turn at {size:,} entries was over"
        " or had not come",
    )


def _another_history(statement: SignedStatement, reader: ReadableTrail) -> str | None:
    """What does not fit between a statement's head and the trail; `None` if nothing."""
    said = statement.said
    size, root = said.get("size"), said.get("root")
    if said.get("trail") != reader.origin:
        return "it is of another trail than the one at hand"
    if type(size) is not int or size < 0:
        return "it does not say over how many entries it speaks"
    if size > reader.size:
        return f"it speaks of {size:,} entries, and the trail at hand has {reader.size:,}"
    if ends_away(reader.away, size):
        return f"it {why_away(reader, size)}; without --trail its signature alone is judged"
    try:
        agrees = base64.b64encode(TileTree(reader.size, reader.tile).root(size)).decode() == root
    except ProofError as error:
        return f"it cannot be held against the trail: {error}"
    return None if agrees else "it is of another history than the trail at hand"
