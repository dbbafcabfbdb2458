"""A statement over a trail as it stands: verified, counted up to a signed head, and signed."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

from ..proofs.checkpoint import Checkpoint
from ..spool.dead import spool_states
from ..trail.keys import read_key
from ..trail.opening import open_reader, open_trail
from ..trail.paths import TrailPaths
from ..trail.store import ReadableTrail
from ..verification.found import Verification
from ..verification.trail import verify_trail
from ..witnesses.publishing import Kept
from .signed import sign_statement
from .statement import Span, make_statement

__all__ = ["Beside", "alone", "make_signed", "sign_head"]

LOCK_TIMEOUT_S = 30.0
"""Seconds to wait for the trail's lock."""


Beside = Callable[[ReadableTrail], ReadableTrail]
"""Gives a reader that has more of a trail at hand."""


def alone(reader: ReadableTrail) -> ReadableTrail:
    """A trail without its archives."""
    return reader


def sign_head(paths: TrailPaths) -> None:
    """Have the head signed as it is now. Raises `TrailError` where it cannot be."""
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        trail.checkpoint()


def make_signed(
    paths: TrailPaths,
    span: Span,
    *,
    made: int,
    served: dict[str, Any] | None = None,
    found: Verification | None = None,
    beside: Beside = alone,
    witnessed: Sequence[Kept] = (),
) -> tuple[dict[str, Any], str]:
    """What a statement says, and its signed note.

    Args:
        paths: the trail; its private key must be readable.
        span: which time is meant.
        made: now, in µs since 1970 UTC.
        served: how many requests the web server has, and who says so.
        found: a verification made just now, if there is one.
        beside: gives a reader that has more of the trail at hand: what stands in archives.
        witnessed: what others have kept of it, for verification.

    Raises `TrailError` if the trail or its key cannot be used.
    """
    if found is None:
        sign_head(paths)
        found = verify_trail(paths, witnessed=witnessed, beside=beside)
    mark = Checkpoint.parse(found.checkpoint) if found.checkpoint else None
    with beside(open_reader(paths)) as reader:
        size = mark.size if mark else min(found.size, reader.size)
        statement = make_statement(
            reader, span, made=made, spools=spool_states(paths.spool), size=size
        )
        origin = reader.origin
    said: dict[str, Any] = {
        **statement.as_json(),
        "root": base64.b64encode(mark.root).decode() if mark else found.root,
        "checkpoint": found.checkpoint,
        "verified": found.ok,
        "problems": len(found.problems),
    }
    if served:
        accounted = statement.finished + statement.lost + statement.left_out
        said["served"] = {**served, "difference": served["requests"] - accounted}
    return said, sign_statement(read_key(paths.key), origin, said)
