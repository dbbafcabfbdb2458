"""Path patterns of the policy file: `**` matches anything, `*` anything within a segment."""

import re
from typing import Final

__all__ = ["compile_pattern"]

MAX_LENGTH: Final = 200
"""Characters of a pattern; it is told in the trail as it is written."""

MAX_STARS: Final = 20
"""Wildcards in one pattern."""

_ANYTHING: Final = re.compile(r"\*{2,}")


def compile_pattern(text: str) -> re.Pattern[str]:
    """The pattern as an expression for `fullmatch`. Raises `ValueError` if it is none.

    The path is the client's: what stands before a `**` is matched at the first place where it
    can be, and never tried again, so that no path costs more than its length squared. That loses
    no match, since `**` takes whatever an earlier end leaves over.
    """
    stars = text.count("*")
    if not 0 < len(text) <= MAX_LENGTH or "***" in text or stars > MAX_STARS:
        raise ValueError(text)
    first, *others = _ANYTHING.split(text)
    if not others:
        return re.compile(_segments(first, is_last=True), re.DOTALL)
    *middle, last = others
    found = [f"(?>{_segments(first, is_last=False)})"]
    found += [f"(?>.*?{_segments(part, is_last=False)})" for part in middle]
    found += [".*", _segments(last, is_last=True)]
    return re.compile("".join(found), re.DOTALL)


def _segments(text: str, *, is_last: bool) -> str:
    """A part without `**`; each `*` ends where what follows it can first be, but the last one
    where the end of the path is at stake.
    """
    first, *others = text.split("*")
    if not others:
        return re.escape(first)
    *middle, last = others
    found = [re.escape(first), *(f"(?>[^/]*?{re.escape(part)})" for part in middle)]
    found.append(f"[^/]*{'' if is_last else '?'}{re.escape(last)}")
    return "".join(found)
