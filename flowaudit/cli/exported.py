"""`flowaudit verify FILE`: what left the trail as evidence."""

import argparse
from pathlib import Path

from ..archive.reading import with_archives
from ..errors import NotATrailError, TrailError
from ..evidence.opened import PackVerification, is_pack, verify_pack
from ..evidence.signed import MAX_STATEMENT_BYTES, SignedStatement, is_statement
from ..evidence.vouching import Vouched, vouch_alone, vouch_by_trail
from ..report.words import amount, moment, printable
from ..trail.keychain import short_name
from ..witnesses.timestamps import load_roots
from .options import trail_paths
from .output import print_csv, print_json
from .places import archive_places
from .witnesses import load_keys

__all__ = ["verify_file"]

END_OF_TIME = 253_402_300_800_000_000
"""µs since 1970 at the end of the year 9999."""

SHOWN = 20
"""Problems shown in text; JSON has all."""


def verify_file(path: Path, args: argparse.Namespace) -> int:
    """Verify a pack or a statement, and say what was found. Raises `TrailError` for neither."""
    key = load_keys([args.key])[0] if args.key else None
    if is_pack(path):
        if args.trail is not None:
            raise TrailError(f"--trail changes nothing: the pack {path} is verified by itself")
        roots = [root for file in args.tsa_root for root in load_roots(file)]
        found = verify_pack(path, key=key, witnesses=load_keys(args.cosigner), roots=roots)
        _print(found, args.format)
        return 0 if found.ok else 1
    try:
        with path.open("rb") as file:
            text = file.read(MAX_STATEMENT_BYTES + 1).decode("utf-8", "replace")
    except OSError as error:
        raise TrailError(f"{path}: {error.strerror}") from error
    if not is_statement(text):
        raise NotATrailError(
            f"{path} is neither an evidence pack nor a signed statement (a trail: --trail {path})"
        )
    statement = SignedStatement.parse(text)
    if args.trail is None:
        return _statement(statement, vouch_alone(statement, key), args.format)
    beside = with_archives(archive_places(args))
    vouched = vouch_by_trail(statement, trail_paths(args), key, beside)
    return _statement(statement, vouched, args.format)


def _print(found: PackVerification, fmt: str) -> None:
    if fmt == "json":
        print_json(found.as_json())
        return
    if fmt == "csv":
        print_csv(("seq", "what"), [(problem.seq, problem.what) for problem in found.problems])
        return
    if found.ok:
        print(f"The pack holds: {amount(found.events, 'event')}, each proved.")
    else:
        print(f"The pack does NOT hold: {amount(len(found.problems), 'problem')}.")
        for problem in found.problems[:SHOWN]:
            where = f"entry {problem.seq}" if problem.seq is not None else "the pack"
            print(f"  {where}: {printable(problem.what)}")
        if len(found.problems) > SHOWN:
            print(f"  … and {len(found.problems) - SHOWN:,} more (--format json has all)")
    print(f"Checkpoint over {found.size:,} entries of {printable(found.trail)}.")
    signer = printable(found.signed_by or "nobody")
    if found.trusted:
        print(f"Signed by {signer}: the key that was given, or one that it vouches for.")
    else:
        print(f"Signed by {signer}, as the pack itself says; --key FILE checks that.")
    upto = f", up to entry {found.witnessed:,}" if found.witnesses else ""
    print(f"{amount(found.witnesses, 'witness has', 'witnesses have')} seen this history{upto}.")
    print(f"{amount(found.identified, 'token')} proved to stand for whom the pack says.")
    if found.erased:
        print(f"{amount(found.erased, 'event')} without personal part, as an erasure tells.")


def _statement(statement: SignedStatement, vouched: Vouched, fmt: str) -> int:
    """Say whether a statement is signed by a key that counts, and what it says."""
    said, is_signed = statement.said, vouched.key is not None
    signer = short_name(vouched.key) if vouched.key is not None else None
    is_ok = is_signed and said.get("verified") is True
    if fmt == "json":
        print_json({"ok": is_ok, "signed_by": signer, "problem": vouched.problem, "said": said})
    else:
        trail = printable(said.get("trail", "an unknown trail"))
        if is_signed:
            print(f"The statement is signed by {printable(signer)}, and was not changed.")
        else:
            print(f"The statement does NOT hold: {printable(vouched.problem)}.")
        end = said.get("end")
        if type(end) is int and 0 <= end < END_OF_TIME:
            print(f"It speaks of {trail} up to {moment(end)} UTC.")
        if said.get("verified") is not True:
            print("It says itself that the trail did not hold when it was made.")
    return 0 if is_ok else 1
