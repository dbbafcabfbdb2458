"""What the commands about one person share: the vault, whom an argument means, events of ours."""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from ..errors import EventError, VaultError
from ..event import SCHEMA_VERSION, Core, Value, encode_core, new_source
from ..trail.opening import open_trail
from ..trail.paths import TrailPaths
from ..vault import opening
from ..vault.base import AnyVault
from ..vault.erasure import Person, find_person
from .options import MAX_REASON

__all__ = [
    "LOCK_TIMEOUT_S",
    "OUT_OF_REACH",
    "add_person",
    "check_reason",
    "day_of",
    "known_person",
    "open_vault",
    "record_by_hand",
]

LOCK_TIMEOUT_S: Final = 30.0
"""Seconds to wait for the trail's lock."""

VAULT_TIMEOUT_S: Final = 5.0
"""Seconds to wait for the vault."""

OUT_OF_REACH: Final = (
    "Copies elsewhere are out of reach: exports, reports, emitted log lines, backups of trail and"
    " vault, and other trails that share the vault."
)
"""What no command of ours can read or erase."""


def add_person(parser: argparse.ArgumentParser) -> None:
    """The argument PERSON."""
    parser.add_argument(
        "person", metavar="PERSON", help="an identity as the app tells it (user:42), or a token"
    )


@contextmanager
def open_vault(paths: TrailPaths) -> Iterator[AnyVault]:
    """The vault of a trail. Raises `VaultError` if there is none: none is made."""
    if not opening.vault_exists(paths.vault):
        raise VaultError(f"there is no vault at {paths.vault}")
    with opening.open_vault(paths.vault, timeout_s=VAULT_TIMEOUT_S) as vault:
        yield vault


def known_person(vault: AnyVault, asked: str) -> Person:
    """Whom an argument means. Raises `VaultError` if the vault has never met them."""
    person = find_person(vault, asked)
    if person is None:
        raise VaultError(
            "the vault knows nobody by that identity or token (somebody erased is found by the"
            " token alone)"
        )
    return person


def check_reason(reason: str | None, identity: str | None) -> str | None:
    """A reason that may stay for ever. Raises `EventError` if it names the person."""
    if reason is None:
        return None
    name = (identity or "").rpartition(":")[2].casefold()
    if len(reason) > MAX_REASON:
        raise EventError(f"a reason has at most {MAX_REASON} characters")
    if len(name) > 2 and name in reason.casefold():
        raise EventError("the reason names the person; it stays in the trail for ever: reword it")
    return reason


def record_by_hand(paths: TrailPaths, actor: str, facts: dict[str, Value]) -> None:
    """Record something that was done by hand: an `ops`/`manual` event, durable when it returns."""
    source = new_source()
    core = Core(
        v=SCHEMA_VERSION,
        source=source,
        n=1,
        ts=time.time_ns() // 1_000,
        kind="ops",
        action="manual",
        actor=actor,
        actor_kind="user",
        outcome="ok",
        facts=facts,
    )
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        trail.append([(encode_core(core), b"")], source, 1)


def day_of(ts: int) -> str:
    """The UTC moment of a time in µs, to the minute."""
    return datetime.fromtimestamp(ts / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
