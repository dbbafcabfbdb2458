"""`flowaudit subject PERSON -o FILE`: everything that is held on one person."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..archive.places import ArchivePlace
from ..archive.reading import with_archives
from ..event import Entry, flat_event
from ..report.words import printable
from ..spool.dead import waiting_records
from ..trail.opening import open_reader
from ..trail.paths import TrailPaths
from ..vault.erasure import Person, hold_of
from .new_file import check_new, new_file
from .options import add_reason, add_trail, record_access, trail_paths
from .persons import OUT_OF_REACH, add_person, check_reason, known_person, open_vault
from .places import add_archive, archive_places

__all__ = ["add_parser", "run"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "subject",
        help="everything that is held on one person, as a JSON file",
        description="Write all that trail and vault hold on a person: identity, tokens, every "
        "event of theirs, and which copies are out of reach. The export is an event in the trail.",
        epilog="example: flowaudit subject user:42 -o user-42.json",
    )
    add_person(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the file to write, new"
    )
    add_trail(parser)
    add_reason(parser)
    add_archive(parser, "what is held in archives too, there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file, and say how much is in it."""
    paths, places = trail_paths(args), archive_places(args)
    unread = [] if places else _archives(paths)
    check_new(args.output)
    with open_vault(paths) as vault:
        person = known_person(vault, args.person)
        check_reason(args.reason, person.identity)
        held = [hold for token in person.tokens if (hold := hold_of(vault, token)) is not None]
    head: dict[str, Any] = {
        "identity": person.identity,
        "tokens": [*person.tokens],
        "holds": [{"since": hold.since, "why": hold.why} for hold in held],
        "out_of_reach": OUT_OF_REACH,
        "waiting_in_spools": waiting_records(paths.spool),
    }
    record_access(args, paths, "subject", "raw", action="export", of=person.tokens)
    if unread:
        head["archives_not_read"] = unread
    count = _write(args.output, head, _events(paths, places, person))
    print(f"{count:,} events of this person are in {args.output}.")
    for place in unread:
        print(f"Not read: an archive at {printable(place)}; --archive PLACE reads it.")
    if head["waiting_in_spools"]:
        print(f"{head['waiting_in_spools']:,} events of anybody wait in spools and are not in it.")
    return 0


def _archives(paths: TrailPaths) -> list[str]:
    """The places of archives that the trail knows of."""
    with open_reader(paths) as reader:
        return sorted({each.place for each in reader.ranges if each.state != "pruned"})


def _events(
    paths: TrailPaths, places: Sequence[ArchivePlace], person: Person
) -> Iterator[dict[str, Any]]:
    with with_archives(places, is_lenient=False)(open_reader(paths)) as reader:
        for entry in reader.entries_of(person.tokens):
            yield _flat(entry)


def _flat(entry: Entry) -> dict[str, Any]:
    try:
        return flat_event(entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raw = (entry.core + b" " + (entry.personal or b"")).decode("utf-8", "replace")
        return {"seq": entry.seq, "damaged": raw}


def _write(path: Path, head: dict[str, Any], events: Iterator[dict[str, Any]]) -> int:
    """Write the file, an event at a time; how many there were."""
    count = 0
    with new_file(path) as file:
        file.write(
            (json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "events": [').encode()
        )
        for count, event in enumerate(events, 1):
            line = ",\n  " if count > 1 else "\n  "
            file.write((line + json.dumps(event, ensure_ascii=False)).encode())
        file.write(b"\n ]\n}\n")
    return count
