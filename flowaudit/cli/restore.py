"""`flowaudit restore`: archived entries come back into a trail."""

import argparse
from pathlib import Path
from typing import Final

from ..archive.restoring import restore_ranges
from ..errors import SettingError
from ..evidence.statement import Span
from ..trail.backup import back_up
from ..trail.opening import open_reader, open_trail
from ..trail.paths import TrailPaths
from .options import add_format, add_trail, trail_paths
from .output import print_json, print_table
from .places import add_archive, archive_places
from .statement import add_span, span_of

__all__ = ["add_parser", "run"]

LOCK_TIMEOUT_S: Final = 30.0
"""Seconds to wait for the trail's lock."""

_COLUMNS: Final = ("first", "last", "file", "first_ts", "last_ts")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "restore",
        help="bring archived entries back into the trail, or into a copy of it",
        description="Put back every archived range that has an event of a span, byte for byte, "
        "once its leaves give the hashes that the trail has kept. Its file is removed, for no "
        "erasure would reach it any more; with --into the copy gets the entries and the archive "
        "stays as it is.",
        epilog="example: flowaudit restore --archive /srv/archive --from 2026-03-01"
        " --to 2026-03-31 --into march.db",
    )
    add_archive(parser, "where the archive is")
    add_span(parser)
    parser.add_argument(
        "--into", type=Path, metavar="FILE", help="a copy of the trail to put them into, new"
    )
    add_trail(parser, help_text="the trail that the archive is of")
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Restore, and say what came back."""
    paths, span, places = trail_paths(args), span_of(args), archive_places(args)
    if not places:
        raise SettingError("archive", None, "--archive PLACE")
    if args.into is not None:
        back_up(paths, args.into)
        paths = TrailPaths.of(args.into)
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        found = restore_ranges(
            trail, places, span.first, span.end, keeps_files=args.into is not None
        )
    rows = [(each.first, each.last, each.file, each.first_ts, each.last_ts) for each in found]
    if args.format == "json":
        ranges = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        print_json({"trail": str(paths.trail), "ranges": ranges})
    elif args.format == "csv":
        print_table(_COLUMNS, rows, "csv")
    else:
        print(f"{sum(each.count for each in found):,} entries are back in {paths.trail}.")
        if pruned := _pruned(paths, span):
            print(f"{pruned:,} of that span were pruned: nobody can bring them back.")
    return 0


def _pruned(paths: TrailPaths, span: Span) -> int:
    """How many entries that may be of a span were pruned."""
    with open_reader(paths) as reader:
        gone = [each for each in reader.ranges if each.state == "pruned"]
    return sum(each.count for each in gone if span.meets(each.first_ts, each.last_ts))
