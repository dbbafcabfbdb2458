"""`flowaudit hold PERSON`: a legal hold forbids to erase somebody."""

import argparse
import time

from ..errors import SettingError, VaultError
from ..vault.erasure import Hold, hold_of, place_hold, release_hold
from .options import add_trail, asker, trail_paths
from .persons import add_person, check_reason, day_of, known_person, open_vault, record_by_hand

__all__ = ["add_parser", "run"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "hold",
        help="forbid to erase somebody while a legal hold stands, or release it",
        description="Place a legal hold on a person, or release it. While it stands, flowaudit "
        "erase refuses. Both are events in the trail.",
        epilog="example: flowaudit hold user:42 --reason 'case 2031/7'",
    )
    add_person(parser)
    parser.add_argument("--reason", metavar="TEXT", help="why; it stays in the trail")
    parser.add_argument("--release", action="store_true", help="release the hold")
    add_trail(parser, help_text="the trail whose vault and events are meant")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Place or release a hold, and record it."""
    paths = trail_paths(args)
    if not args.release and not args.reason:
        raise SettingError("reason", args.reason, "a text: a hold says why it stands")
    with open_vault(paths) as vault:
        person = known_person(vault, args.person)
        token, reason = person.live, check_reason(args.reason, person.identity)
        if token is None:
            raise VaultError("nothing is left to hold: this person's erasure has begun")
        told = {"why": reason} if reason else {}
        if args.release:
            hold = hold_of(vault, token)
            if hold is None:
                raise VaultError(f"no legal hold stands on {token}")
            # the event first: nobody is erased who was not released in the trail before
            record_by_hand(paths, asker(vault), {"released": token, **told})
            release_hold(vault, token)
            print(f"The legal hold of {day_of(hold.since)} on {token} is released.")
        else:
            place_hold(vault, token, Hold(time.time_ns() // 1_000, reason or ""))
            record_by_hand(paths, asker(vault), {"hold": token, **told})
            print(f"A legal hold stands on {token}: flowaudit erase refuses.")
    return 0
