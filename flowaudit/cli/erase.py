"""`flowaudit erase PERSON`: who somebody was, and what points at them, goes for good."""

import argparse
import sys
import time

from ..errors import SettingError, VaultError
from ..trail.dead_spool import waiting_records
from ..trail.erasing import erase_tokens
from ..trail.forgetting import ErasureNote
from ..trail.opening import open_trail
from ..trail.paths import TrailPaths
from ..trail.store import WritableTrail
from ..vault.base import AnyVault
from ..vault.erasure import Person, begin_erasure, end_erasure, hold_of
from .options import add_format, add_trail, asker, trail_paths
from .output import print_json, print_table
from .persons import (
    LOCK_TIMEOUT_S,
    OUT_OF_REACH,
    add_person,
    check_reason,
    known_person,
    open_vault,
)
from .recovering import adopt
from .wording import fold

__all__ = ["add_parser", "run"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "erase",
        help="erase a person: who they were, and the personal part of their events",
        description="Delete the mapping from token to person in the vault, and salt and personal "
        "part of all events of their tokens in the trail. What happened stays, every proof goes on "
        "to verify, and the erasure is an event. Broken off, run it again. Refuses while a legal "
        "hold stands.",
        epilog="example: flowaudit erase user:42 --reason 'request of 3 May' --yes",
    )
    add_person(parser)
    parser.add_argument("--reason", metavar="TEXT", help="why; it stays in the trail")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    add_trail(parser, help_text="the trail to erase from")
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Erase, and say what was done and what could not be."""
    paths = trail_paths(args)
    with open_vault(paths) as vault:
        person = known_person(vault, args.person)
        reason = check_reason(args.reason, person)
        for token in person.tokens:
            hold = hold_of(vault, token)
            if hold is not None:
                raise VaultError(f"a legal hold forbids to erase {token}: {hold.why}")
        if not args.yes and not _is_confirmed(paths, person):
            print("Nothing was erased.", file=sys.stderr)
            return 2
        begin_erasure(vault, person, time.time_ns() // 1_000)
        with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
            adopt(trail)
            note = ErasureNote(person.tokens, why=reason, actor=asker(vault))
            count = erase_tokens(trail, person.tokens, note)
            if count == 0 and person.erased is None:
                trail.append(note.records(()), note.source, note.n)
            trail.checkpoint()
            end_erasure(vault, person)
            blocked = _truncate(paths, trail, vault)
    _print(person, count, blocked, waiting_records(paths.spool), args.format)
    return 0


def _is_confirmed(paths: TrailPaths, person: Person) -> bool:
    if not sys.stdin.isatty():
        raise SettingError("yes", False, "--yes where nobody can be asked: nothing comes back")
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        count = sum(1 for _ in trail.erasable(person.tokens, trail.size()))
    print(fold(f"{count:,} events lose their personal part. Nothing brings it back."))
    return input("Erase? Type yes: ").strip().lower() == "yes"


def _truncate(paths: TrailPaths, trail: WritableTrail, vault: AnyVault) -> list[str]:
    """Empty both write-ahead logs; the files whose log a reader keeps from that."""
    done = ((paths.trail, trail.truncate_log()), (paths.vault, vault.truncate_log()))
    return [f"{path}-wal" for path, is_empty in done if not is_empty]


def _print(person: Person, count: int, blocked: list[str], waiting: int, fmt: str) -> None:
    columns = ("tokens", "events", "blocked", "waiting")
    if fmt == "json":
        values = ([*person.tokens], count, blocked, waiting)
        print_json({**dict(zip(columns, values, strict=True)), "out_of_reach": OUT_OF_REACH})
        return
    if fmt == "csv":
        row = (" ".join(person.tokens), count, " ".join(blocked), waiting)
        print_table(columns, [row], fmt)
        return
    whom = ", ".join(person.tokens)
    print(f"Erased: {whom}")
    print(f"{count:,} events have lost their personal part.")
    for path in blocked:
        print(
            f"A reader holds on to {path}: erased bytes may stand there until it ends."
            f" Then run: flowaudit erase {person.tokens[0]}"
        )
    if waiting:
        print(
            fold(
                f"{waiting:,} events wait in the spools of processes that are alive; they come into"
                " the trail without what is erased."
            )
        )
    print(fold(OUT_OF_REACH))
