"""Options that several commands share, and the event that says a trail was read."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import SettingError
from ..policy.rules import find_policy
from ..settings import resolve
from ..trail.access import LOCK_TIMEOUT_S, asker, record_reading
from ..trail.opening import check_trail
from ..trail.paths import TrailPaths
from ..vault.place import DatabaseUrl, Place, place_of

__all__ = [
    "LOCK_TIMEOUT_S",
    "MAX_REASON",
    "add_format",
    "add_policy",
    "add_reason",
    "add_trail",
    "asker",
    "place",
    "record_access",
    "setting_of",
    "trail_paths",
]

MAX_REASON: Final = 500
"""Characters of a reason that is given."""


def add_trail(parser: argparse.ArgumentParser, *, help_text: str = "the trail to read") -> None:
    """The option `--trail`; its default is found when the command runs."""
    parser.add_argument(
        "--trail",
        type=place,
        metavar="FILE",
        help=f"{help_text}; default: FLOWAUDIT_TRAIL, else flowaudit.toml, else flowaudit.db",
    )


def place(text: str) -> Place:
    """A file, or the URI of a database, as an option gives it. No message repeats the URI."""
    try:
        return place_of(text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(f"expected {error.expected}") from None


def add_format(parser: argparse.ArgumentParser) -> None:
    """The option `--format`."""
    parser.add_argument(
        "--format",
        choices=("text", "json", "csv"),
        default="text",
        help="text for people (default), json or csv for programs",
    )


def add_policy(parser: argparse.ArgumentParser) -> None:
    """The option `--policy`."""
    parser.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="the policy file; default: FLOWAUDIT_POLICY, else flowaudit.toml in this folder",
    )


def trail_paths(args: argparse.Namespace, *, must_exist: bool = True) -> TrailPaths:
    """The trail that a command is about. Raises `NotATrailError` if it is none."""
    given = {"trail": args.trail.uri if isinstance(args.trail, DatabaseUrl) else args.trail}
    settings = resolve(given, os.environ, find_policy(getattr(args, "policy", None)).settings)
    paths = TrailPaths.of_settings(settings)
    if must_exist:
        check_trail(paths)
    elif not isinstance(paths.trail, DatabaseUrl) and not paths.trail.parent.is_dir():
        raise SettingError("trail", str(paths.trail), "a file in a folder that exists")
    return paths


def setting_of(args: argparse.Namespace, name: str) -> Any:
    """What environment or policy file say of a setting, else its default."""
    return resolve({}, os.environ, find_policy(getattr(args, "policy", None)).settings)[name]


def add_reason(parser: argparse.ArgumentParser) -> None:
    """The option `--reason` of a command that reads."""
    parser.add_argument(
        "--reason", metavar="TEXT", help="why you read it; stands in the trail with your token"
    )


def record_access(
    args: argparse.Namespace,
    paths: TrailPaths,
    command: str,
    scope: str,
    *,
    action: Literal["read", "export"] = "read",
    of: Sequence[str] = (),
) -> None:
    """Record in the trail that a command reads it, and why if that is said.

    Where it cannot be recorded the reading goes on, and standard error says so.
    """
    reason = getattr(args, "reason", None)
    if reason and len(reason) > MAX_REASON:
        raise SettingError("reason", reason, f"at most {MAX_REASON} characters")
    what = record_reading(paths, command, scope, action=action, of=of, why=reason)
    if what:
        print(f"flowaudit: {what}", file=sys.stderr)
