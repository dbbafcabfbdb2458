"""The events behind findings, as lines that a reader can look up in the trail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..journeys.engine import Engine, read_sql

__all__ = ["Moment", "events_behind"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One event that proves something."""

    seq: int
    ts: int
    what: str
    """Method, or kind and action of what is no request."""
    target: str | None
    """Path, else route."""
    status: int | None
    outcome: str | None
    reason: str | None


def events_behind(engine: Engine, seqs: Sequence[int]) -> Mapping[int, Moment]:
    """Events by their `seq`."""
    if not seqs:
        return {}
    engine.view("shown_event", sorted(set(seqs)))
    rows = engine.rows(read_sql(__package__, "events_behind.sql"))
    return {
        seq: Moment(seq, ts, _what(kind, action, method), target, status, outcome, reason)
        for seq, ts, kind, action, method, target, status, outcome, reason in rows
    }


def _what(kind: str | None, action: str | None, method: str | None) -> str:
    if kind == "request" and method:
        return method
    return " ".join(word for word in (kind, action) if word) or "event"
