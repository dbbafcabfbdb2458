"""Numbers, times and spans in words for people; text from clients made harmless."""

import unicodedata
from datetime import UTC, datetime
from typing import Final

__all__ = [
    "amount",
    "arrow",
    "bar",
    "clock",
    "day",
    "moment",
    "percent",
    "period",
    "printable",
    "shorten",
    "span",
]

_HIDDEN: Final = frozenset(["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])
"""Categories of characters that act instead of showing: controls, bidi marks, separators."""

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def printable(text: object) -> str:
    """Text that shows and does not act: control and format characters escaped."""
    shown = str(text)
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _HIDDEN else char
        for char in shown
    )


def amount(number: int, word: str, plural: str | None = None) -> str:
    """A number with its noun: `1 journey`, `1,204 journeys`."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def percent(part: int, whole: int) -> str:
    """A share in whole percent; never 0 % of some, never 100 % of not all."""
    if not whole:
        return "–"
    share = round(100 * part / whole)
    if 0 < part < whole:
        share = min(max(share, 1), 99)
    return f"{share} %"


def day(ts: int) -> str:
    """A time in µs as `25 Oct`, UTC."""
    when = _utc(ts)
    return f"{when.day} {when:%b}"


def clock(ts: int) -> str:
    """The time of day of a time in µs, UTC."""
    return f"{_utc(ts):%H:%M:%S}"


def moment(ts: int, *, seconds: bool = False) -> str:
    """A time in µs as `25 Oct 2015 04:11`, UTC."""
    when = _utc(ts)
    return f"{when.day} {when:%b %Y %H:%M:%S}" if seconds else f"{when.day} {when:%b %Y %H:%M}"


def period(first_ts: int | None, last_ts: int | None) -> str:
    """From when to when, UTC; what both have in common is said once."""
    if first_ts is None or last_ts is None:
        return "no time at all"
    first, last = moment(first_ts), moment(last_ts)
    if first == last:
        return f"{first} UTC"
    if _utc(first_ts).date() == _utc(last_ts).date():
        last = f"{_utc(last_ts):%H:%M}"
    return f"{first} to {last} UTC"


def span(us: int) -> str:
    """A length of time in its largest unit and the next: `3 h 12 min`, `450 ms`, `80 µs`."""
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


def shorten(text: str, width: int) -> str:
    """A text of at most `width` characters, cut in its middle."""
    if len(text) <= width:
        return text
    head = (width - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def arrow(step: str, to: str, width: int) -> str:
    """A step and the one after it; what is too long is cut in each, and the arrow stays."""
    room = width - 3
    if len(step) + len(to) > room:
        half = room // 2
        left = max(half, room - len(to)) if len(step) > half else len(step)
        step = shorten(step, left)
        to = shorten(to, room - len(step))
    return f"{step} → {to}"


def bar(part: int, whole: int, width: int) -> str:
    """A bar of block characters, in eighths of one; something, if it is not nothing."""
    if not whole or part <= 0:
        return ""
    eighths = max(1, round(part * width * 8 / whole))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _utc(ts: int) -> datetime:
    try:
        return datetime.fromtimestamp(ts // 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime(1, 1, 1, tzinfo=UTC)
