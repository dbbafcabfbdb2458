"""`flowaudit review`: what looks like an attack or a misuse, and what could not be judged."""

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from ..journeys.left_out import LeftOut, left_out
from ..journeys.scope import Scope, scope_of
from ..policy.rules import find_policy
from ..report.words import amount, moment, period, printable
from ..review.engine import review
from ..review.finding import EVENTS_CAP, Finding, Review
from ..vault.place import Place
from .options import add_format, add_policy, add_reason, add_trail
from .output import print_csv, print_json
from .places import add_archive
from .reading import (
    known_names,
    open_engine,
    print_left_out,
    tell_left_out,
    tell_waiting,
)
from .wording import WIDTH, fold, next_command, paint

__all__ = ["add_parser", "finding_json", "run"]

SHOWN: Final = 50
"""Findings of one severity shown in text; JSON has all."""

_COLUMNS: Final = (
    "id",
    "severity",
    "key",
    "first_ts",
    "last_ts",
    "count",
    "succeeded",
    "late",
    "events",
    "title",
)
_COLOURS: Final = {"critical": "error", "high": "error", "medium": "denied"}
"""The outcome whose colour a severity takes; its word stands there too."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "review",
        help="findings: what looks like an attack, and whether it succeeded",
        description="Run the detections over the trail. Each finding lists the events that prove "
        "it; what could not be judged is said too, so that silence is not taken for safety.",
        epilog="example: flowaudit review --trail site.db --policy flowaudit.toml",
    )
    add_trail(parser)
    add_archive(parser, "count archived entries too, there")
    add_reason(parser)
    add_policy(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Review, and show."""
    declared = find_policy(args.policy).review
    engine, paths = open_engine(args, "review", "raw")
    names = known_names(paths) if args.format == "text" else {}
    with engine:
        found = review(engine, declared, names=names)
        scope, excluded = scope_of(engine), left_out(engine)
    tell_waiting(paths)
    if args.format != "text":
        tell_left_out(excluded)
    if args.format == "json":
        print_json([finding_json(finding) for finding in found.findings])
    elif args.format == "csv":
        print_csv(_COLUMNS, map(_csv_row, found.findings))
    else:
        _print_text(found, scope, paths.trail, excluded)
    return 0


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding as other programs get it."""
    return {
        "id": finding.id,
        "severity": finding.severity,
        "key": dict(finding.key),
        "first_ts": finding.first_ts,
        "last_ts": finding.last_ts,
        "count": finding.count,
        "thresholds": dict(finding.thresholds),
        "events": list(finding.events),
        "events_total": finding.events_total,
        "events_cap": EVENTS_CAP,
        "succeeded": finding.succeeded,
        "late": finding.late,
        "version": finding.version,
        "title": finding.title,
        "notes": list(finding.notes),
    }


def _csv_row(finding: Finding) -> Sequence[object]:
    return (
        finding.id,
        finding.severity,
        " ".join(f"{name}={value}" for name, value in finding.key.items()),
        finding.first_ts,
        finding.last_ts,
        finding.count,
        finding.succeeded,
        finding.late,
        " ".join(map(str, finding.events)),
        finding.title,
    )


def _print_text(found: Review, scope: Scope, trail: Place, excluded: Sequence[LeftOut]) -> None:
    span = period(scope.first_ts, scope.last_ts)
    requests = amount(scope.requests, "request")
    if found.findings:
        allowed = sum(finding.succeeded for finding in found.findings)
        told = f"in {allowed:,} of them something was allowed" if allowed else "nothing succeeded"
        print(fold(f"{amount(len(found.findings), 'finding')} in {requests}, {span}; {told}."))
    else:
        print(fold(f"No findings ({requests} looked at, {span})."))
    for severity, group in groupby(found.findings, key=lambda finding: finding.severity):
        findings = list(group)
        label = paint(severity.upper(), _COLOURS.get(severity))
        print(f"\n{label} ({len(findings):,})")
        for finding in findings[:SHOWN]:
            _print_finding(finding)
        if len(findings) > SHOWN:
            print(f"  … and {len(findings) - SHOWN:,} more (--format json has all)")
    _print_list("Not judged", ((n.id, n.count, n.why) for n in found.not_judged))
    _print_list("Left out, as declared", ((s.id, s.count, s.why) for s in found.suppressed))
    print_left_out(excluded)
    who = next(filter(None, map(_visitor, found.findings)), None)
    if who is None:
        next_command("flowaudit", "denied", "--trail", trail)
    else:
        next_command("flowaudit", "journey", printable(who), "--trail", trail)


def _visitor(finding: Finding) -> str | None:
    """Whom a finding is about, as `flowaudit journey` takes it; it takes no network."""
    key = finding.key
    if "session" in key:
        return f"session:{key['session']}"
    client = key.get("client", "")
    return key.get("actor") or (client if client and "/" not in client else None)


def _print_finding(finding: Finding) -> None:
    _print_wrapped(f"{finding.title}.", "  ")
    times = " to ".join(dict.fromkeys((moment(finding.first_ts), moment(finding.last_ts))))
    limits = ", ".join(f"{name} {value}" for name, value in finding.thresholds.items())
    _print_wrapped(
        f"{finding.id} (version {finding.version}; {limits}); {times} UTC;"
        f" {amount(finding.count, 'event')}",
        "    ",
    )
    more = f" … of {finding.events_total:,}" if finding.events_total > len(finding.events) else ""
    _print_wrapped(f"seq {', '.join(map(str, finding.events))}{more}", "    ")
    for note in finding.notes:
        _print_wrapped(note, "    ")


def _print_list(title: str, rows: Iterator[tuple[str, int, str]]) -> None:
    lines = [f"{rule}: {amount(number, 'event')}, {why}" for rule, number, why in rows]
    if lines:
        print(f"\n{title}")
    for line in lines:
        _print_wrapped(line, "  ")


def _print_wrapped(text: str, indent: str) -> None:
    print(
        textwrap.fill(
            printable(text),
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
