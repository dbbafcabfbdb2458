"""`flowaudit recover`: bring what dead processes left in their spools into the trail."""

import argparse
import time
from dataclasses import asdict
from typing import Final

from msgspec.structs import replace

from ..event import SCHEMA_VERSION, encode_core, new_source
from ..recording.adoption import Adoption, Loss, adopt_dead_sources, gap_event
from ..spool.dead import spool_files, waiting_records
from ..trail.opening import check_trail, open_trail
from ..trail.store import WritableTrail
from .options import add_format, add_trail, trail_paths
from .output import print_json, print_table

__all__ = ["add_parser", "adopt", "run"]

LOCK_TIMEOUT_S: Final = 30.0
"""Seconds to wait for the trail's lock."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "recover",
        help="bring events of killed processes from their spools into the trail",
        description="Adopt the spools of processes that are gone: commit their events, and tell "
        "what was lost as gap events. A new process of the app does the same by itself.",
        epilog="example: flowaudit recover --trail flowaudit.db",
    )
    add_trail(parser, help_text="the trail to recover")
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Adopt, and say what was done."""
    paths = trail_paths(args, must_exist=False)
    if not spool_files(paths.spool):
        check_trail(paths)  # else a process died before its trail was made
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        done = adopt(trail)
    _print(done, waiting_records(paths.spool), args.format)
    return 0


def adopt(trail: WritableTrail) -> Adoption:
    """Adopt the spools of dead sources, and tell what was lost under a source of its own."""
    source, written = new_source(), 0

    def report(loss: Loss) -> None:
        nonlocal written
        written += 1
        event = gap_event(loss, time.time_ns() // 1_000)
        core = encode_core(replace(event, v=SCHEMA_VERSION, source=source, n=written))
        trail.append([(core, b"")], source, written)

    return adopt_dead_sources(trail, report)


def _print(done: Adoption, waiting: int, fmt: str) -> None:
    if fmt == "json":
        print_json({**asdict(done), "waiting": waiting})
        return
    if fmt == "csv":
        columns = ("source", "first", "last", "count", "why")
        print_table(columns, [tuple(asdict(loss).values()) for loss in done.losses], fmt)
        return
    print(f"{done.events:,} events of {done.sources:,} ended processes are now in the trail.")
    for loss in done.losses:
        count = "an unknown number of" if loss.count is None else f"{loss.count:,}"
        print(f"  lost: {count} events of source {loss.source} ({loss.why})")
    if waiting:
        print(f"{waiting:,} events wait in the spools of processes that are alive.")
