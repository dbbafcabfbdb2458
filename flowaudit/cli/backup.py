"""`flowaudit backup -o FILE`: a copy of a trail that is in use."""

import argparse
from pathlib import Path

from ..trail.backup import back_up
from ..trail.paths import TrailPaths
from ..verification.trail import verify_trail
from .options import add_reason, add_trail, record_access, trail_paths
from .wording import fold

__all__ = ["add_parser", "run"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "backup",
        help="copy a trail that is in use into one file, and verify the copy",
        description="Copy one state of the trail while apps go on writing, sign the copy's head, "
        "and verify it. Vault and private key are copied only where asked for. The backup is an "
        "event in the trail.",
        epilog="example: flowaudit backup -o /backup/flowaudit-2026-11-24.db",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the file to write, new"
    )
    parser.add_argument(
        "--with-vault", action="store_true", help="the vault too: it says who everybody is"
    )
    parser.add_argument(
        "--with-key", action="store_true", help="the private key too: it signs in the trail's name"
    )
    add_trail(parser, help_text="the trail to copy")
    add_reason(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Copy, verify, and say what was written."""
    paths, output = trail_paths(args), args.output.absolute()
    record_access(args, paths, "backup", "raw", action="export")
    written = back_up(paths, output, has_vault=args.with_vault, has_key=args.with_key)
    found = verify_trail(TrailPaths.of(output))
    for path in written:
        print(f"Written: {path}")
    if not found.ok:
        print(f"The copy does NOT hold: flowaudit verify --trail {output}")
        return 1
    print(f"It holds: {found.size:,} entries.")
    print(fold("It keeps what is erased later: erase there too, or let backups end."))
    return 0
