"""The first sentences, the same on the page and in the terminal."""

from dataclasses import dataclass
from typing import Literal

from .build import Report
from .ladder import Comparison, Ladder
from .words import amount, moment, percent, period

__all__ = ["Sentences", "ladder_sentence", "sentences_of"]


@dataclass(frozen=True, slots=True)
class Sentences:
    """What is said before any number is shown."""

    scope: str
    stuck: str
    findings: str
    reliance: str
    integrity: str
    integrity_kind: Literal["holds", "broken", "unknown"]
    checkpoint: str
    picture: str
    refusals: str


def sentences_of(report: Report) -> Sentences:
    """All of them."""
    return Sentences(
        scope=_scope(report),
        stuck=_stuck(report),
        findings=_findings(report),
        reliance=_reliance(report),
        integrity=_integrity(report),
        integrity_kind=_integrity_kind(report),
        checkpoint=_checkpoint(report),
        picture=_picture(report),
        refusals=_refusals(report),
    )


def ladder_sentence(ladder: Ladder) -> str:
    """A funnel's biggest drop, and whether it is another since the last release."""
    result = ladder.result
    if not result.reached[0]:
        return f"No journey reaches {result.steps[0]} with success."
    if ladder.worst is None:
        return f"Nobody is lost: all of {amount(result.reached[0], 'journey')} reach the end."
    worst = ladder.worst
    lost, there = result.drop_off[worst], result.reached[worst]
    said = (
        f"{percent(lost, there)} leave after {result.steps[worst]} ({lost:,} of"
        f" {amount(there, 'journey')}), the biggest drop;"
        f" {percent(result.reached[-1], result.reached[0])} of those who begin get to"
        f" {result.steps[-1]}."
    )
    return f"{said} {_compared(ladder.comparison)}" if ladder.comparison else said


def _compared(comparison: Comparison) -> str:
    release = comparison.release.version or f"the release of {moment(comparison.release.ts)}"
    before = percent(comparison.lost_before, comparison.of_before)
    after = percent(comparison.lost_after, comparison.of_after)
    chance = (
        "that is more than chance"
        if comparison.is_more_than_chance
        else "so small a difference can be chance"
    )
    return f"It was {before} before {release} and is {after} since: {chance}."


def _scope(report: Report) -> str:
    flow = report.flow
    return (
        f"{amount(flow.events, 'request')} in {amount(flow.sessions, 'journey')} of"
        f" {amount(flow.visitors, 'visitor')}, {period(flow.first_ts, flow.last_ts)}."
    )


def _stuck(report: Report) -> str:
    if not report.ladders:
        return f"Nothing to follow: {amount(report.flow.sessions, 'journey')}, none over two pages."
    return ladder_sentence(report.ladders[0])


def _findings(report: Report) -> str:
    found = report.review.findings
    if not found:
        rules = amount(len(report.review.rules), "rule")
        return f"No findings ({rules} looked at {amount(report.flow.events, 'request')})."
    got = sum(finding.succeeded for finding in found)
    grave = sum(finding.severity in ("high", "critical") for finding in found)
    allowed = f"in {got:,} something was allowed" if got else "nothing was allowed in any"
    return f"{amount(len(found), 'finding')}, {grave:,} of them high or critical; {allowed}."


def _reliance(report: Report) -> str:
    found = report.verification
    if found is None:
        return "As far as the log can be relied on: it was imported for this report, unproven."
    if not found.ok:
        return f"No: the trail does not hold, {amount(len(found.problems), 'problem')} found."
    missing = f", {amount(found.gaps, 'gap')}" if found.gaps else ", no gap"
    return (
        f"Yes, as far as its signer can: {found.size:,} entries, none changed{missing};"
        f" {_signed(report)}."
    )


def _integrity(report: Report) -> str:
    found = report.verification
    if found is None:
        return "No proof: this is a log file, imported for this report."
    if not found.ok:
        where = next((p.seq for p in found.problems if p.seq is not None), None)
        first = f", the first at entry {where:,}" if where is not None else ""
        return f"The trail does NOT hold: {amount(len(found.problems), 'problem')}{first}."
    waiting = f" {amount(found.waiting, 'event')} still wait in spools." if found.waiting else ""
    return (
        f"The trail holds: {found.size:,} entries, none changed, none missing,"
        f" {amount(found.gaps, 'gap')}; {_signed(report)}.{waiting}"
    )


def _integrity_kind(report: Report) -> Literal["holds", "broken", "unknown"]:
    if report.verification is None:
        return "unknown"
    return "holds" if report.verification.ok else "broken"


def _signed(report: Report) -> str:
    found = report.verification
    if found is None or found.signed_by is None:
        return "not signed"
    witnesses = amount(found.witnesses, "witness", "witnesses")
    return f"signed by {found.signed_by} (the operator), {witnesses}"


def _checkpoint(report: Report) -> str:
    found = report.verification
    if found is None or found.signed_by is None:
        return "no checkpoint"
    return (
        f"checkpoint of {found.checkpoint_size:,} entries,"
        f" {amount(found.after_checkpoint, 'entry', 'entries')} after it"
    )


def _picture(report: Report) -> str:
    drawn = report.picture.journeys
    said = f"{amount(drawn, 'journey')} that show a page or are refused one, step by step."
    if any(node.is_goal for node in report.picture.nodes) or report.picture.reached_goal:
        reached = report.picture.reached_goal
        said += f" {percent(reached, drawn)} of them reach the goal ({reached:,})."
    return said


def _refusals(report: Report) -> str:
    looked_at = amount(report.flow.events, "request")
    if not report.denied.total:
        when = period(report.flow.first_ts, report.flow.last_ts)
        return f"No refusals ({looked_at} looked at, {when})."
    busiest, most = max(report.denied.per_hour, key=lambda hour: hour[1])
    return (
        f"{amount(report.denied.total, 'refusal')} among {looked_at}"
        f" ({percent(report.denied.total, report.flow.events)});"
        f" the worst hour began {moment(busiest)} UTC, with {most:,}."
    )
