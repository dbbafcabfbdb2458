"""Django's routes as templates of the one form that every framework's routes have."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

__all__ = ["filled", "template_of"]

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
        route = filled(route, lambda name, _: f"{{{name}}}")
    return "/" + _CONVERTER.sub(r"{\1}", route).lstrip("/")


def filled(pattern: str, put: Callable[[str, str], str]) -> str:
    """A regular expression with something in place of its groups, without anchors, repetitions.

    Args:
        pattern: the expression.
        put: called with a group's name (`arg` if it has none) and the expression in it.
    """
    parts, place = [], 0
    while group := _GROUP.search(pattern, place):
        parts.append(_plain(pattern[place : group.start()]))
        end = _end_of_group(pattern, group.start())
        inside = pattern[group.end() : end - 1]
        if group[1]:
            parts.append(put(group[1], inside))
        elif group[0] == "(?:":
            parts.append(filled(inside, put))
        elif group[0] == "(":
            parts.append(put("arg", inside))
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
