"""What the commands that analyse a trail share: the engine, people's names, waiting events."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from ..errors import VaultError
from ..journeys.engine import Engine, Include
from ..journeys.left_out import LeftOut
from ..report.exclusions import exclusion_sentence
from ..spool.dead import waiting_records
from ..trail.opening import open_reader
from ..trail.paths import TrailPaths
from ..vault.opening import open_vault, vault_exists
from .options import record_access, trail_paths
from .places import archive_places
from .wording import fold

__all__ = [
    "add_by",
    "add_top",
    "find_token",
    "known_names",
    "left_out_json",
    "open_engine",
    "print_left_out",
    "tell_left",
    "tell_left_out",
    "tell_waiting",
]

VAULT_TIMEOUT_S: Final = 5.0
"""Seconds that a reading command waits for the vault."""

INCLUDE: Final = ("all", "humans", "bots")


def add_by(parser: argparse.ArgumentParser) -> None:
    """The option `--by`."""
    parser.add_argument(
        "--by",
        choices=("route", "path"),
        default="route",
        help="what a step is called by: its route (default), or its path",
    )


def add_top(parser: argparse.ArgumentParser, default: int) -> None:
    """The option `--top`."""
    parser.add_argument(
        "--top",
        type=_positive,
        default=default,
        metavar="N",
        help=f"rows of each list (default {default})",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def open_engine(args: argparse.Namespace, command: str, scope: str) -> tuple[Engine, TrailPaths]:
    """The analysis engine on the trail that a command is about, once its access is recorded.

    Args:
        args: the command's options.
        command: its name.
        scope: `raw` for single events, `report` for numbers about them.
    """
    paths = trail_paths(args)
    record_access(args, paths, command, scope)
    include: Include = getattr(args, "include", "all")
    places = archive_places(args)
    engine = Engine.open(paths.trail, include=include, archives=places, reading=None)
    tell_left(paths, has_archives=bool(places))
    return engine, paths


def tell_left(paths: TrailPaths, *, has_archives: bool) -> None:
    """Say on standard error what has left the trail and is not counted."""
    with open_reader(paths) as reader:
        ranges = reader.ranges
    pruned = sum(each.count for each in ranges if each.state == "pruned")
    archived = sum(each.count for each in ranges) - pruned
    if archived and not has_archives:
        print(
            f"flowaudit: {archived:,} entries stand in archives and are not counted;"
            " --archive PLACE counts them",
            file=sys.stderr,
        )
    if pruned:
        print(f"flowaudit: {pruned:,} entries were pruned and are not counted", file=sys.stderr)


def known_names(paths: TrailPaths) -> dict[str, str]:
    """The identity of every token, as far as the one who runs the command may read the vault."""
    if not vault_exists(paths.vault):
        return {}
    try:
        with open_vault(paths.vault, timeout_s=VAULT_TIMEOUT_S) as vault:
            return vault.identities()
    except VaultError:
        return {}


def find_token(paths: TrailPaths, identity: str) -> str | None:
    """The token of an identity; `None` if it has none or the vault may not be read."""
    if not vault_exists(paths.vault):
        return None
    try:
        with open_vault(paths.vault, timeout_s=VAULT_TIMEOUT_S) as vault:
            return vault.find(identity)
    except VaultError:
        return None


def print_left_out(found: Sequence[LeftOut]) -> None:
    """Say what the policy left out; nothing if it left out nothing."""
    if found:
        print(f"\n{fold(exclusion_sentence(found))}")


def tell_left_out(found: Sequence[LeftOut]) -> None:
    """The same on standard error, for a format that has no place for it."""
    if found:
        print(f"flowaudit: {exclusion_sentence(found)}", file=sys.stderr)


def left_out_json(found: Sequence[LeftOut]) -> dict[str, Any]:
    """The key `left_out`, only where there is something to tell."""
    return {"left_out": [asdict(each) for each in found]} if found else {}


def tell_waiting(paths: TrailPaths) -> None:
    """Say on standard error how many events stand in spools and are not in the trail yet."""
    waiting = waiting_records(paths.spool)
    if waiting:
        print(
            f"flowaudit: {waiting:,} events wait in spools and are not counted;"
            " if their process is gone, run: flowaudit recover",
            file=sys.stderr,
        )
