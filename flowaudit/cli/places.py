"""The options about archives: where they are, and how old what goes there is."""

import argparse
import re
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from ..archive.gathering import DAY_US
from ..archive.places import ArchivePlace, open_place
from ..errors import SettingError

__all__ = ["add_age", "add_archive", "archive_places", "before_of", "day_before", "now_us"]

_DAYS: Final = re.compile(r"([1-9][0-9]{0,4})d")


def add_archive(parser: argparse.ArgumentParser, help_text: str) -> None:
    """The option `--archive`."""
    parser.add_argument(
        "--archive",
        action="append",
        default=[],
        metavar="PLACE",
        help=f"{help_text}: a folder, or a URL such as s3://bucket/folder; may be repeated",
    )


def archive_places(args: argparse.Namespace) -> Sequence[ArchivePlace]:
    """The places that a command is given. Raises `ArchiveError` where there is none."""
    return [open_place(place) for place in args.archive]


def add_age(parser: argparse.ArgumentParser, default: str) -> None:
    """The options `--before` and `--older-than`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--before", metavar="DATE", help=f"what was committed before this day (UTC); {default}"
    )
    group.add_argument("--older-than", metavar="DAYS", help="what is older than so many days: 30d")


def before_of(args: argparse.Namespace, now: int) -> int | None:
    """The beginning of the day that the options mean, µs since 1970; `None` if they are absent.

    Raises `SettingError` for a day that can't be, or one that is not over.
    """
    if args.older_than:
        return day_before(args.older_than, now, "older-than")
    if not args.before:
        return None
    try:
        day = date.fromisoformat(args.before)
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        raise SettingError("before", args.before, "a day such as 2026-11-24") from None
    if (found := int(start.timestamp()) * 1_000_000) > now:
        raise SettingError("before", args.before, "a day that has begun")
    return found


def day_before(text: str, now: int, name: str) -> int:
    """The beginning of the day so many days ago. Raises `SettingError` for another text."""
    found = _DAYS.fullmatch(text)
    if found is None:
        raise SettingError(name, text, "a number of days such as 30d")
    return max(0, (now // DAY_US - int(found[1])) * DAY_US)


def now_us() -> int:
    """Now, µs since 1970."""
    return time.time_ns() // 1_000
