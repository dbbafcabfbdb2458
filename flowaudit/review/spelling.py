"""The one spelling behind the many ways to write a path."""

import re
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote

__all__ = ["one_spelling"]

DECODED: Final = 2
"""Times a path is percent-decoded: what servers and the frameworks behind them do together."""

_SLASHES: Final = re.compile(r"[/\\]+")


def one_spelling(path: str) -> str:
    """A path as the most forgiving server would read it.

    Percent-decoded twice, in lower case, without doubled slashes, `.` and `..` segments,
    `;parameters`, blanks around segments and a slash at the end.
    """
    for _ in range(DECODED):
        path = unquote(path, errors="replace")
    segments: list[str] = []
    for segment in _SLASHES.split(normalize("NFKC", path).casefold()):
        name = segment.partition(";")[0].strip("\x00\t\r\n ")
        if name == "..":
            del segments[-1:]
        elif name not in ("", "."):
            segments.append(name)
    return "/" + "/".join(segments)
