"""Lists and sentences in a terminal, 80 columns wide."""

import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from ..report.words import bar, percent, printable, shorten
from ..vault.place import Place

__all__ = ["BAR_WIDTH", "LABEL_WIDTH", "WIDTH", "fold", "next_command", "paint", "print_ranking"]

WIDTH: Final = 80
"""Columns of a line."""

BAR_WIDTH: Final = 16
"""Columns of a bar."""
NUMBER_WIDTH: Final = 11
LABEL_WIDTH: Final = WIDTH - BAR_WIDTH - NUMBER_WIDTH - 12
"""Columns of a bar's label."""

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
    for label, number in rows:
        text = shorten(printable(label), LABEL_WIDTH)
        print(
            f"  {text:<{LABEL_WIDTH}}  {bar(number, most, BAR_WIDTH):<{BAR_WIDTH}}"
            f"{number:>{NUMBER_WIDTH},}  {percent(number, whole):>5}"
        )


def next_command(*words: "str | Place", hints: Iterable[str] = ()) -> None:
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
