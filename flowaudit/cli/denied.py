"""`flowaudit denied`: who was turned away, from where, how often and why."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Final

from ..journeys.denied import DeniedReport, denied
from ..journeys.flows import TOP, Count
from ..journeys.left_out import LeftOut, left_out
from ..journeys.scope import Scope, scope_of
from ..report.words import amount, moment, percent, period
from ..vault.place import Place
from .options import add_format, add_reason, add_trail
from .output import print_csv, print_json
from .places import add_archive
from .reading import (
    add_top,
    known_names,
    left_out_json,
    open_engine,
    print_left_out,
    tell_left_out,
    tell_waiting,
)
from .wording import fold, next_command, print_ranking

__all__ = ["add_parser", "run"]

SHOWN_DAYS: Final = 14
"""Days shown in text; JSON has every hour."""

DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000
_LEVELS: Final = "▁▂▃▄▅▆▇█"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "denied",
        help="refusals by client, actor, route, reason and hour",
        description="Count what was refused: outcome denied or hidden, and refused websockets.",
        epilog="example: flowaudit denied --trail site.db --login-path /accounts/login",
    )
    add_trail(parser)
    add_archive(parser, "count archived entries too, there")
    add_reason(parser)
    parser.add_argument(
        "--login-path",
        metavar="PATH",
        help="for logs: a redirect counts as refusal if the visitor's next request, within 60 s, "
        "has a path that begins so",
    )
    add_top(parser, TOP)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Count, and show."""
    engine, paths = open_engine(args, "denied", "report")
    with engine:
        report = denied(engine, login_path=args.login_path, top=args.top)
        scope, excluded = scope_of(engine), left_out(engine)
    tell_waiting(paths)
    if args.format == "json":
        print_json(asdict(report) | left_out_json(excluded))
    elif args.format == "csv":
        print_csv(("list", "key", "n"), _csv_rows(report))
        tell_left_out(excluded)
    else:
        _print_text(report, scope, paths.trail, known_names(paths), excluded)
    return 0


def _csv_rows(report: DeniedReport) -> Iterator[Sequence[object]]:
    yield "total", None, report.total
    for name in ("by_client", "by_actor", "by_route", "by_reason", "per_hour"):
        for key, n in getattr(report, name):
            yield name, key, n


def _print_text(
    report: DeniedReport,
    scope: Scope,
    trail: Place,
    names: dict[str, str],
    excluded: Sequence[LeftOut],
) -> None:
    span = period(scope.first_ts, scope.last_ts)
    if not report.total:
        print(fold(f"No refusals ({amount(scope.requests, 'request')} looked at, {span})."))
        print_left_out(excluded)
        next_command("flowaudit", "flows", "--trail", trail)
        return
    print(
        fold(
            f"{amount(report.total, 'refusal')} among {amount(scope.requests, 'request')}"
            f" ({percent(report.total, scope.requests)}), {span}."
        )
    )
    busiest, most = max(report.per_hour, key=lambda hour: hour[1])
    print(fold(f"The worst hour began {moment(busiest)} UTC, with {most:,}."))
    print_ranking("By client", _labelled(report.by_client, "(no address)"), report.total)
    people = [(names.get(key or "", key), n) for key, n in report.by_actor]
    print_ranking("By actor", _labelled(people, "(no actor)"), report.total)
    print_ranking("By route", _labelled(report.by_route, "(no route)"), report.total)
    print_ranking("By reason", _labelled(report.by_reason, "(no reason)"), report.total)
    _print_days(report)
    print_left_out(excluded)
    (client, _n) = report.by_client[0]
    if client is None:
        next_command("flowaudit", "review", "--trail", trail)
    else:
        next_command("flowaudit", "journey", client, "--trail", trail)


def _print_days(report: DeniedReport) -> None:
    """One line a day, one block an hour."""
    days = [
        (day, {(ts - day) // HOUR_US: n for ts, n in hours})
        for day, hours in groupby(report.per_hour, key=lambda hour: hour[0] - hour[0] % DAY_US)
    ]
    most = max(n for _, n in report.per_hour)
    print("\nBy hour, UTC     0     6     12    18")
    for day, hours in days[-SHOWN_DAYS:]:
        blocks = "".join(
            _LEVELS[max(0, -(-hours[h] * len(_LEVELS) // most) - 1)] if h in hours else "·"
            for h in range(24)
        )
        print(f"  {moment(day)[:-6]:<13}  {blocks}  {sum(hours.values()):>9,}")
    if len(days) > SHOWN_DAYS:
        print(f"  and {len(days) - SHOWN_DAYS:,} earlier days (--format json has all)")


def _labelled(counts: Sequence[Count], missing: str) -> list[tuple[str, int]]:
    return [(missing if key is None else key, n) for key, n in counts]
