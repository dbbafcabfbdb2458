"""`flowaudit flows`: where people come in, which way they go, where they leave."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ..journeys.flows import TOP, FlowReport, flow_report
from ..journeys.left_out import LeftOut, left_out
from ..report.words import amount, arrow, percent, period, printable
from ..vault.place import Place
from .options import add_format, add_reason, add_trail
from .output import print_csv, print_json
from .places import add_archive
from .reading import (
    INCLUDE,
    add_by,
    add_top,
    left_out_json,
    open_engine,
    print_left_out,
    tell_left_out,
    tell_waiting,
)
from .wording import LABEL_WIDTH, fold, next_command, print_ranking

__all__ = ["add_parser", "run"]

SHOWN_LENGTHS = 12
"""Numbers of pages per journey shown in text; JSON has all."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "flows",
        help="journeys: entries, exits, transitions, pages",
        description="Count the journeys in a trail: a visitor's requests with no pause over 30 "
        "minutes. Where they begin, where they end, which page follows which.",
        epilog="example: flowaudit flows --trail flowaudit.db --include humans --top 20",
    )
    add_trail(parser)
    add_archive(parser, "count archived entries too, there")
    add_reason(parser)
    add_by(parser)
    add_top(parser, TOP)
    parser.add_argument(
        "--include",
        choices=INCLUDE,
        default="all",
        help="whom to count, by User-Agent: all (default), humans, bots",
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Count, and show."""
    engine, paths = open_engine(args, "flows", "report")
    with engine:
        report = flow_report(engine, by=args.by, top=args.top)
        excluded = left_out(engine)
    tell_waiting(paths)
    if args.format == "json":
        print_json(_as_json(report) | left_out_json(excluded))
    elif args.format == "csv":
        print_csv(("list", "step", "to", "n"), _csv_rows(report))
        tell_left_out(excluded)
    else:
        _print_text(report, paths.trail, args.include, excluded)
    return 0


def _as_json(report: FlowReport) -> dict[str, Any]:
    """The documented keys; `not_joined` only where there is something to tell."""
    values = asdict(report)
    if not report.not_joined:
        del values["not_joined"]
    return values


def _csv_rows(report: FlowReport) -> Iterator[Sequence[object]]:
    for name in ("events", "visitors", "sessions", "sessions_with_page", "pages", "bounces"):
        yield name, None, None, getattr(report, name)
    for name in ("first_ts", "last_ts", "transitions_total", "self_transitions_total"):
        yield name, None, None, getattr(report, name)
    yield "not_joined", None, None, report.not_joined
    for name in ("entry", "exit", "pages_top"):
        for step, n in getattr(report, name):
            yield name, step, None, n
    for name in ("transitions", "self_transitions"):
        for step, to, n in getattr(report, name):
            yield name, step, to, n
    for pages, n in report.pages_per_session.items():
        yield "pages_per_session", pages, None, n


def _print_text(
    report: FlowReport, trail: Place, include: str, excluded: Sequence[LeftOut]
) -> None:
    if not report.events:
        print(f"No requests to count in {trail}.")
        print_left_out(excluded)
        next_command("flowaudit", "import", hints=("ACCESS.LOG", f"--trail {trail}"))
        return
    _print_sentences(report, include)
    with_page = report.sessions_with_page
    print_ranking("They come in at (journeys)", _labelled(report.entry), with_page)
    print_ranking("They leave at (journeys)", _labelled(report.exit), with_page)
    print_ranking("From one page to the next (times)", _arrows(report), report.transitions_total)
    print_ranking(
        "The same page again (times)",
        [(_label(step), n) for step, _to, n in report.self_transitions],
        report.self_transitions_total,
    )
    print_ranking("Pages seen most (times)", _labelled(report.pages_top), report.pages)
    _print_lengths(report)
    print_left_out(excluded)
    (first,) = report.entry[:1] or ((None, 0),)
    steps = [step for step in (first[0], _most_common_next(report, first[0])) if step]
    if len(steps) == 2:
        next_command("flowaudit", "funnel", "--trail", trail, *steps)
    else:
        next_command("flowaudit", "denied", "--trail", trail)


def _print_sentences(report: FlowReport, include: str) -> None:
    who = {"humans": " (humans only)", "bots": " (bots only)"}.get(include, "")
    print(
        fold(
            f"{amount(report.visitors, 'visitor')}{who} made {amount(report.sessions, 'journey')}"
            f" with {amount(report.events, 'request')}, {report.pages:,} of them pages,"
            f" {period(report.first_ts, report.last_ts)}."
        )
    )
    if report.sessions_with_page:
        print(
            fold(
                f"{percent(report.bounces, report.sessions_with_page)} of the journeys that see a"
                f" page see only one ({report.bounces:,} of {report.sessions_with_page:,});"
                f" {report.sessions - report.sessions_with_page:,} see none."
            )
        )
    if report.not_joined:
        print(f"{amount(report.not_joined, 'request')} could not be joined to a visitor.")


def _print_lengths(report: FlowReport) -> None:
    lengths = [(amount(int(k), "page"), n) for k, n in report.pages_per_session.items()]
    shown, rest = lengths[:SHOWN_LENGTHS], lengths[SHOWN_LENGTHS:]
    if rest:
        shown.append(("more", sum(n for _, n in rest)))
    print_ranking("Pages in a journey (journeys)", shown, report.sessions)


def _label(step: str | None) -> str:
    return "(no path)" if step is None else step


def _labelled(counts: Sequence[tuple[str | None, int]]) -> list[tuple[str, int]]:
    return [(_label(step), n) for step, n in counts]


def _arrows(report: FlowReport) -> list[tuple[str, int]]:
    return [
        (arrow(printable(_label(step)), printable(_label(to)), LABEL_WIDTH), n)
        for step, to, n in report.transitions
    ]


def _most_common_next(report: FlowReport, step: str | None) -> str | None:
    return next((to for here, to, _n in report.transitions if here == step), None)
