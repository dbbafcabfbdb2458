"""`flowaudit erase PERSON`: who somebody was, and what points at them, goes for good."""

import argparse
import sys
import time
from dataclasses import dataclass

from ..archive.erasing import erase_archived
from ..archive.upkeep import upkeep
from ..errors import SettingError, VaultError
from ..report.words import printable
from ..spool.dead import waiting_records
from ..trail.erasing import erase_tokens
from ..trail.forgetting import ErasureNote
from ..trail.opening import open_trail
from ..trail.paths import TrailPaths
from ..trail.ranges import Range
from ..trail.store import WritableTrail
from ..vault.base import AnyVault
from ..vault.erasure import Person, begin_erasure, end_erasure, hold_of
from ..vault.place import DatabaseUrl, is_database
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
from .places import add_archive, archive_places
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
    add_archive(parser, "erase from archives there too")
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Erase, and say what was done and what could not be."""
    paths, places = trail_paths(args), archive_places(args)
    with open_vault(paths) as vault:
        person = known_person(vault, args.person)
        reason = check_reason(args.reason, person.identity)
        for token in person.tokens:
            hold = hold_of(vault, token)
            if hold is not None:
                raise VaultError(f"a legal hold forbids to erase {token}: {hold.why}")
        if not args.yes and not _is_confirmed(paths, person):
            print("Nothing was erased.", file=sys.stderr)
            return 2
        with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail, upkeep(trail):
            # not before it is known that the trail can be written
            begin_erasure(vault, person, time.time_ns() // 1_000)
            adopt(trail)
            note = ErasureNote(person.tokens, why=reason, actor=asker(vault))
            count = erase_tokens(trail, person.tokens, note)
            archived, unreached = erase_archived(trail, places, person.tokens, note)
            if count + archived == 0 and person.erased is None:
                trail.append(note.records(()), note.source, note.n)
            trail.checkpoint()
            end_erasure(vault, person)
            blocked = _truncate(paths, trail, vault)
    done = _Done(count, archived, unreached, blocked, waiting_records(paths.spool))
    _print(person, done, args.format)
    return 0


@dataclass(frozen=True, slots=True)
class _Done:
    """What an erasure has done, and what it could not."""

    events: int
    archived: int
    """Events in archives that have lost their personal part."""
    unreached: list[Range]
    """Archived ranges that were not looked at."""
    blocked: list[str]
    waiting: int

    @property
    def out_of_reach(self) -> list[str]:
        """Places of archives that were not reached."""
        return sorted({each.place for each in self.unreached})


def _is_confirmed(paths: TrailPaths, person: Person) -> bool:
    if not sys.stdin.isatty():
        raise SettingError("yes", False, "--yes where nobody can be asked: nothing comes back")
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        count = sum(1 for _ in trail.erasable(person.tokens, trail.size()))
    print(fold(f"{count:,} events lose their personal part. Nothing brings it back."))
    return input("Erase? Type yes: ").strip().lower() == "yes"


def _truncate(paths: TrailPaths, trail: WritableTrail, vault: AnyVault) -> list[str]:
    """Empty both stores' logs; files whose log a reader keeps from that, and databases whose dead
    rows this log-in may not give up.
    """
    done = ((paths.trail, trail.truncate_log()), (paths.vault, vault.truncate_log()))
    names = [
        str(p) if isinstance(p, DatabaseUrl) else f"{p}-wal" for p, is_done in done if not is_done
    ]
    return [*dict.fromkeys(names)]


def _print(person: Person, done: _Done, fmt: str) -> None:
    columns = ("tokens", "events", "blocked", "waiting", "archived_events", "archives_not_reached")
    lists = ([*person.tokens], done.blocked, done.out_of_reach)
    tokens, blocked, places = lists if fmt == "json" else map(" ".join, lists)
    row = (tokens, done.events, blocked, done.waiting, done.archived, places)
    if fmt == "json":
        print_json({**dict(zip(columns, row, strict=True)), "out_of_reach": OUT_OF_REACH})
        return
    if fmt == "csv":
        print_table(columns, [row], fmt)
        return
    whom = ", ".join(person.tokens)
    print(f"Erased: {whom}")
    print(f"{done.events:,} events have lost their personal part.")
    if done.archived:
        print(f"{done.archived:,} events in archives have lost it.")
    for place in done.out_of_reach:
        count = sum(each.count for each in done.unreached if each.place == place)
        print(
            f"NOT reached: an archive of {count:,} entries at {printable(place)}. Run:"
            f" flowaudit erase {person.tokens[0]} --archive PLACE"
        )
    waiting = done.waiting
    for path in done.blocked:
        if is_database(path):
            print(
                f"PostgreSQL keeps erased bytes in dead rows until VACUUM; the owner of {path}"
                " may run it at once: VACUUM flowaudit.event, flowaudit_vault.person"
            )
            continue
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
