"""The event that says a trail was read: by whom, with what, how much of it, and why."""

import getpass
import os
import time
from collections.abc import Sequence
from typing import Final, Literal

from ..errors import TrailBusyError, TrailError, VaultError
from ..event import SCHEMA_VERSION, Core, Value, encode_core, new_source
from ..vault.base import AnyVault
from ..vault.opening import open_vault
from ..vault.place import DatabaseUrl, Place
from .opening import open_trail
from .paths import TrailPaths

__all__ = ["LOCK_TIMEOUT_S", "asker", "record_reading"]

LOCK_TIMEOUT_S: Final = 5.0
"""Seconds that a reader waits to record that it reads."""


def record_reading(
    paths: TrailPaths,
    command: str,
    scope: str,
    *,
    action: Literal["read", "export"] = "read",
    of: Sequence[str] = (),
    why: str | None = None,
) -> str | None:
    """Record in the trail that it is read.

    Nothing is recorded on a trail that may only be read, nor on one that is damaged: to read it
    must stay possible.

    Args:
        paths: the trail.
        command: what reads: a command's name, or `python`.
        scope: `raw` for single events, `report` for numbers about them, `identity` for names.
        action: `read`, or `export` of what leaves the trail as a file.
        of: tokens of those who were asked for, where the question names them.
        why: the reason that was given.

    Returns what is not recorded and why, for people; `None` if all is, or need not be.
    """
    if not _may_write(paths.trail):
        return None
    source = new_source()
    try:
        with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
            login = trail.login
            who, unknown = _asker_of(paths, login)
            facts: dict[str, Value] = {
                "command": command,
                "scope": scope,
                **({"of": [*of]} if of else {}),
                **({"why": why} if why else {}),
                **({"database_user": login} if login else {}),
            }
            core = Core(
                v=SCHEMA_VERSION,
                source=source,
                n=1,
                ts=time.time_ns() // 1_000,
                kind="access",
                action=action,
                actor=who,
                actor_kind="user",
                resource="trail",
                outcome="ok",
                facts=facts,
            )
            trail.note_access(encode_core(core), source)
    except (TrailBusyError, VaultError) as error:
        return f"this reading is not recorded: {error}"
    except TrailError as error:
        is_told = isinstance(paths.trail, DatabaseUrl)
        return f"this reading is not recorded: {error}" if is_told else None
    return None if unknown is None else f"this reading is recorded without who reads: {unknown}"


def _asker_of(paths: TrailPaths, login: str | None) -> tuple[str | None, str | None]:
    """The token of who runs this. Without one, where the vault is closed to them: why, unless a
    database knows them by their log-in.
    """
    try:
        with open_vault(paths.vault, timeout_s=LOCK_TIMEOUT_S) as vault:
            return asker(vault), None
    except VaultError as error:
        return None, str(error) if login is None else None


def _may_write(trail: Place) -> bool:
    if isinstance(trail, DatabaseUrl):
        return True  # it says so itself
    return os.access(trail, os.W_OK) and os.access(trail.parent, os.W_OK)


def asker(vault: AnyVault) -> str:
    """The token of who runs this process."""
    return vault.token(f"os:{_login_name()}")


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
