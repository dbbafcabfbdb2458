"""`flowaudit cosign FOLDER`: be a witness of another trail."""

import argparse
from dataclasses import asdict
from pathlib import Path

from ..errors import SettingError
from ..report.words import printable
from ..witnesses.cosigning import cosign
from .options import add_format, add_trail, trail_paths
from .output import print_json, print_table
from .witnesses import load_keys

__all__ = ["add_parser", "run"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "cosign",
        help="be a witness of another trail: cosign its checkpoints if it has only grown",
        description="Look at what another trail has published in FOLDER, check that it has only "
        "grown since the last time, and cosign its newest checkpoint. What was cosigned, and what "
        "was not, is an event in this trail. Run it from a schedule. Exit status 1 if the other "
        "trail's history was changed.",
        epilog="example: flowaudit cosign /mnt/shared --key clinic.pub --trail ours.db",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the other publishes")
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="the other trail's public key; again for one that it has replaced",
    )
    add_trail(parser, help_text="our own trail, which remembers")
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Cosign, and say what."""
    keys = load_keys(args.key)
    if len({key.name for key in keys}) != 1:
        raise SettingError("key", [str(path) for path in args.key], "keys of one trail")
    paths = trail_paths(args)
    done = cosign(args.folder, paths, keys)
    if args.format == "json":
        print_json(asdict(done))
    elif args.format == "csv":
        print_table(tuple(asdict(done)), [tuple(asdict(done).values())], "csv")
    elif done.problem:
        print(
            f"NOT cosigned: {printable(done.problem)}. Ask the keeper of {printable(done.origin)}."
        )
    elif done.size == done.before:
        print(f"Nothing new of {printable(done.origin)}: {done.size:,} entries are cosigned.")
    else:
        print(f"Cosigned {printable(done.origin)}: {done.size:,} entries ({done.before:,} before).")
        print(f"Whoever verifies that trail needs {paths.cosigned / 'cosigner.pub'} (--cosigner).")
    return 1 if done.problem else 0
