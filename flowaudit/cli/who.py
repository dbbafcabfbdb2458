"""`flowaudit who TOKEN`: whom a token stands for."""

import argparse
import sys

from ..report.words import printable
from ..vault.base import is_token
from ..vault.erasure import find_person, hold_of
from .options import add_format, add_reason, add_trail, record_access, trail_paths
from .output import print_csv, print_json
from .persons import check_reason, day_of, open_vault

__all__ = ["add_parser", "run"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "who",
        help="whom a token stands for, for those who may read the vault",
        description="Ask the vault whom a token of the trail stands for. That it was asked is "
        "recorded in the trail, with the token and never with the name. Exit status 2 if the "
        "vault does not know, or not any more.",
        epilog="example: flowaudit who 3kq5…  (52 characters)",
    )
    parser.add_argument("token", metavar="TOKEN", help="a token as it stands in the trail")
    add_trail(parser, help_text="the trail whose vault is asked")
    add_reason(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, and say what is known."""
    paths = trail_paths(args)
    with open_vault(paths) as vault:
        token = args.token.strip().lower()
        person = find_person(vault, token) if is_token(token) else None
        hold = hold_of(vault, token)
    if person is not None:
        check_reason(args.reason, person.identity)
        record_access(args, paths, "who", "identity", of=(token,))
    state, identity, at = "unknown", None, 0
    if person is not None:
        at = person.erased_at
        state = "live" if token == person.live else "erased" if person.erased else "erasing"
        identity = person.identity
    if args.format == "json":
        print_json({"token": token, "state": state, "identity": identity, "held": hold is not None})
    elif args.format == "csv":
        print_csv(("token", "state", "identity"), [(token, state, identity)])
    elif state == "live" and identity is not None:
        print(printable(identity))
        if hold is not None:
            print(f"A legal hold stands since {day_of(hold.since)}: {printable(hold.why)}")
    else:
        print(f"flowaudit: {_unanswered(state, at, token)}", file=sys.stderr)
    return 0 if state == "live" else 2


def _unanswered(state: str, at: int, token: str) -> str:
    if state == "erased":
        return f"this person was erased on {day_of(at)}: nobody can say any more who it was"
    if state == "erasing":
        return f"the erasure of this person was broken off: run flowaudit erase {token}"
    if not is_token(token):
        return "that is no token: a token has 52 characters of a-z and 2-7"
    return "the vault does not know this token: it comes from another vault, or is mistyped"
