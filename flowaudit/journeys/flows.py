"""Where people come in, which way they go and where they leave: the flow report."""

from dataclasses import dataclass
from typing import Final

from .engine import Engine
from .tables import By, make_page_steps, run_analysis

__all__ = ["TOP", "Count", "FlowReport", "Transition", "Way", "flow_report", "ways"]

TOP: Final = 10
"""Rows of a top list unless told otherwise."""

Count = tuple[str | None, int]
"""A key and how often it occurs; the key is `None` where events lack it."""

Transition = tuple[str | None, str | None, int]
"""From, to and how often."""


@dataclass(frozen=True, slots=True)
class FlowReport:
    """The numbers of `flowaudit flows`; names and meanings are those of its JSON."""

    events: int
    visitors: int
    sessions: int
    """Journeys; called sessions here, as the trade does."""
    sessions_with_page: int
    pages: int
    bounces: int
    first_ts: int | None
    last_ts: int | None
    entry: tuple[Count, ...]
    exit: tuple[Count, ...]
    pages_top: tuple[Count, ...]
    transitions: tuple[Transition, ...]
    self_transitions: tuple[Transition, ...]
    transitions_total: int
    self_transitions_total: int
    pages_per_session: dict[str, int]
    not_joined: int
    """Counted events that no visitor could be told for."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way through the app that several journeys took."""

    steps: tuple[str | None, ...]
    """Its first pages, repeats folded into one; at most eight."""
    is_longer: bool
    journeys: int


def flow_report(engine: Engine, *, by: By = "route", top: int = TOP) -> FlowReport:
    """Count journeys, their pages, first and last pages and transitions."""
    make_page_steps(engine, by)
    (totals,) = run_analysis(engine, "totals")
    events, not_joined, pages, first_ts, last_ts, visitors, journeys, with_page, bounces = totals
    (transition_totals,) = run_analysis(engine, "transition_totals")
    return FlowReport(
        events=events,
        visitors=visitors,
        sessions=journeys,
        sessions_with_page=with_page,
        pages=pages,
        bounces=bounces,
        first_ts=first_ts,
        last_ts=last_ts,
        entry=tuple(run_analysis(engine, "entries", top=top)),
        exit=tuple(run_analysis(engine, "exits", top=top)),
        pages_top=tuple(run_analysis(engine, "pages", top=top, by=by)),
        transitions=tuple(run_analysis(engine, "transitions", top=top)),
        self_transitions=tuple(run_analysis(engine, "self_transitions", top=top)),
        transitions_total=transition_totals[0],
        self_transitions_total=transition_totals[1],
        pages_per_session={str(k): n for k, n in run_analysis(engine, "pages_per_journey")},
        not_joined=not_joined,
    )


def ways(engine: Engine, *, by: By = "route", top: int = TOP) -> tuple[Way, ...]:
    """The most frequent ways that journeys take through the pages."""
    make_page_steps(engine, by)
    return tuple(
        Way(steps=_without_end(steps), is_longer=is_longer, journeys=journeys)
        for *steps, is_longer, journeys in run_analysis(engine, "paths", top=top)
    )


def _without_end(steps: list[str | None]) -> tuple[str | None, ...]:
    while len(steps) > 1 and steps[-1] is None:
        steps.pop()
    return tuple(steps)
