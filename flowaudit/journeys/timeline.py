"""One visitor's journeys as a line of events, with pauses and an end that is explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from .engine import Engine
from .tables import PAUSE_US, make_journeys, run_analysis

__all__ = ["Journey", "Moment", "find_visitors", "journeys_of"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One event of a journey."""

    seq: int
    ts: int
    gap_us: int
    """Since the event before in the same journey; 0 for the first."""
    kind: str | None
    action: str | None
    method: str | None
    step: str | None
    """Route, else inferred template."""
    path: str | None
    status: int | None
    outcome: str | None
    reason: str | None
    duration_us: int | None
    client: str | None
    is_page: bool
    counted: bool


@dataclass(frozen=True, slots=True)
class Journey:
    """One visitor's events with no pause over 30 minutes."""

    who: str
    number: int
    """Of this visitor's journeys, from 1."""
    first_ts: int
    last_ts: int
    ended: str
    """Why: `pause` (the visitor came back later), `left` (not seen again while others went on for
    over 30 minutes), `open` (requests end before one can tell)."""
    events: int
    """Counted events; `moments` has those that do not count too."""
    pages: int
    moments: tuple[Moment, ...]


def journeys_of(engine: Engine, visitors: Sequence[str]) -> tuple[Journey, ...]:
    """The journeys of some visitors, by visitor and time."""
    make_journeys(engine)
    engine.view("chosen", list(visitors))
    ends = {(who, journey): ended for who, journey, ended in engine.rows(_ENDS)}
    rows = run_analysis(engine, "timeline", pause_us=PAUSE_US)
    return tuple(
        _journey(who, number, ends.get((who, number), "open"), [row[2:] for row in group])
        for (who, number), group in groupby(rows, key=lambda row: (row[0], row[1]))
    )


def find_visitors(engine: Engine, who: str) -> tuple[str, ...]:
    """The visitors that a text stands for: one by the name in `who`, or all of an address.

    A session (`session:…`) to which somebody signed in is that person's.
    """
    found = _visitors(engine, "who = $value", who)
    if not found and who.startswith("session:"):
        found = _visitors(engine, "session = $value", who.removeprefix("session:"))
    return found or _visitors(engine, "client = $value", who)


_ENDS: Final = (
    "SELECT v.who, j.journey, j.ended FROM journey AS j JOIN visitor AS v ON v.who_id = j.who_id"
    " WHERE v.who IN (SELECT value FROM chosen)"
)


def _visitors(engine: Engine, condition: str, value: str) -> tuple[str, ...]:
    rows = engine.rows(
        f"SELECT DISTINCT who FROM events WHERE who IS NOT NULL AND {condition} ORDER BY who",
        {"value": value},
    )
    return tuple(who for (who,) in rows)


def _journey(who: str, number: int, ended: str, rows: list[tuple[Any, ...]]) -> Journey:
    moments: list[Moment] = []
    for seq, ts, *rest in rows:
        gap_us = ts - moments[-1].ts if moments else 0
        moments.append(Moment(seq, ts, gap_us, *rest))
    return Journey(
        who=who,
        number=number,
        first_ts=moments[0].ts,
        last_ts=moments[-1].ts,
        ended=ended,
        events=sum(moment.counted for moment in moments),
        pages=sum(moment.is_page for moment in moments),
        moments=tuple(moments),
    )
