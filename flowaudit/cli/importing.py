"""`flowaudit import`: bring a log file into a trail."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..journeys.importers import IMPORT_FORMATS, ImportResult, import_log
from ..journeys.lines import Progress
from ..report.words import amount, printable
from ..vault.place import Place
from .options import add_format, add_trail, trail_paths
from .output import print_csv, print_json
from .wording import fold, next_command

__all__ = ["add_parser", "run", "shown_progress"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "import",
        help="bring an access log, or events as JSON Lines, into a trail",
        description="Add every line of a log file (plain or gzip) to a trail as an event. "
        "The same content again adds nothing; an import that was interrupted goes on where it "
        "stopped. Queries are dropped and what looks like a secret is masked.",
        epilog="example: flowaudit import /var/log/nginx/access.log --trail site.db",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the log; .gz is recognised")
    add_trail(parser, help_text="the trail to add to; made if there is none")
    parser.add_argument(
        "--as",
        dest="form",
        choices=IMPORT_FORMATS,
        help="the format of its lines; default: found out from the first ones",
    )
    parser.add_argument(
        "--no-redact",
        action="store_true",
        help="keep paths, queries, referers and agents as the log has them",
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Import, and say what was done."""
    paths = trail_paths(args, must_exist=False)
    with shown_progress(args.file.name) as progress:
        result = import_log(
            args.file, paths, form=args.form, redact=not args.no_redact, progress=progress
        )
    if args.format == "text":
        _print_text(result, paths.trail, is_redacted=not args.no_redact)
        return 0
    values = {
        "lines": result.lines,
        "events": result.events,
        "malformed": result.malformed,
        "malformed_lines": list(result.malformed_lines),
    }
    if args.format == "json":
        print_json(values)
    else:
        values["malformed_lines"] = " ".join(map(str, result.malformed_lines))
        print_csv(tuple(values), [tuple(values.values())])
    return 0


@contextmanager
def shown_progress(name: str) -> Iterator[Progress | None]:
    """A progress bar on standard error, if that is a terminal and rich is installed."""
    rich: Any
    try:
        import rich.console
        import rich.progress as rich
    except ModuleNotFoundError:
        yield None
        return
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
    console = sys.modules["rich.console"].Console(stderr=True)
    with rich.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=f"{what} {name}", completed=done, total=total)

        yield progress


def _print_text(result: ImportResult, trail: Place, *, is_redacted: bool) -> None:
    print(
        fold(
            f"{amount(result.lines, 'line')} read as {result.form}:"
            f" {amount(result.events, 'event')} added to {trail}, {result.malformed:,} malformed."
        )
    )
    if result.known:
        print(f"The trail already had {result.known:,} of these events.")
    if result.malformed:
        numbers = ", ".join(map(str, result.malformed_lines))
        more = result.malformed - len(result.malformed_lines)
        print(fold(f"Malformed lines: {numbers}" + (f" and {more:,} more" if more else "") + "."))
    if result.left_out:
        names = ", ".join(map(printable, result.left_out))
        print(fold(f"Not in the schema, and so left out: {names}."))
    if result.malformed == result.lines > 0:
        print("Is it another format? Say which with --as.")
    if is_redacted and result.form != "events" and result.events:
        print("Queries were dropped and secrets masked; --no-redact keeps them.")
    next_command("flowaudit", "flows", "--trail", trail)
