"""`flowaudit evidence -o case.zip`: events with their proofs, for somebody who trusts nobody."""

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from ..archive.reading import with_archives
from ..errors import QueryError, SettingError, VaultError
from ..evidence.pack import Asked, Pack, write_pack
from ..journeys.engine import Engine
from ..policy.rules import find_policy
from ..report.words import amount
from ..review.engine import review
from ..trail.paths import TrailPaths
from ..vault.base import AnyVault, is_token
from ..vault.erasure import find_person
from ..vault.opening import open_vault, vault_exists
from ..vault.place import DatabaseUrl
from .new_file import check_new, new_file
from .options import LOCK_TIMEOUT_S, add_policy, add_trail, asker, record_access, trail_paths
from .persons import check_reason
from .places import add_archive, archive_places
from .statement import add_span, span_of
from .witnesses import add_against, witnessed_by

__all__ = ["add_parser", "run"]

MAX_SEQ: Final = 2**53


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "evidence",
        help="events with their proofs, a page for a lawyer and a verifier, in one zip file",
        description="Write an evidence pack: the events of a person, behind a finding, or by their "
        "place; each with its proof; who the tokens stand for, if you may read the vault; how "
        "complete the trail is for that time; a page in plain words; and a verifier that needs "
        "nothing but Python. The export is an event in the trail.",
        epilog="example: flowaudit evidence --actor user:42 --from 2026-11-01 -o case.zip",
    )
    parser.add_argument("--actor", metavar="PERSON", help="an identity (user:42), or a token")
    parser.add_argument(
        "--finding",
        metavar="ID",
        help="a detection's id; ID@SEQ for the one finding with that event",
    )
    parser.add_argument("--seq", metavar="LIST", help="places in the trail, such as 17,20-25")
    add_span(parser)
    parser.add_argument("--reason", metavar="TEXT", help="why; it stands in the pack")
    parser.add_argument(
        "--without-identities", action="store_true", help="name nobody, also where you may"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="new")
    add_against(parser)
    add_archive(parser, "look for events in archives too, there")
    add_trail(parser)
    add_policy(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the pack, and say what is in it."""
    if not (args.actor or args.finding or args.seq):
        raise SettingError("actor", None, "one of --actor, --finding and --seq")
    paths = trail_paths(args)
    check_new(args.output)
    with ExitStack() as stack:
        vault = stack.enter_context(open_vault(paths.vault, timeout_s=LOCK_TIMEOUT_S))
        may_read = _may_read(paths)
        actors = _actors(vault if may_read else None, args) if args.actor else ()
        seqs = set(_seqs(args.seq)) if args.seq else set[int]()
        if args.finding:
            seqs |= set(_finding(args, paths))
        asked = Asked(
            actors=actors,
            finding=args.finding,
            seqs=tuple(seqs),
            span=span_of(args) if args.first or args.end else None,
            by=_asker(vault),
            why=args.reason,
        )
        record_access(args, paths, "evidence", "raw", action="export", of=actors)
        file = stack.enter_context(new_file(args.output))
        kept, beside = witnessed_by(args, paths), with_archives(archive_places(args))
        shown = vault if may_read and not args.without_identities else None
        pack = write_pack(file, paths, asked, shown, kept, beside)
    _print(pack, args.output)
    return 0 if pack.verified else 1


def _may_read(paths: TrailPaths) -> bool:
    """Whether whoever runs this may ask the vault; a database tells by itself."""
    if isinstance(paths.vault, DatabaseUrl):
        return True
    return vault_exists(paths.vault) and os.access(paths.vault, os.R_OK)


def _asker(vault: AnyVault) -> str | None:
    try:
        return asker(vault)
    except VaultError:
        return None


def _actors(vault: AnyVault | None, args: argparse.Namespace) -> tuple[str, ...]:
    """Tokens of a person; a token that the vault does not know stands for itself."""
    person = find_person(vault, args.actor) if vault is not None else None
    if person is not None:
        check_reason(args.reason, person.identity)
        return person.tokens
    if is_token(args.actor):
        return (args.actor,)
    raise VaultError("the vault knows nobody by that identity (somebody erased: give the token)")


def _seqs(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        try:
            start, end = int(first), int(last or first)
        except ValueError:
            raise SettingError("seq", text, "places such as 17,20-25") from None
        if not 0 <= start <= end < MAX_SEQ or end - start > 10**6:
            raise SettingError("seq", text, "places such as 17,20-25")
        yield from range(start, end + 1)


def _finding(args: argparse.Namespace, paths: TrailPaths) -> Iterator[int]:
    """The events behind the findings that are meant."""
    name, _, place = args.finding.partition("@")
    with Engine.open(paths.trail, archives=archive_places(args), reading=None) as engine:
        found = review(engine, find_policy(args.policy).review)
    chosen = [
        each
        for each in found.findings
        if each.id == name and (not place or place in map(str, each.events))
    ]
    if not chosen:
        raise QueryError(f"no finding {args.finding}: flowaudit review shows those there are")
    for each in chosen:
        yield from each.events


def _print(pack: Pack, path: Path) -> None:
    people = (
        f", {amount(pack.people, 'person', 'people')} named" if pack.people else ", nobody named"
    )
    proofs = "its proof" if pack.events == 1 else "their proofs"
    print(f"{amount(pack.events, 'event')} with {proofs}{people}, in {path}.")
    if pack.erased:
        print(f"Of {amount(pack.erased, 'event')} the personal part has been erased.")
    for number, what in (
        (pack.unseen.missing, "of the places that were asked for are not in it"),
        (
            pack.unseen.archived,
            "entries stand in archives and were not looked at: --archive PLACE does",
        ),
        (pack.unseen.pruned, "entries were pruned, and can't be looked at any more"),
    ):
        if number:
            print(f"{number:,} {what}.")
    if not pack.verified:
        print("The trail does NOT hold, and the pack says so. See flowaudit verify.")
    print(f"\nNext: flowaudit verify {path}")
