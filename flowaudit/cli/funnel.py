"""`flowaudit funnel`: how far people get along a sequence of steps, and where they stop."""

import argparse
from collections.abc import Sequence

from ..journeys.funnel import FunnelResult, funnel
from ..journeys.left_out import LeftOut, left_out
from ..report.words import amount, bar, percent, printable, shorten, span
from ..vault.place import Place
from .options import add_format, add_reason, add_trail
from .output import print_csv, print_json
from .places import add_archive
from .reading import (
    add_by,
    left_out_json,
    open_engine,
    print_left_out,
    tell_left_out,
    tell_waiting,
)
from .wording import BAR_WIDTH, fold, next_command

__all__ = ["add_parser", "run"]

STEP_WIDTH = 30


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "funnel",
        help="how many journeys reach each of some steps",
        description="Follow journeys along steps, in order but not necessarily next to each other. "
        "Only requests that went well count; a journey counts once for each step it reaches.",
        epilog="example: flowaudit funnel --trail flowaudit.db /doctors '/doctors/{id}' /booking",
    )
    parser.add_argument(
        "steps", nargs="+", metavar="STEP", help="routes (or paths, with --by path)"
    )
    add_trail(parser)
    add_archive(parser, "count archived entries too, there")
    add_reason(parser)
    add_by(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Count, and show."""
    engine, paths = open_engine(args, "funnel", "report")
    with engine:
        result = funnel(engine, args.steps, by=args.by)
        excluded = left_out(engine)
    tell_waiting(paths)
    columns = ("steps", "reached", "drop_off", "median_us")
    if args.format == "json":
        found = {name: getattr(result, name) for name in columns}
        print_json(found | left_out_json(excluded))
    elif args.format == "csv":
        rows = [getattr(result, name) for name in columns]
        print_csv(("step", *columns[1:]), zip(*rows, strict=True))
        tell_left_out(excluded)
    else:
        _print_text(result, paths.trail, excluded)
    return 0


def _print_text(result: FunnelResult, trail: Place, excluded: Sequence[LeftOut]) -> None:
    print(fold(_first_sentence(result)))
    worst = max(range(len(result.steps)), key=lambda i: result.drop_off[i])
    if result.drop_off[worst]:
        share = percent(result.drop_off[worst], result.reached[worst])
        print(
            fold(
                f"Most were lost after {printable(result.steps[worst])}: {share} went no further"
                f" ({result.drop_off[worst]:,} of {result.reached[worst]:,})."
            )
        )
    print(f"\n  {'step':<{STEP_WIDTH}}{'':{BAR_WIDTH}}{'journeys':>9}{'of all':>8}  median time")
    for place, step in enumerate(result.steps):
        reached, name = result.reached[place], shorten(printable(step), STEP_WIDTH - 2)
        took = span(result.median_us[place]) if place and reached else ""
        print(
            f"  {name:<{STEP_WIDTH}}{bar(reached, result.reached[0], BAR_WIDTH):<{BAR_WIDTH}}"
            f"{reached:>9,}{percent(reached, result.reached[0]):>8}  {took}".rstrip()
        )
    print_left_out(excluded)
    next_command("flowaudit", "flows", "--trail", trail)


def _first_sentence(result: FunnelResult) -> str:
    first, last = printable(result.steps[0]), printable(result.steps[-1])
    if not result.reached[0]:
        return (
            f"No journey reached {first} with success. Steps are called as in"
            " `flowaudit flows`; --by path takes paths."
        )
    if len(result.steps) == 1:
        return f"{amount(result.reached[0], 'journey')} reached {first}."
    return (
        f"Of {amount(result.reached[0], 'journey')} that reached {first}, {result.reached[-1]:,}"
        f" ({percent(result.reached[-1], result.reached[0])}) came as far as {last}."
    )
