"""The header `Forwarded` (RFC 7239): whom each hop saw.

Only `for=` is read: `by`, `host` and `proto` are not believed.
"""

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["forwarded_nodes"]

MAX_LOOK: Final = 4_096
"""Characters looked at, from the right: what is left of them came from afar."""

_NAME: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PAIR: Final = re.compile(
    # brackets and colons must be quoted, and many a proxy forgets it
    rf"[ \t]*({_NAME})=(?:([][:A-Za-z0-9!#$%&'*+.^_`|~-]+)|\"((?:[^\"\\]|\\.)*)\")[ \t]*(?:;|\Z)"
)
_ESCAPED: Final = re.compile(r"\\(.)")


def forwarded_nodes(text: str, most: int) -> list[str | None]:
    """The nodes of the last `most` elements, in their order; `None` for one that is malformed.

    Empty elements are none, as RFC 9110 §5.6.1.2 has it.
    A node is an address with or without port, `unknown`, or a name that begins with `_`.
    """
    nodes = []
    for element in _from_right(text[-MAX_LOOK:]):
        if not element.strip(" \t"):
            continue
        nodes.append(_node(element))
        if len(nodes) == most:
            break
    return nodes[::-1]


def _from_right(text: str) -> Iterator[str]:
    """Elements, the last first.

    From the right, so that a quotation mark which a client has left open, further left, cannot
    swallow what a proxy has added.
    """
    end, is_quoted = len(text), False
    for place in range(len(text) - 1, -1, -1):
        char = text[place]
        if char == '"' and not _is_escaped(text, place):
            is_quoted = not is_quoted
        elif char == "," and not is_quoted:
            yield text[place + 1 : end]
            end = place
    yield text[:end]


def _is_escaped(text: str, place: int) -> bool:
    before = text[:place]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _node(element: str) -> str | None:
    """What one element says after `for=`; `None` if it says nothing, or twice."""
    found: list[str] = []
    place = 0
    while place < len(element):
        pair = _PAIR.match(element, place)
        if pair is None:
            return None
        name, plain, quoted = pair.groups()
        if name.lower() == "for":
            found.append(plain if plain is not None else _ESCAPED.sub(r"\1", quoted))
        place = pair.end()
    return found[0] if len(found) == 1 else None
