"""`flowaudit archive --to PLACE`: older entries leave the trail for Parquet files."""

import argparse
from dataclasses import asdict
from typing import Final

from ..archive.gathering import DAY_US
from ..archive.moving import Moved, archive_trail
from ..archive.places import open_place
from ..report.words import amount
from ..trail.opening import open_trail
from .options import add_format, add_trail, trail_paths
from .output import print_json, print_table
from .persons import day_of
from .places import add_age, before_of, now_us

__all__ = ["add_parser", "run"]

LOCK_TIMEOUT_S: Final = 30.0
"""Seconds to wait for the trail's lock."""

_COLUMNS: Final = ("first", "last", "file", "size_bytes", "first_ts", "last_ts")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "archive",
        help="move older entries out of the trail into Parquet files",
        description="Copy whole days of signed entries into Parquet files, read back what was "
        "written, and delete them from the trail, which keeps the hashes above them. Broken off, "
        "run it again. Apps may go on writing.",
        epilog="example: flowaudit archive --to /srv/archive --older-than 30d",
    )
    parser.add_argument(
        "--to",
        required=True,
        metavar="PLACE",
        help="where they go: a folder (made if need be), or a URL such as s3://bucket/folder",
    )
    add_age(parser, "default: today, so all days that are over")
    add_trail(parser, help_text="the trail to move them out of")
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Archive, and say what was moved."""
    now = now_us()
    before = before_of(args, now)
    paths = trail_paths(args)
    place = open_place(args.to, is_new=True)
    until = now - now % DAY_US if before is None else before
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        moved = list(archive_trail(trail, place, until, now))
    if args.format == "json":
        print_json({"place": place.text, "files": [asdict(each) for each in moved]})
    elif args.format == "csv":
        print_table(_COLUMNS, [tuple(asdict(each).values()) for each in moved], "csv")
    else:
        _print_text(moved, place.text)
    return 0


def _print_text(moved: list[Moved], place: str) -> None:
    if not moved:
        print("Nothing was archived: no whole tile of 256 signed entries is old enough.")
        return
    count = sum(each.last - each.first + 1 for each in moved)
    size = sum(each.size_bytes for each in moved)
    print(f"{count:,} entries are in {amount(len(moved), 'file', 'files')} at {place},")
    print(f"{size / count:.1f} bytes each, from {day_of(moved[0].first_ts)}")
    print(f"to {day_of(max(each.last_ts for each in moved))}. The trail has given them up.")
