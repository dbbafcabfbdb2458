"""Everything a report says, gathered from an engine over the events."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..journeys.denied import denied
from ..journeys.engine import Engine, read_sql
from ..journeys.flows import flow_report, ways
from ..journeys.funnel import funnel
from ..journeys.tables import make_journeys
from ..review.finding import Finding, Review
from ..trail.verification import Verification
from .flow_picture import COLUMNS, Way, make_picture
from .over_time import make_timeline
from .values import Evidence, FlowPicture, FunnelPart, Report, ShownFinding

__all__ = ["Wishes", "build_report"]

TOP: Final = 10
"""Rows of each list."""

MOST_WAYS: Final = 20_000
"""Ways looked at one by one for the picture; rarer ones are counted and named as left out."""

MOST_FINDINGS: Final = 100
"""Findings shown with their events; the number of all is always said."""

EVIDENCE: Final = 20
"""Events shown behind one finding; all their `seq` are in `flowaudit review`."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a reader asks for."""

    title: str = "flowaudit"
    trail: str = "flowaudit.db"
    funnel: Sequence[str] = ()
    flows: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Declared flows: the first is shown if no funnel is asked for."""
    login_path: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def build_report(
    engine: Engine, wishes: Wishes, *, review: Review, verification: Verification | None
) -> Report:
    """Gather a report's numbers."""
    flows = flow_report(engine, top=TOP)
    funnel_part = _funnel(engine, wishes)
    refusals = denied(engine, login_path=wishes.login_path, top=TOP)
    goal = None
    if funnel_part is not None and not funnel_part.is_guess:
        goal = funnel_part.result.steps[-1]
    return Report(
        title=wishes.title,
        trail=wishes.trail,
        flows=flows,
        picture=_picture(engine, goal),
        funnel=funnel_part,
        denied=refusals,
        timeline=make_timeline(engine, refusals, flows.first_ts, flows.last_ts),
        review=review,
        findings=_with_evidence(engine, review.findings[:MOST_FINDINGS]),
        verification=verification,
        names=wishes.names,
        notes=wishes.notes,
    )


def _funnel(engine: Engine, wishes: Wishes) -> FunnelPart | None:
    if wishes.funnel:
        return FunnelPart(None, funnel(engine, tuple(wishes.funnel)), is_guess=False)
    for name, flow in wishes.flows.items():
        steps = flow.get("steps")
        if isinstance(steps, list) and steps:
            return FunnelPart(name, funnel(engine, [str(s) for s in steps]), is_guess=False)
    steps = _commonest_way(engine)
    return FunnelPart(None, funnel(engine, steps), is_guess=True) if steps else None


def _commonest_way(engine: Engine) -> list[str]:
    """The steps of the way that most journeys of several pages take; without repeats."""
    for way in ways(engine, top=100):
        steps = list(dict.fromkeys(step for step in way.steps if step is not None))
        if len(steps) > 1:
            return steps
    return []


def _picture(engine: Engine, goal: str | None) -> FlowPicture:
    make_journeys(engine)
    engine.keep_once("flow_step", read_sql(__package__, "flow_step.sql"))
    rows = engine.rows(read_sql(__package__, "flow_ways.sql"), {"goal": f"+{goal or ''}"})
    taken = [
        Way(
            steps=tuple(step for step in row[:COLUMNS] if step is not None),
            goes_on=row[COLUMNS],
            has_goal=goal is not None and row[COLUMNS + 1],
            journeys=row[COLUMNS + 2],
            repeats=row[COLUMNS + 3 :],
        )
        for row in rows[:MOST_WAYS]
    ]
    stays = {
        (fold - 1, step): stay
        for fold, step, stay in engine.rows(read_sql(__package__, "flow_stays.sql"))
    }
    left_out = sum(row[COLUMNS + 2] for row in rows[MOST_WAYS:])
    return make_picture(taken, stays, goal, left_out)


def _with_evidence(engine: Engine, findings: Sequence[Finding]) -> tuple[ShownFinding, ...]:
    wanted = sorted({seq for finding in findings for seq in finding.events[:EVIDENCE]})
    if not wanted:
        return tuple(ShownFinding(finding, ()) for finding in findings)
    engine.view("wanted", wanted)
    events: defaultdict[int, Evidence] = defaultdict()
    for seq, ts, kind, action, method, path, template, status, outcome in engine.rows(
        read_sql(__package__, "evidence.sql")
    ):
        target = path or template or ""
        what = f"{method} {target}" if kind == "request" and method else f"{kind} {action or ''}"
        if kind != "request" and target:
            what = f"{what.strip()} {target}"
        events[seq] = Evidence(seq, ts, what.strip(), status, outcome)
    return tuple(
        ShownFinding(
            finding, tuple(events[seq] for seq in finding.events[:EVIDENCE] if seq in events)
        )
        for finding in findings
    )
