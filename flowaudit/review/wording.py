"""Findings as sentences for people."""

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["Number", "examples", "fill", "name", "span"]

SHORTENED: Final = 24
"""Characters of a token or hash that are shown; the key has all of it."""

EXAMPLES: Final = 3
"""Things that are named in a sentence."""

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class Number(int):
    """A number that a sentence writes with its noun: `{items:path|paths}`."""

    def __format__(self, nouns: str) -> str:
        one, _, many = nouns.partition("|")
        noun = one if self == 1 else many
        return f"{int(self):,} {noun}" if noun else f"{int(self):,}"


def span(us: int) -> str:
    """A span of time in its two largest units: `1 min 10 s`."""
    seconds = us // 1_000_000
    if not seconds:
        return "less than a second"
    parts = []
    for size, unit in _UNITS:
        if seconds >= size:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts[:2])


def name(value: str) -> str:
    """A key's value, short enough for a sentence."""
    return value if len(value) <= SHORTENED or "/" in value else f"{value[: SHORTENED - 1]}…"


def examples(items: Sequence[str]) -> str:
    """The first few of different things, and how many more there are."""
    different = list(dict.fromkeys(items))
    shown = ", ".join(different[:EXAMPLES])
    more = len(different) - EXAMPLES
    return f"{shown} and {more} more" if more > 0 else shown


def fill(sentence: str, words: Mapping[str, object]) -> str:
    """A sentence of a rule with its words put in; blanks made single."""
    return " ".join(sentence.split()).format_map(words)
