"""`flowaudit prune`: archived entries that are old enough go for good."""

import argparse
import os
import sys
from typing import Any, Final

from ..archive.retention import Pruned, prune_trail
from ..errors import SettingError
from ..policy.rules import find_policy
from ..report.words import amount, printable
from ..settings import resolve
from ..trail.opening import open_reader, open_trail
from ..trail.paths import TrailPaths
from ..trail.ranges import Range
from ..vault.erasure import held_tokens
from .options import add_format, add_trail, asker, trail_paths
from .output import print_json, print_table
from .persons import day_of, open_vault
from .places import add_age, add_archive, archive_places, before_of, day_before, now_us
from .wording import fold

__all__ = ["add_parser", "run"]

LOCK_TIMEOUT_S: Final = 30.0
"""Seconds to wait for the trail's lock."""

_COLUMNS: Final = ("first", "last", "state", "file", "first_ts", "last_ts", "held")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "prune",
        help="remove archived entries for good once they are old enough",
        description="Delete files of the archive whose entries were all committed before a day. "
        "The hashes above them stay, so what remains still verifies; which ranges went is an "
        "event. What a person under legal hold occurs in stays.",
        epilog="example: flowaudit prune --archive /srv/archive --older-than 400d --yes",
    )
    add_archive(parser, "the place of the archive")
    add_age(parser, "default: the setting retention")
    parser.add_argument("--reason", metavar="TEXT", help="why; it stays in the trail")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    add_trail(parser, help_text="the trail whose archive is meant")
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prune, and say what went and what stayed."""
    now, paths, places = now_us(), trail_paths(args), archive_places(args)
    if not places:
        raise SettingError("archive", None, "--archive PLACE: only what is archived is pruned")
    before = before_of(args, now) or _retention(now)
    if not args.yes and not _is_confirmed(paths, before):
        print("Nothing was pruned.", file=sys.stderr)
        return 2
    with open_vault(paths) as vault:  # without one nobody could tell who is under a legal hold
        held, actor = held_tokens(vault), asker(vault)
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        done = prune_trail(trail, places, before, held, actor=actor, why=args.reason)
    _print(done, args.format)
    return 0


def _retention(now: int) -> int:
    text = resolve({}, os.environ, find_policy(None).settings)["retention"]
    if text is None:
        raise SettingError("older-than", None, "an age such as 400d, here or as `retention`")
    return day_before(text, now, "retention")


def _is_confirmed(paths: TrailPaths, before: int) -> bool:
    if not sys.stdin.isatty():
        raise SettingError("yes", False, "--yes where nobody can be asked: nothing comes back")
    with open_reader(paths) as reader:
        due = [r for r in reader.ranges if r.state != "pruned" and r.last_ts < before]
    count = sum(each.count for each in due)
    print(f"{count:,} archived entries from before {day_of(before)} go for good.")
    return input("Prune? Type yes: ").strip().lower() == "yes"


def _print(done: Pruned, fmt: str) -> None:
    found: list[tuple[Range, str, list[str]]]
    found = [(r, "pruned", []) for r in done.gone] + [(r, "held", t) for r, t in done.held.items()]
    found += [(r, "elsewhere", []) for r in done.elsewhere]
    rows: list[tuple[Any, ...]] = [
        (r.first, r.last, state, r.file, r.first_ts, r.last_ts, tokens)
        for r, state, tokens in sorted(found, key=lambda one: one[0].first)
    ]
    if fmt == "json":
        ranges = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        places = sorted({f"{r.place}/{r.draft}" for r in done.unreached})
        print_json({"ranges": ranges, "not_removed": places})
        return
    if fmt == "csv":
        print_table(_COLUMNS, [(*row[:-1], " ".join(row[-1])) for row in rows], "csv")
        return
    count = sum(each.count for each in done.gone)
    print(f"{count:,} entries in {amount(len(done.gone), 'file', 'files')} are gone for good.")
    for each, tokens in done.held.items():
        print(
            fold(
                f"Entries {each.first:,} to {each.last:,} stay: a legal hold stands on"
                f" {', '.join(tokens)}, who occurs there."
            )
        )
    for each in done.elsewhere:
        print(
            f"Entries {each.first:,} to {each.last:,} stay: {each.file} is not at these places; it"
            f" was written to {printable(each.place)}."
        )
    for each in done.unreached:
        print(f"NOT removed: {printable(each.place)}/{each.draft}; run it again when it is there.")
