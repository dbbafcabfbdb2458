"""`flowaudit key`: which keys have signed the trail, and signing with a new one from now on."""

import argparse
from collections.abc import Iterator
from dataclasses import astuple, dataclass

from ..errors import ProofError, SettingError
from ..event import decode_core
from ..proofs.note import VerifierKey
from ..report.words import moment, printable
from ..trail.opening import open_reader, open_trail
from ..trail.paths import TrailPaths
from ..vault.opening import open_vault
from .options import MAX_REASON, add_format, add_trail, asker, trail_paths
from .output import print_table
from .persons import LOCK_TIMEOUT_S

__all__ = ["add_parser", "run"]

MARK = b'"action":"key"'
"""What every core has that tells of a key."""


@dataclass(frozen=True, slots=True)
class _News:
    """What an event says of a key."""

    seq: int
    ts: int
    what: str
    key: str
    why: str | None


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "key",
        help="which keys have signed the trail; sign with a new one",
        description="Say what the trail tells of its signing keys, or replace the current one. "
        "rotate: the old key vouches for the new one, and whoever trusts it goes on to. revoke: "
        "the old key was stolen or lost; the new one must be handed to auditors. Both are events "
        "in the trail, and running apps sign with the new key from their next checkpoint on.",
        epilog="example: flowaudit key rotate --reason 'yearly'",
    )
    parser.add_argument(
        "what", choices=("show", "rotate", "revoke"), nargs="?", default="show", metavar="WHAT",
        help="show (default), rotate or revoke",
    )  # fmt: skip
    parser.add_argument("--reason", metavar="TEXT", help="why; it stays in the trail")
    add_trail(parser, help_text="the trail whose keys are meant")
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show or replace."""
    paths = trail_paths(args)
    if args.what == "show":
        if args.format == "text":
            rows = [
                (news.seq, moment(news.ts, seconds=True), news.what, _shown(news.key), news.why)
                for news in _told(paths)
            ]
            print_table(("seq", "time", "what", "key", "why"), rows, "text")
        else:
            columns = ("seq", "ts", "what", "key", "why")
            print_table(columns, [astuple(news) for news in _told(paths)], args.format)
        return 0
    is_revoked = args.what == "revoke"
    if is_revoked and not args.reason:
        raise SettingError("reason", args.reason, "a text: a revocation says why")
    if args.reason and len(args.reason) > MAX_REASON:
        raise SettingError("reason", args.reason, f"at most {MAX_REASON} characters")
    with open_vault(paths.vault, timeout_s=LOCK_TIMEOUT_S) as vault:
        actor = asker(vault)
    # one that is lost can be revoked, but only where it is known which one that was
    may_make = is_revoked and paths.public_key.exists()
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S, replaces_key=may_make) as trail:
        old, new = trail.replace_key(is_revoked=is_revoked, why=args.reason, actor=actor)
    print(f"{_shown(str(old))} is {'revoked' if is_revoked else 'retired'}.")
    print(f"{_shown(str(new))} signs from now on; its public half is {paths.public_key}.")
    if is_revoked:
        print("Hand that file to everybody who verifies: the old key no longer vouches for it.")
    return 0


def _told(paths: TrailPaths) -> Iterator[_News]:
    with open_reader(paths) as reader:
        for entry in reader.entries():
            if MARK not in entry.core:
                continue
            core = decode_core(entry.core)
            named = (core.facts or {}).get("key")
            if core.kind not in ("ops", "process") or not isinstance(named, dict):
                continue
            why = (core.facts or {}).get("why")
            for what in ("created", "retired", "revoked"):
                if what in named:
                    yield _News(entry.seq, core.ts or 0, what, str(named[what]), why and str(why))


def _shown(key: str) -> str:
    """A key by its name and hash; what is none stands as it is."""
    try:
        read = VerifierKey.parse(key)
    except ProofError:
        return printable(key)
    return printable(f"{read.name}+{read.hash.hex()}")
