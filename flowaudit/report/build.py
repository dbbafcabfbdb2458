"""A report's numbers, gathered once from the analyses, the review and the verification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..journeys.denied import DeniedReport, denied
from ..journeys.engine import Engine
from ..journeys.flows import FlowReport, flow_report
from ..journeys.left_out import left_out as policy_left_out
from ..review.finding import Finding, Review
from ..verification.found import Verification
from .changes import Release, releases
from .exclusions import exclusion_sentence
from .ladder import Ladder, commonest_ladder, ladder
from .picture import Picture, picture_of
from .series import Series, client_series, denied_series, journey_series
from .witnesses import Moment, events_behind

__all__ = ["Case", "Report", "build_report"]

MOST_CASES: Final = 100
"""Findings shown with their events, the gravest first; the number of all is always said."""

EVIDENCE: Final = 20
"""Events shown behind one finding; all their `seq` are in `flowaudit review`."""


@dataclass(frozen=True, slots=True)
class Case:
    """A finding with the events behind it."""

    finding: Finding
    title: str
    """The finding's sentence."""
    key: str
    """Whom or what it is about, with names instead of tokens where they may be known."""
    events: tuple[Moment, ...]
    """The first of the events that made it fire."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a page or a summary shows."""

    name: str
    """What the report is about: a service, or a file."""
    trail: str
    """The trail's file as one would type it; empty if there is none to ask further."""
    made_ts: int
    """When it was made, µs UTC."""
    flow: FlowReport
    denied: DeniedReport
    ladders: tuple[Ladder, ...]
    """Funnels: what was asked for, else what is declared, else the commonest way."""
    picture: Picture
    journeys: Series
    denied_times: Series
    denied_sources: tuple[tuple[str, Series], ...]
    releases: tuple[Release, ...]
    review: Review
    cases: tuple[Case, ...]
    verification: Verification | None
    """`None` for a log file that was imported for the report alone."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Who tokens are, as far as the reader may know."""
    left_out: tuple[str, ...] = ()
    """Sentences on what is not counted."""

    def name_of(self, token: str) -> str:
        """Who a token is, if that may be known; else the token."""
        return self.names.get(token, token)


def build_report(
    engine: Engine,
    *,
    name: str,
    made_ts: int,
    review: Review,
    verification: Verification | None,
    trail: str = "",
    funnel: Sequence[str] = (),
    flows: Mapping[str, Mapping[str, object]] | None = None,
    names: Mapping[str, str] | None = None,
    login_path: str | None = None,
    left_out: Sequence[str] = (),
) -> Report:
    """Gather a report.

    Args:
        engine: where the events are.
        name: what the report is about.
        made_ts: now, µs UTC.
        review: what the detections said of the same events.
        verification: whether the trail holds; `None` if there is none.
        trail: the trail's file as one would type it.
        funnel: steps to follow; without them the declared `flows`, else the commonest way.
        flows: the section `[flows]` of the policy file.
        names: token → identity, for a reader who may know.
        login_path: a redirect to here is a refusal (imported logs).
        left_out: sentences on what is not counted; what the policy left out comes to them.
    """
    flow = flow_report(engine)
    refusals = denied(engine, login_path=login_path)
    went_live = releases(engine)
    ladders = _ladders(engine, funnel, flows or {}, went_live)
    span = flow.first_ts, flow.last_ts
    return Report(
        name=name,
        trail=trail,
        made_ts=made_ts,
        flow=flow,
        denied=refusals,
        ladders=ladders,
        picture=picture_of(engine, goal=_goal(ladders)),
        journeys=journey_series(engine, *span),
        denied_times=denied_series(engine, *span),
        denied_sources=client_series(engine, refusals.by_client, *span),
        releases=went_live,
        review=review,
        cases=_cases(engine, review.findings[:MOST_CASES], names or {}),
        verification=verification,
        names=names or {},
        left_out=(*left_out, *filter(None, [exclusion_sentence(policy_left_out(engine))])),
    )


def _ladders(
    engine: Engine,
    asked: Sequence[str],
    flows: Mapping[str, Mapping[str, object]],
    went_live: Sequence[Release],
) -> tuple[Ladder, ...]:
    if asked:
        return (ladder(engine, "The funnel asked for", asked, went_live, by="route"),)
    declared = [
        ladder(engine, name, [str(step) for step in steps], went_live, by="route")
        for name, flow in flows.items()
        if isinstance(steps := flow.get("steps"), list) and steps
    ]
    return tuple(declared) or commonest_ladder(engine, went_live, by="route")


def _goal(ladders: Sequence[Ladder]) -> str | None:
    """What people come for: the last step of the first funnel, unless that is only a guess."""
    if not ladders or ladders[0].origin == "commonest":
        return None
    return ladders[0].result.steps[-1]


def _cases(
    engine: Engine, findings: Sequence[Finding], names: Mapping[str, str]
) -> tuple[Case, ...]:
    behind = events_behind(engine, [seq for f in findings for seq in f.events[:EVIDENCE]])
    return tuple(
        Case(
            finding=finding,
            title=finding.title,
            key=", ".join(f"{what} {names.get(whom, whom)}" for what, whom in finding.key.items()),
            events=tuple(behind[seq] for seq in finding.events[:EVIDENCE] if seq in behind),
        )
        for finding in findings
    )
