"""What an analysis looked at: how many requests, of how many visitors, over which time."""

from dataclasses import dataclass

from .engine import Engine
from .tables import run_analysis

__all__ = ["Scope", "scope_of"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What stands behind the numbers of a report."""

    requests: int
    """Counted events."""
    not_joined: int
    """Of these, events that no visitor could be told for."""
    visitors: int
    first_ts: int | None
    last_ts: int | None


def scope_of(engine: Engine) -> Scope:
    """What is in an engine's view `events`."""
    ((requests, not_joined, visitors, first_ts, last_ts),) = run_analysis(engine, "scope")
    return Scope(requests, not_joined, visitors, first_ts, last_ts)
