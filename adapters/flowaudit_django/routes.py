"""Django's routes as templates of the one form that every framework's routes have."""

import re
from functools import lru_cache
from typing import Final

__all__ = ["template_of"]

_CONVERTER: Final = re.compile(r"<(?:[^:<>]+:)?([^<>:]+)>")
_EXPRESSION: Final = re.compile(r"\^|\(\?P<|\$|\\")
"""What only a regular expression has."""
_GROUP: Final = re.compile(r"\(\?P<(\w+)>|\(\?:|\(\?[=!<]|\((?!\?)")
_ANCHORS: Final = re.compile(r"\\[AbBZ]|\^|\$")


@lru_cache(maxsize=4_096)
def template_of(route: str) -> str:
    """`/invoices/{pk}` out of Django's `invoices/<int:pk>` or a regular expression.

    A group without a name is `{arg}`; what an expression may leave out, such as a last slash, is
    written as if it were there.
    """
    if _EXPRESSION.search(route):
        route = _simplified(route)
    return "/" + _CONVERTER.sub(r"{\1}", route).lstrip("/")


def _simplified(pattern: str) -> str:
    """A regular expression with its groups as parameters, without anchors and repetitions."""
    parts, place = [], 0
    while group := _GROUP.search(pattern, place):
        parts.append(_plain(pattern[place : group.start()]))
        end = _end_of_group(pattern, group.start())
        if group[1]:
            parts.append(f"{{{group[1]}}}")
        elif group[0] == "(?:":
            parts.append(_simplified(pattern[group.end() : end - 1]))
        elif group[0] == "(":
            parts.append("{arg}")
        place = end
    return "".join((*parts, _plain(pattern[place:])))


def _end_of_group(pattern: str, start: int) -> int:
    """Where the parenthesis that opens at `start` is closed, one past it."""
    depth, place, is_class = 0, start, False
    while place < len(pattern):
        sign = pattern[place]
        if sign == "\\":
            place += 1
        elif is_class:
            is_class = sign != "]"
        elif sign == "[":
            is_class = True
        elif sign in "()":
            depth += 1 if sign == "(" else -1
            if depth == 0:
                return place + 1
        place += 1
    return len(pattern)


def _plain(text: str) -> str:
    text = re.sub(r"(?<!\\)[?*+]", "", _ANCHORS.sub("", text))
    return text.replace("\\", "")
