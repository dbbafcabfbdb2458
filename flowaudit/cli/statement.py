"""`flowaudit statement`: what a span of time holds, what it lost, and who was there to record."""

import argparse
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ..archive.reading import with_archives
from ..errors import SettingError
from ..event import MAX_INT
from ..evidence.making import make_signed
from ..evidence.served import requests_served
from ..evidence.statement import Span
from ..report.words import amount, moment, printable
from .new_file import check_new, new_file
from .options import add_format, add_reason, add_trail, record_access, trail_paths
from .output import print_csv, print_json
from .places import add_archive, archive_places
from .witnesses import add_against, witnessed_by

__all__ = ["add_parser", "run", "span_of"]

SHOWN: Final = 20
"""Sources and losses shown in text; JSON has all."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "statement",
        help="how complete the trail is for a span of time, signed",
        description="Say how many requests of a span were received, finished, are open, were lost "
        "or left out, which processes recorded, and every loss that the trail tells of. The trail "
        "is verified on the way. Exit status 1 if it does not hold.",
        epilog="example: flowaudit statement --from 2026-11-01 --to 2026-11-30"
        " --access-log /var/log/nginx/access.log -o november.statement",
    )
    add_span(parser)
    parser.add_argument(
        "--served", type=int, metavar="N", help="how many requests the web server has served"
    )
    parser.add_argument(
        "--access-log",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="the web server's access log, to count them in; may be repeated",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it signed, new")
    add_trail(parser)
    add_reason(parser)
    add_against(parser)
    add_archive(parser, "look at archived entries too, there")
    add_format(parser)
    parser.set_defaults(run=run)


def add_span(parser: argparse.ArgumentParser) -> None:
    """The options `--from` and `--to`."""
    parser.add_argument(
        "--from", dest="first", metavar="TIME", help="2026-11-24, or 2026-11-24T10:30 (UTC)"
    )
    parser.add_argument(
        "--to", dest="end", metavar="TIME", help="likewise; a day alone is meant to its end"
    )


def span_of(args: argparse.Namespace) -> Span:
    """The span that is asked for: everything until now, unless told."""
    first = _moment("from", args.first) if args.first is not None else 0
    end = _moment("to", args.end, is_end=True) if args.end is not None else _now() + 1
    if end <= first and args.end is None:
        raise SettingError("from", args.first, "a time that is over")
    if end <= first:
        raise SettingError("to", args.end, "a time after --from")
    return Span(first, end)


def run(args: argparse.Namespace) -> int:
    """Make the statement, and print or write it."""
    paths, span = trail_paths(args), span_of(args)
    if args.output:
        check_new(args.output)
    if args.served is not None and args.access_log:
        raise SettingError("served", args.served, "either a number or --access-log")
    served = _served_in(args, span)
    record_access(args, paths, "statement", "report")
    beside = with_archives(archive_places(args))
    kept = witnessed_by(args, paths)
    said, note = make_signed(paths, span, made=_now(), served=served, beside=beside, witnessed=kept)
    if args.output:
        with new_file(args.output) as file:
            file.write(note.encode())
    if args.format == "json":
        print_json({**said, "note": note})
    elif args.format == "csv":
        print_csv(_COLUMNS, [[source.get(name) for name in _COLUMNS] for source in said["sources"]])
    else:
        _print_text(said, args.output)
    return 0 if said["verified"] else 1


def _served_in(args: argparse.Namespace, span: Span) -> dict[str, Any]:
    """What the web server says, as it was given."""
    if args.served is not None:
        if not 0 <= args.served <= MAX_INT:
            raise SettingError("served", args.served, "a number of requests")
        return {"by": "as told", "requests": args.served}
    if not args.access_log:
        return {}
    counts = [requests_served(log, span) for log in args.access_log]
    served: dict[str, Any] = {
        "by": " ".join(log.name for log in args.access_log),
        "requests": sum(number for number, _ in counts),
    }
    if unread := sum(unread for _, unread in counts):
        served["unread"] = unread
    return served


def _now() -> int:
    return time.time_ns() // 1_000


def _moment(name: str, text: str, *, is_end: bool = False) -> int:
    """A time as it was typed, in µs since 1970; UTC unless it says another offset."""
    try:
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        if is_end and len(text) <= len("2026-11-24"):
            when += timedelta(days=1)
        return int(when.timestamp()) * 1_000_000 + when.microsecond
    except (ValueError, OverflowError):
        raise SettingError(name, text, "a day or a time such as 2026-11-24T10:30") from None


_COLUMNS: Final = (
    "source", "whole", "state", "started", "stopped", "service", "version", "host", "pid", "events",
    "requests", "first_n", "last_n",
)  # fmt: skip


def _print_text(said: dict[str, Any], output: Path | None) -> None:
    first = moment(said["first"]) if said["first"] else "the beginning"
    print(f"From {first} to {moment(said['end'])} UTC, {said['size']:,} entries looked at.\n")
    for name, what in (
        ("received", "requests came in"),
        ("finished", "have their event"),
        ("open", "are being answered now"),
        ("lost", "have no event: their process died while it answered"),
        ("left_out", "were left out by the policy"),
    ):
        print(f"{said[name]:>12,}  {what}")
    for number, what in (
        (said["events_lost"], "events were made and found no room"),
        (said["unknown_losses"], "losses have an extent that nobody can know"),
        (len(said["unanswered"]), "strict requests were begun, and their outcome is not known"),
        (said["websockets"], "websockets were opened, beside the requests"),
        (said["away"], "entries are archived or pruned, and not looked at (--archive PLACE)"),
        (said["waiting"], "events wait in spools, and are not in this"),
    ):
        if number:
            print(f"{number:>12,}  {what}")
    if said.get("served"):
        print(f"\n{_served(said['served'])}")
    _print_sources(said)
    _print_gaps(said["gaps"])
    print()
    if said["verified"]:
        print("The trail holds: no entry was changed, and none is missing.")
    else:
        print(
            f"The trail does NOT hold: {amount(said['problems'], 'problem')}. See flowaudit verify."
        )
    where = f"is in {output}" if output else "is written by -o FILE"
    print(f"The statement, signed by {printable(said['trail'])}, {where}.")


def _served(served: dict[str, Any]) -> str:
    says = f"The web server has {served['requests']:,} ({printable(served['by'])})"
    differs = served["difference"]
    how = f"{abs(differs):,} {'more' if differs > 0 else 'fewer'} than stand here"
    unread = served.get("unread")
    left = (
        f" {amount(unread, 'line')} of it can't be read, and count for nothing." if unread else ""
    )
    return f"{says}: {how if differs else 'the same number'}.{left}"


def _print_sources(said: dict[str, Any]) -> None:
    print(f"\n{amount(len(said['sources']), 'source')} recorded:")
    for source in said["sources"][:SHOWN]:
        name = " ".join(str(source[key]) for key in ("service", "version") if key in source)
        where = "@".join(str(source[key]) for key in ("pid", "host") if key in source)
        unknown = "an import" if source["whole"] else "its beginning is archived"
        began = moment(source["started"], seconds=True) if "started" in source else unknown
        ended = moment(source["stopped"], seconds=True) if "stopped" in source else source["state"]
        numbers = f"n {source['first_n']}–{source['last_n']}" if source["events"] else "no event"
        what = " ".join(filter(None, (name, where))) or source["source"]
        print(
            f"  {printable(what)}: {began} – {ended}, {numbers},"
            f" {amount(source['requests'], 'request')}"
        )
    _print_more(len(said["sources"]))
    if said["others"]:
        print(f"  and {amount(said['others'], 'command')} that read or changed the trail")


def _print_gaps(gaps: list[dict[str, Any]]) -> None:
    if not gaps:
        return
    print(f"\n{amount(len(gaps), 'loss', 'losses')} told:")
    for gap in gaps[:SHOWN]:
        what = (
            f"n {gap['first']}–{gap['last']}"
            if "first" in gap
            else (f"{gap['count']:,} requests" if "count" in gap else "nobody knows how much")
        )
        print(
            f"  entry {gap['seq']}, {moment(gap['ts'], seconds=True)}: {what} of source"
            f" {printable(gap['source'])} ({printable(gap.get('why', 'no reason'))})"
        )
    _print_more(len(gaps))


def _print_more(number: int) -> None:
    if number > SHOWN:
        print(f"  … and {number - SHOWN:,} more (--format json has all)")
