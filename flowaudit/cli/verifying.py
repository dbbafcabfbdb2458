"""`flowaudit verify`: does the trail hold?"""

import argparse
import os
from dataclasses import asdict
from pathlib import Path

from ..archive.reading import with_archives
from ..errors import TrailError
from ..report.words import amount, moment, printable
from ..trail.keys import load_verifier_key
from ..verification.found import Verification
from ..verification.trail import verify_trail
from ..witnesses.timestamps import load_roots
from .exported import verify_file
from .incremental import keep_for_next_time, read_last_time
from .options import add_format, add_trail, trail_paths
from .output import print_csv, print_json
from .places import add_archive, archive_places
from .witnesses import add_witnesses, load_keys, witnessed_by

__all__ = ["add_parser", "run"]

_WITNESSES = {"folder": "kept in", "cosigner": "cosigned by", "timestamp": "time stamp of"}

SHOWN = 20
"""Problems shown in text; JSON has all."""


PROCESSES = min(2, os.cpu_count() or 1)
"""Processes that look through archives beside this one."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="check that nothing in the trail was changed, removed or cut",
        description="Check every entry, tile, head, checkpoint and source. Writes nothing. "
        "Exit status 0 only if all of it holds.",
        epilog="example: flowaudit verify --trail flowaudit.db --key auditor/flowaudit.pub"
        " --against /mnt/witness",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="FILE",
        help="an evidence pack or a signed statement, instead of a trail",
    )
    add_trail(parser)
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="the public key that must have signed; default: TRAIL.pub beside the trail",
    )
    add_witnesses(parser)
    parser.add_argument(
        "--incremental",
        type=Path,
        metavar="FILE",
        help="begin where FILE says that the last time ended, and write it anew if all holds",
    )
    add_archive(parser, "look at archived entries too, there")
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify, and say what was found."""
    if args.file is not None:
        _refuse_options_of_trails(args)
        return verify_file(args.file, args)
    paths = trail_paths(args)
    key = load_verifier_key(paths, args.key) if args.key else None
    found = verify_trail(
        paths,
        key=key,
        witnessed=witnessed_by(args, paths),
        cosigners=load_keys(args.cosigner),
        roots=[root for path in args.tsa_root for root in load_roots(path)],
        since=read_last_time(args.incremental) if args.incremental else None,
        beside=with_archives(archive_places(args), processes=PROCESSES),
    )
    if args.incremental and found.ok and found.checkpoint:
        keep_for_next_time(args.incremental, found)
    if args.format == "json":
        print_json({**asdict(found), "after_checkpoint": found.after_checkpoint})
    elif args.format == "csv":
        print_csv(("seq", "what"), [(problem.seq, problem.what) for problem in found.problems])
    else:
        _print_text(found)
    return 0 if found.ok else 1


def _refuse_options_of_trails(args: argparse.Namespace) -> None:
    """What would change nothing must not look as if it did."""
    for name in ("against", "archive", "incremental"):
        if getattr(args, name) and (name != "archive" or args.trail is None):
            raise TrailError(f"--{name} is about a trail, and {args.file} is verified by itself")


def _looked_at(found: Verification) -> str:
    """How many entries there are, and of how many of them that is said."""
    away = found.archived + found.pruned
    if not away:
        return f"{found.size:,} entries"
    return f"of {found.size:,} entries {found.size - away:,} were looked at"


def _name(key: str) -> str:
    """A verifier key by its name and hash."""
    return "+".join(key.split("+")[:2])


def _print_text(found: Verification) -> None:
    if found.ok:
        print(f"The trail holds: {_looked_at(found)}, none changed, none missing.")
    else:
        problems = "1 problem" if len(found.problems) == 1 else f"{len(found.problems):,} problems"
        print(f"The trail does NOT hold: {problems}.")
        for problem in found.problems[:SHOWN]:
            where = f"entry {problem.seq}" if problem.seq is not None else "the trail"
            print(f"  {where}: {printable(problem.what)}")
        if len(found.problems) > SHOWN:
            print(f"  … and {len(found.problems) - SHOWN:,} more (--format json has all)")
    if found.since:
        print(f"Of the first {found.since:,}, verified before, the hashes alone were looked at.")
    signer = printable(found.signed_by) if found.signed_by else "nobody"
    print(f"Signed by the operator ({signer}), {amount(found.witnesses, 'witness', 'witnesses')}.")
    for witness in found.agreeing:
        at = f", {moment(witness.at * 1_000_000)} UTC" if witness.at else ""
        print(
            f"  {_WITNESSES[witness.kind]} {printable(witness.name)}: {witness.size:,} entries{at}"
        )
    for span in found.keys:
        if span.last is None:
            continue
        print(f"Up to entry {span.last:,} another key signed, {printable(_name(span.key))}.")
    if found.witnessed:
        kept = amount(found.witnessed, "checkpoint that was", "checkpoints that were")
        print(f"Held against {kept} kept elsewhere.")
    if found.uncompared:
        kept = amount(found.uncompared, "checkpoint", "checkpoints")
        print(f"NOT held against {kept} whose last entries are archived or pruned (--archive).")
    print(f"Root {found.root} over {found.size:,} entries.")
    for count, what in (
        (found.after_checkpoint, "entries came after the last checkpoint and are not signed yet"),
        (found.waiting, "events wait in spools: run `flowaudit recover` if their process is gone"),
        (found.gaps, "gap events tell of losses"),
        (found.archived, "entries stand in archives and were not looked at: --archive PLACE does"),
        (found.pruned, "entries were pruned: only their hashes are left"),
        (found.erased, "entries have had their personal part erased"),
    ):
        if count:
            print(f"{count:,} {what}.")
