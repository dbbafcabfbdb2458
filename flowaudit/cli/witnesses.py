"""Whom a command holds a trail against: options, folders of the settings, keys of others."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import TrailError
from ..proofs.note import VerifierKey
from ..trail.paths import TrailPaths
from ..witnesses.publishing import Kept, kept_in
from ..witnesses.timestamps import is_authority
from .options import setting_of

__all__ = ["add_against", "add_witnesses", "load_keys", "witnessed_by"]


def add_against(parser: argparse.ArgumentParser) -> None:
    """The option `--against`."""
    parser.add_argument(
        "--against",
        type=Path,
        action="append",
        default=[],
        metavar="WITNESSED",
        help="a checkpoint that was kept elsewhere, or a folder of such; may be repeated; default: "
        "the folders of the setting witnesses",
    )


def add_witnesses(parser: argparse.ArgumentParser) -> None:
    """The options `--against`, `--cosigner` and `--tsa-root`."""
    add_against(parser)
    parser.add_argument(
        "--cosigner",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="public key of another party whose cosignatures count; may be repeated",
    )
    parser.add_argument(
        "--tsa-root",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="certificates (PEM) that vouch for time-stamp authorities; may be repeated",
    )


def witnessed_by(args: argparse.Namespace, paths: TrailPaths) -> list[Kept]:
    """What is kept in the places that were given, else in those that settings name.

    Raises `TrailError` where a given place has nothing; one of the settings may be out of reach
    here, which is said on standard error.
    """
    kept = [_kept(place) for place in args.against]
    if args.against:
        return kept
    places = [Path(p) for p in setting_of(args, "witnesses") if not is_authority(p)]
    for place in [*places, paths.stamps] if paths.stamps.is_dir() else places:
        try:
            kept.append(_kept(place))
        except TrailError as error:
            print(f"flowaudit: not held against a witness: {error}", file=sys.stderr)
    return kept


def _kept(place: Path) -> Kept:
    try:
        found = kept_in(place)
    except OSError as error:
        raise TrailError(f"witnessed checkpoints {place}: {error.strerror}") from error
    if not found.notes:
        raise TrailError(f"witnessed checkpoints {place}: the folder holds none")
    return found


def load_keys(paths: Sequence[Path]) -> tuple[VerifierKey, ...]:
    """Public keys in files. Raises `TrailError` or `ProofError` for what is none."""
    keys = []
    for path in paths:
        try:
            keys.append(VerifierKey.parse(path.read_text("utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise TrailError(f"verifier key {path}: {error}") from error
    return tuple(keys)
