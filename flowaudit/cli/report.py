"""`flowaudit report`: everything on one page, and the summary in the terminal."""

import argparse
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from ..archive.reading import with_archives
from ..errors import SettingError
from ..journeys.engine import Engine
from ..journeys.importers import import_log
from ..policy.rules import Policy, find_policy
from ..report.build import Report, build_report
from ..report.page import render_page
from ..report.text import print_report
from ..report.words import amount
from ..review.engine import review
from ..trail.paths import SQLITE_MAGIC, TrailPaths
from ..vault.place import DatabaseUrl, Place
from ..verification.trail import verify_trail
from .importing import shown_progress
from .options import add_policy, add_reason, add_trail
from .places import add_archive, archive_places
from .reading import known_names, open_engine, tell_waiting

__all__ = ["add_parser", "run"]

PAGE = Path("flow-report.html")


class _Asked(TypedDict):
    """What a report needs from the command line and the policy file."""

    made_ts: int
    funnel: Sequence[str]
    flows: Mapping[str, Mapping[str, object]]
    login_path: str | None


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="one page with flow, funnel, refusals and findings",
        description="Write one HTML file that opens without a network, and print its summary. "
        "Give it a trail, or an access log to read at once.",
        epilog="example: flowaudit report access.log -o flow-report.html",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="an access log (.gz too), or a trail"
    )
    add_trail(parser)
    add_archive(parser, "count archived entries too, there")
    add_reason(parser)
    parser.add_argument(
        "-o", "--output", type=Path, default=PAGE, metavar="FILE", help=f"the page; default: {PAGE}"
    )
    parser.add_argument(
        "--funnel", nargs="+", default=[], metavar="STEP", help="steps to follow, in order"
    )
    parser.add_argument(
        "--login-path", metavar="PATH", help="a redirect to here is a refusal (imported logs)"
    )
    add_policy(parser)
    parser.add_argument(
        "--no-redact", action="store_true", help="keep an access log's paths and agents as they are"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Gather, write, print."""
    policy = find_policy(args.policy)
    report = _gathered(args, policy)
    _write(args.output, render_page(report))
    print_report(report, page=str(args.output))
    return 1 if report.verification is not None and not report.verification.ok else 0


def _gathered(args: argparse.Namespace, policy: Policy) -> Report:
    if args.file is not None and not _is_sqlite(args.file):
        return _of_log(args, policy)
    if args.file is not None and args.trail is not None:
        raise SettingError("file", str(args.file), "an access log, or no --trail beside a trail")
    args.trail = args.file or args.trail
    engine, paths = open_engine(args, "report", "report")
    with engine:
        report = build_report(
            engine,
            name=_service(engine) or paths.trail.stem,
            trail=_short(paths.trail),
            names=(names := known_names(paths)),
            review=review(engine, policy.review, names=names),
            verification=verify_trail(paths, beside=with_archives(archive_places(args))),
            **_asked(args, policy),
        )
    tell_waiting(paths)
    return report


def _asked(args: argparse.Namespace, policy: Policy) -> _Asked:
    return {
        "made_ts": time.time_ns() // 1_000,
        "funnel": args.funnel,
        "flows": policy.flows,
        "login_path": args.login_path,
    }


def _of_log(args: argparse.Namespace, policy: Policy) -> Report:
    """A report on a log file, by way of a trail that is gone afterwards, or of `--trail`."""
    with tempfile.TemporaryDirectory(prefix="flowaudit-") as folder:
        paths = TrailPaths.of(args.trail or Path(folder) / "log.db")
        with shown_progress(args.file.name) as progress:
            result = import_log(args.file, paths, redact=not args.no_redact, progress=progress)
        notes = [f"{amount(result.lines, 'line')} of {args.file.name} read as {result.form}."]
        if result.malformed:
            numbers = ", ".join(map(str, result.malformed_lines[:5]))
            notes.append(f"{result.malformed:,} malformed lines are not counted (line {numbers}).")
        with Engine.open(paths.trail, reading=None) as engine:
            names = known_names(paths)
            return build_report(
                engine,
                name=args.file.name,
                trail=str(args.trail or ""),
                names=names,
                review=review(engine, policy.review, names=names),
                verification=verify_trail(paths) if args.trail else None,
                left_out=notes,
                **_asked(args, policy),
            )


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError as error:
        raise SettingError(
            "file", str(path), f"a file that can be read ({error.strerror})"
        ) from None


def _service(engine: Engine) -> str | None:
    """What the newest process calls itself."""
    rows = engine.rows(
        "SELECT json_extract_string(facts, '$.service') FROM events"
        " WHERE kind = 'process' AND action = 'start' ORDER BY ts DESC, seq DESC LIMIT 1"
    )
    return rows[0][0] if rows else None


def _short(path: Place) -> str:
    """A path as one would type it here."""
    if isinstance(path, DatabaseUrl):
        return str(path)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _write(path: Path, text: str) -> None:
    """Write the page so that a half-written one is never seen; only its owner may read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SettingError(
            "output", str(path), f"a file that can be written ({error.strerror})"
        ) from None
