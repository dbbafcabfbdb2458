"""Options that several commands share, and the event that says a trail was read."""

import argparse
import getpass
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import SettingError, TrailBusyError, TrailError, VaultError
from ..event import SCHEMA_VERSION, Core, Value, encode_core
from ..policy.rules import find_policy
from ..settings import resolve
from ..trail.numbering import new_source
from ..trail.opening import check_trail, open_trail
from ..trail.paths import TrailPaths
from ..vault.base import AnyVault
from ..vault.opening import open_vault
from ..vault.place import DatabaseUrl, Place, place_of

__all__ = [
    "add_format",
    "add_policy",
    "add_trail",
    "asker",
    "place",
    "record_access",
    "setting_of",
    "trail_paths",
]

LOCK_TIMEOUT_S: Final = 5.0
"""Seconds that a reading command waits to record that it reads."""


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
    paths = TrailPaths.of(
        settings["trail"], vault=settings["vault"], key=settings["key"], spool=settings["spool"]
    )
    if must_exist:
        check_trail(paths)
    elif not isinstance(paths.trail, DatabaseUrl) and not paths.trail.parent.is_dir():
        raise SettingError("trail", str(paths.trail), "a file in a folder that exists")
    return paths


def setting_of(args: argparse.Namespace, name: str) -> Any:
    """What environment or policy file say of a setting, else its default."""
    return resolve({}, os.environ, find_policy(getattr(args, "policy", None)).settings)[name]


def record_access(
    paths: TrailPaths, command: str, scope: str, *, action: str = "read", of: Sequence[str] = ()
) -> None:
    """Record in the trail that it is read: by whom (a token), with which command, how much.

    Nothing is recorded on a trail that may only be read; if the trail is busy for too long, that
    is said on standard error and the reading goes on.

    Args:
        paths: the trail.
        command: the command's name.
        scope: `raw` for single events, `report` for numbers about them, `identity` for names.
        action: `read`, or `export` of what leaves the trail as a file.
        of: tokens of those who were asked for, where the question names them.
    """
    if not _may_write(paths.trail):
        return
    source = new_source()
    try:
        with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
            login = trail.login
            facts: dict[str, Value] = {
                "command": command,
                "scope": scope,
                **({"of": [*of]} if of else {}),
                **({"database_user": login} if login else {}),
            }
            core = Core(
                v=SCHEMA_VERSION,
                source=source,
                n=1,
                ts=time.time_ns() // 1_000,
                kind="access",
                action=action,
                actor=_asker_of(paths, login),
                actor_kind="user",
                resource="trail",
                outcome="ok",
                facts=facts,
            )
            trail.note_access(encode_core(core), source)
    except (TrailBusyError, VaultError) as error:
        print(f"flowaudit: this reading is not recorded: {error}", file=sys.stderr)
    except TrailError as error:
        # a damaged trail, or one on a read-only medium: reading it must stay possible
        if isinstance(paths.trail, DatabaseUrl):
            print(f"flowaudit: this reading is not recorded: {error}", file=sys.stderr)


def _asker_of(paths: TrailPaths, login: str | None) -> str | None:
    """The token of who runs this command; without one if a database knows them by their log-in,
    and the vault is closed to it.
    """
    try:
        with open_vault(paths.vault, timeout_s=LOCK_TIMEOUT_S) as vault:
            return asker(vault)
    except VaultError:
        if login is None:
            raise
        return None


def _may_write(trail: Place) -> bool:
    if isinstance(trail, DatabaseUrl):
        return True  # it says so itself
    return os.access(trail, os.W_OK) and os.access(trail.parent, os.W_OK)


def asker(vault: AnyVault) -> str:
    """The token of who runs this command."""
    return vault.token(f"os:{_login_name()}")


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
