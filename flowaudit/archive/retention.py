"""Giving up archived ranges for good, once they are old enough and nobody holds them.

The hashes above a range stay in the trail, so what remains still verifies, and an `ops`/`prune`
event says which ranges are gone, with a digest of what the trail has kept of each.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Final

from ..event import SCHEMA_VERSION, Core, Value, encode_core, new_source
from ..trail.forgetting import names_any
from ..trail.ranges import Range
from ..trail.store import WritableTrail
from .places import ArchivePlace
from .reading import open_range
from .table import give_up
from .upkeep import is_at, remove_drafts, rows_of, upkeep

__all__ = ["Pruned", "prune_trail"]

RANGES_AT_ONCE: Final = 250
"""Ranges in one event, so that its core stays below 32 KiB."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was pruned, and what was not."""

    gone: list[Range]
    held: dict[Range, list[str]]
    """Ranges that were old enough, and the tokens under legal hold that occur in each."""
    elsewhere: list[Range]
    """Ranges that were old enough, and whose file is at none of the places."""
    unreached: list[Range]
    """Ranges that are gone from the trail's books, and whose file could not be removed yet."""


def prune_trail(
    trail: WritableTrail,
    places: Sequence[ArchivePlace],
    before: int,
    held: Collection[str],
    *,
    actor: str | None = None,
    why: str | None = None,
) -> Pruned:
    """Give up archived ranges that were committed before a time, but for those of held persons.

    Args:
        trail: the trail.
        places: where its archives are.
        before: µs since 1970 UTC.
        held: tokens of persons under a legal hold.
        actor: token of who does it.
        why: a reason that stays in the trail.

    Raises `ArchiveError` if there are holds, and a file can't be read to look for these persons.
    """
    with upkeep(trail):
        list(remove_drafts(trail, places))
        due = [r for r in rows_of(trail) if r.state == "archived" and r.last_ts < before]
        # one whose file lies elsewhere would be called gone, and go on lying there
        elsewhere = [r for r in due if not is_at(places, r)]
        due = [r for r in due if r not in elsewhere]
        in_the_way = {r: _held(places, r, trail.origin, held) for r in due} if held else {}
        found = {r: tokens for r, tokens in in_the_way.items() if tokens}
        gone = [r for r in due if r not in found]
        source = new_source()
        for n, at in enumerate(range(0, len(gone), RANGES_AT_ONCE), 1):
            part = gone[at : at + RANGES_AT_ONCE]
            core = _event(part, source, n, actor, why)
            trail.change(partial(give_up, ranges=part), [(core, b"")], source, n)
        if gone:
            trail.checkpoint()
        return Pruned(gone, found, elsewhere, list(remove_drafts(trail, places)))


def _held(
    places: Sequence[ArchivePlace], one: Range, origin: str, held: Collection[str]
) -> list[str]:
    file = open_range(places, one, origin)
    if not file.may_name(held):
        return []
    entries = file.entries()
    return [t for t in sorted(held) if any(names_any(e.core, e.personal, (t,)) for e in entries)]


def _event(ranges: list[Range], source: str, n: int, actor: str | None, why: str | None) -> bytes:
    listed: list[Value] = [
        [each.first, each.last, sha256(each.told.encode()).hexdigest()] for each in ranges
    ]
    facts: dict[str, Value] = {
        "prunes": {
            "ranges": listed,
            "events": sum(each.count for each in ranges),
            "from": _day(min(each.first_ts for each in ranges)),
            "to": _day(max(each.last_ts for each in ranges)),
        }
    }
    if why:
        facts["why"] = why
    core = Core(
        v=SCHEMA_VERSION,
        source=source,
        n=n,
        ts=time.time_ns() // 1_000,
        kind="ops",
        action="prune",
        actor=actor,
        actor_kind="user" if actor else "system",
        outcome="ok",
        facts=facts,
    )
    return encode_core(core)


def _day(ts: int) -> str:
    seconds = max(0, ts) // 1_000_000 % 253_402_300_800  # years of four digits
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
