"""Adoption: what a dead process left in its spool comes into the trail, and its losses are told.

Run by every recorder when it opens the trail and by `flowaudit recover`, so that the path is
never rusty. A source is dead when the lock on its spool is free.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ..errors import EventError
from ..event import Core, Value, decode_core, decode_personal
from ..oplog import OPLOG
from ..spool.dead import DeadSpool, spool_files
from ..spool.records import Record
from ..spool.ring import boot_id
from ..trail.intervals import uncovered
from ..trail.store import WritableTrail

__all__ = ["Adoption", "Loss", "adopt_dead_sources", "gap_event"]

GROUP: Final = 2_000
"""Events of a dead source committed at once."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something of a source that did not reach the trail."""

    source: str
    first: int = 0
    last: int = 0
    """Numbers lost, both included; 0 where the loss has no numbers."""
    count: int | None = None
    """How many; `None` if nobody can know."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was done for dead sources."""

    sources: int
    events: int
    losses: tuple[Loss, ...]


def gap_event(loss: Loss, ts: int) -> Core:
    """The gap event that tells a loss; `ts` in µs. Whoever writes it fills in source and n."""
    facts: dict[str, Value] = {"source": loss.source}
    if loss.last:
        facts |= {"first": loss.first, "last": loss.last}
    if loss.count is not None:
        facts["count"] = loss.count
    if loss.why:
        facts["why"] = loss.why
    return Core(ts=ts, kind="gap", facts=facts)


def adopt_dead_sources(trail: WritableTrail, report: Callable[[Loss], None]) -> Adoption:
    """Commit the events of every dead source's spool, remove it, and report each loss.

    Order, for each source: lock its spool; commit its events (those the trail has already are
    passed over); report the losses, durably; end the source; remove the file. A crash between
    any two leaves the file, and the next adoption goes on where this one stopped.
    """
    sources = events = 0
    losses: list[Loss] = []
    for path in spool_files(trail.paths.spool):
        dead = DeadSpool.adopt(path)
        if dead is None:
            continue
        if not dead.is_named_right:
            OPLOG.error("a spool is not of the source that its name says", file=str(path))
            dead.close(remove=False)
            continue
        done = False
        try:
            known = trail.last_n(dead.source)
            events += _commit(trail, dead, known)
            found = list(_losses(dead, known))
            for loss in found:
                report(loss)
            _end(trail, dead, known)
            losses += found
            sources += 1
            done = True
        finally:
            dead.close(remove=done)
    for source, boot in trail.running_sources().items():
        if boot != boot_id() and not (trail.paths.spool / f"{source}.ring").exists():
            loss = Loss(source, why="the machine went down; no spool is left")
            report(loss)
            trail.append([], source, 0)
            losses.append(loss)
            sources += 1
    return Adoption(sources, events, tuple(losses))


def _commit(trail: WritableTrail, dead: DeadSpool, known: int) -> int:
    fresh = [record for record in _events(dead) if record.n > known]
    for start in range(0, len(fresh), GROUP):
        group = fresh[start : start + GROUP]
        pairs = [(record.core, record.personal) for record in group]
        trail.append(pairs, dead.source, group[-1].n, running=dead.boot or boot_id())
    return len(fresh)


def _losses(dead: DeadSpool, known: int) -> Iterator[Loss]:
    """Numbers that were used up and are nowhere; requests that had no event yet."""
    numbers = [record.n for record in _events(dead) if record.n > known]
    last = max([known, *(record.n for record in dead.records)])
    told = [(n, n) for n in numbers] + list(_told(dead))
    for first, end in uncovered(known + 1, last, told):
        yield Loss(dead.source, first, end, end - first + 1, "damaged in the spool")
    for first, end in uncovered(last + 1, dead.lost_to, told):
        yield Loss(dead.source, first, end, end - first + 1, "no room in the spool")
    if dead.received > dead.finished:
        yield Loss(dead.source, count=dead.received - dead.finished, why="unfinished")
    if dead.boot and dead.boot != boot_id():
        yield Loss(dead.source, why="the machine went down")


def _events(dead: DeadSpool) -> Iterator[Record]:
    """Those of its records that are events of this source: nothing else comes into the trail."""
    for record in dead.records:
        try:
            core = decode_core(record.core)
            if record.personal:
                decode_personal(record.personal)
        except EventError:
            continue
        if (core.source, core.n) == (dead.source, record.n):
            yield record


def _told(dead: DeadSpool) -> Iterator[tuple[int, int]]:
    """Losses that the dead source has reported itself, in its own spool."""
    for record in dead.records:
        if b'"kind":"gap"' not in record.core:
            continue
        try:
            facts = decode_core(record.core).facts or {}
        except EventError:
            continue
        first, last = facts.get("first"), facts.get("last")
        if facts.get("source") == dead.source and isinstance(first, int) and isinstance(last, int):
            yield first, last


def _end(trail: WritableTrail, dead: DeadSpool, known: int) -> None:
    if known or dead.records or dead.received:
        trail.append([], dead.source, max([known, dead.lost_to, *(r.n for r in dead.records)]))
