"""Numbers, times and lists as text for people, 80 columns wide."""

import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from .output import safe_text

__all__ = [
    "WIDTH",
    "bar",
    "clock",
    "count",
    "duration",
    "fold",
    "moment",
    "next_command",
    "paint",
    "percent",
    "period",
    "print_ranking",
    "shorten",
]

WIDTH: Final = 80
"""Columns of a line."""

BAR_WIDTH: Final = 16
NUMBER_WIDTH: Final = 11

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_COLOURS: Final = {
    "denied": "33",
    "hidden": "33",
    "error": "31",
    "throttled": "35",
    "missing": "2",
    "invalid": "2",
    "aborted": "2",
}
"""Outcome colours: denied amber, error red, throttled violet, ok neutral; a word stands beside."""

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def count(number: int, word: str, plural: str | None = None) -> str:
    """A number with its noun: `1 journey`, `1,204 journeys`."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def percent(part: int, whole: int) -> str:
    """A share in whole percent; never 0 % for some, never 100 % for not all."""
    if not whole:
        return "–"
    share = round(100 * part / whole)
    if 0 < part < whole:
        share = min(max(share, 1), 99)
    return f"{share} %"


def moment(ts: int) -> str:
    """A time in µs as `25 Oct 2015 04:11`, UTC."""
    when = _utc(ts)
    return f"{when.day} {when:%b %Y %H:%M}"


def clock(ts: int) -> str:
    """The time of day of a time in µs, UTC."""
    return f"{_utc(ts):%H:%M:%S}"


def _utc(ts: int) -> datetime:
    try:
        return datetime.fromtimestamp(ts // 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime(1, 1, 1, tzinfo=UTC)


def period(first_ts: int | None, last_ts: int | None) -> str:
    """From when to when, UTC."""
    if first_ts is None or last_ts is None:
        return "no time at all"
    return f"{moment(first_ts)} to {moment(last_ts)} UTC"


def duration(us: int) -> str:
    """A span in its largest unit and the next smaller one: `3 h 12 min`, `450 ms`."""
    if us < 1_000:
        return f"{us} µs" if us else "0 ms"
    if us < 1_000_000:
        return f"{us // 1_000} ms"
    seconds = us // 1_000_000
    place = next(i for i, (size, _) in enumerate(_UNITS) if seconds >= size)
    parts = []
    for size, unit in _UNITS[place : place + 2]:
        whole, seconds = divmod(seconds, size)
        if whole:
            parts.append(f"{whole} {unit}")
    return " ".join(parts)


def bar(number: int, most: int, width: int = BAR_WIDTH) -> str:
    """A bar of block characters, in eighths of one; something, if it is not nothing."""
    if not most or number <= 0:
        return ""
    eighths = max(1, round(number * width * 8 / most))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def shorten(text: str, width: int) -> str:
    """A text of at most `width` columns, cut in its middle."""
    if len(text) <= width:
        return text
    head = (width - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def fold(text: str) -> str:
    """Sentences broken into lines of 80 columns."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def print_ranking(title: str, rows: Sequence[tuple[str, int]], whole: int) -> None:
    """A list with bars, counts and shares of `whole`; nothing if it is empty."""
    if not rows:
        return
    print(f"\n{title}")
    most = max(number for _, number in rows)
    label_width = WIDTH - BAR_WIDTH - NUMBER_WIDTH - 12
    for label, number in rows:
        text = shorten(safe_text(label), label_width)
        print(
            f"  {text:<{label_width}}  {bar(number, most):<{BAR_WIDTH}}"
            f"{number:>{NUMBER_WIDTH},}  {percent(number, whole):>5}"
        )


def next_command(*words: "str | Path", hints: Iterable[str] = ()) -> None:
    """The last line: what to run next. `hints` stand for what the reader fills in."""
    print(f"\nNext: {' '.join([shlex.join(map(str, words)), *hints])}")


def paint(text: str, outcome: str | None) -> str:
    """A text in its outcome's colour, on a terminal that wants colours."""
    colour = _COLOURS.get(outcome or "")
    if colour is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    if os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
