"""Samples: a value that fits a route's parameter, a file that a static server has."""

import os
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..capture.targets import SAFE_IN_PATH

__all__ = ["first_file", "fitting", "quoted", "sample_of"]

_UUID: Final = "00000000-0000-4000-8000-000000000000"

_BY_NAME: Final = {
    "int": "1",
    "integer": "1",
    "float": "1.0",
    "uuid": _UUID,
    "path": "x",
    "slug": "x",
    "str": "x",
    "string": "x",
    "unicode": "x",
}
"""By the name of a converter's class, in Flask, Starlette and Django."""

_CANDIDATES: Final = (
    *("x", "1", "1.0", "a1", "en", "ab", "abc", "10", "12", "123", "2026", "01", "true", "X"),
    *("AB", "ABC", "a-b", "a_b", "2026-01", "2026-01-01", _UUID, "x/1", "x.txt", "x@example.org"),
    *("0" * length for length in (5, 6, 8, 12, 16, 24, 32, 40, 64)),
    *("a" * length for length in (4, 6, 8, 10, 12, 16, 20, 32)),
)
"""What most expressions of routes take, simple things first."""

MAX_FILES: Final = 1_000
"""Folders that are looked through for a file to ask for."""


def fitting(expression: str) -> str | None:
    """A text that fits a regular expression as a whole, if one is known."""
    try:
        compiled = re.compile(expression)
    except (re.error, OverflowError, RecursionError):
        return None
    return next((text for text in _CANDIDATES if compiled.fullmatch(text)), None)


def sample_of(converter: Any) -> str | None:
    """A value for a converter of Flask, Starlette or Django: by its class, else its expression."""
    choices = getattr(converter, "items", None)
    if isinstance(choices, (set, frozenset)) and choices:
        return str(min(choices))  # Werkzeug's `any`
    name = re.sub(r"Convert[eo]r$", "", type(converter).__name__).lower()
    known, expression = _BY_NAME.get(name), getattr(converter, "regex", None)
    if not isinstance(expression, str):
        return known
    if known is not None and re.fullmatch(expression, known):
        return known
    return fitting(expression)


def quoted(path: str) -> str:
    """A path as it goes over the wire."""
    return quote(path, safe=SAFE_IN_PATH)


def first_file(folders: Iterable[object]) -> str | None:
    """The path, below one of the folders, of a file that is there, if one is found soon."""
    for folder in folders:
        if not isinstance(folder, (str, Path)):
            continue
        for where, inside, names in islice(os.walk(str(folder)), MAX_FILES):
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    return (Path(where) / name).relative_to(folder).as_posix()
    return None
