"""`flowaudit journey WHO`: one visitor's journeys, event by event."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Final

from ..errors import QueryError
from ..journeys.engine import Engine
from ..journeys.left_out import LeftOut, left_out
from ..journeys.timeline import (
    Journey,
    Moment,
    find_visitors,
    journeys_of,
)
from ..report.words import amount, clock, moment, period, printable, shorten, span
from ..trail.paths import TrailPaths
from ..vault.base import is_token
from .options import add_format, add_reason, add_trail
from .output import print_csv, print_json
from .persons import check_reason
from .places import add_archive
from .reading import (
    find_token,
    known_names,
    left_out_json,
    open_engine,
    print_left_out,
    tell_left_out,
    tell_waiting,
)
from .wording import WIDTH, fold, next_command, paint

__all__ = ["add_parser", "run"]

GAP_WIDTH: Final = 12
WHAT_WIDTH: Final = 40
LEAST_WIDTH: Final = 20
"""Columns for what was asked for, at least, however long the result is."""

_ENDS: Final = {
    "left": "It ended: not seen again, while others went on for over 30 minutes.",
    "open": "It may go on: the requests in the trail end within 30 minutes.",
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "journey",
        help="one visitor's journeys as a timeline",
        description="Show what one visitor did, in order, with pauses, durations and outcomes. "
        "WHO is an identity as the app knows it, a token, session:…, visitor:…, net:…, or a "
        "client address.",
        epilog="example: flowaudit journey user:42 --trail flowaudit.db",
    )
    parser.add_argument("who", metavar="WHO", help="whose journeys")
    add_trail(parser)
    add_archive(parser, "count archived entries too, there")
    add_reason(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Find the visitor, and show."""
    check_reason(args.reason, None if is_token(args.who) else args.who)
    engine, paths = open_engine(args, "journey", "raw")
    with engine:
        visitors = _visitors(engine, args.who, paths)
        journeys = journeys_of(engine, visitors)
        excluded = left_out(engine)
    tell_waiting(paths)
    if args.format == "json":
        found = {"visitors": visitors, "journeys": [asdict(each) for each in journeys]}
        print_json(found | left_out_json(excluded))
    elif args.format == "csv":
        names = [field.name for field in fields(Moment)]
        rows = [
            (each.who, each.number, *(getattr(moment, name) for name in names))
            for each in journeys
            for moment in each.moments
        ]
        print_csv(("who", "journey", *names), rows)
        tell_left_out(excluded)
    else:
        _print_text(args.who, visitors, journeys, paths, excluded)
    return 0


def _visitors(engine: Engine, who: str, paths: TrailPaths) -> tuple[str, ...]:
    token = find_token(paths, who)
    visitors = find_visitors(engine, who) or (find_visitors(engine, token) if token else ())
    if not visitors:
        raise QueryError(
            f"nobody called {who!r} in {paths.trail}: give an identity, a token, session:…,"
            " visitor:…, net:… or a client address"
        )
    return visitors


def _print_text(
    who: str,
    visitors: Sequence[str],
    journeys: Sequence[Journey],
    paths: TrailPaths,
    excluded: Sequence[LeftOut],
) -> None:
    names = known_names(paths)
    events = sum(each.events for each in journeys)
    first, last = min(e.first_ts for e in journeys), max(e.last_ts for e in journeys)
    told = printable(names.get(visitors[0], who)) if len(visitors) == 1 else printable(who)
    several = f", {amount(len(visitors), 'visitor')}" if len(visitors) > 1 else ""
    print(
        fold(
            f"{told}{several}: {amount(len(journeys), 'journey')},"
            f" {amount(events, 'request')}, {period(first, last)}."
        )
    )
    for place, each in enumerate(journeys):
        _print_journey(each, journeys[place + 1 : place + 2], names, is_named=len(visitors) > 1)
    print_left_out(excluded)
    next_command("flowaudit", "denied", "--trail", paths.trail)


def _print_journey(
    journey: Journey, following: Sequence[Journey], names: dict[str, str], *, is_named: bool
) -> None:
    whose = f" of {printable(names.get(journey.who, journey.who))}" if is_named else ""
    span_us = journey.last_ts - journey.first_ts
    took = f" for {span(span_us)}" if span_us else ""
    print(f"\nJourney {journey.number}{whose}")
    print(
        f"{moment(journey.first_ts)} UTC{took}: {amount(journey.events, 'request')},"
        f" {amount(journey.pages, 'page')}"
    )
    for each in journey.moments:
        print(_line(each))
    if journey.ended == "pause" and following:
        pause = span(following[0].first_ts - journey.last_ts)
        print(f"It ended with a pause: back after {pause}.")
    else:
        print(_ENDS.get(journey.ended, _ENDS["left"]))


def _line(each: Moment) -> str:
    gap = f"+{span(each.gap_us)}" if each.gap_us >= 1_000_000 else ""
    if each.kind == "request":
        where = each.path or each.step or "–"
        if each.step and each.path and each.step.startswith("click:"):
            where = f"{each.path} {each.step}"
        what = f"{each.method or '–':<6} {printable(where)}"
    else:
        what = f"{each.kind} {each.action or ''} {printable(each.step or '')}".strip()
    reason = "" if each.reason in (None, each.outcome) else printable(each.reason)
    outcome = printable(each.outcome or "")
    status = "" if each.status is None else str(each.status)
    took = "" if each.duration_us is None else span(each.duration_us)
    result = " ".join(filter(None, (status, outcome, reason, took)))
    head = f"  {clock(each.ts)} {gap:<{GAP_WIDTH}} "
    width = min(WHAT_WIDTH, max(WIDTH - len(head) - 1 - len(result), LEAST_WIDTH))
    return f"{head}{shorten(what, width):<{width}} {paint(result, each.outcome)}".rstrip()
