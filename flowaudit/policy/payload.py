"""What may be kept of a body: the values that are named; of all else type and length.

Bytes in, a map for an event's `data` out. Nothing here raises for what a client sent.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from ..event import MAX_INT, Value, clean_text
from .named import Pointers, ascii_key, pointer_token
from .redact import mask, redact_referer

__all__ = ["Described", "Field", "describe_form", "describe_json", "keep_header", "parse_form"]

MAX_VALUE: Final = 1_000
"""Characters of a value that is kept; a longer one is told by its length, as what is cut might
not be recognised as a secret any more.
"""

MAX_TOLD: Final = 200
"""Values kept of one body, and keys told by type and length."""

MAX_TOLD_BYTES: Final = 16 * 1024
"""Bytes of each of the two, so that both directions fit an event."""

MAX_LOOKED_AT: Final = 5_000
"""Values of a body that are looked at."""

MAX_ITEMS: Final = 100
"""Items of an array that are looked at; its length is told."""

MAX_DEPTH: Final = 8
"""How deep a body is described where nothing deeper is named."""

MAX_FIELDS: Final = 1_000
"""Fields of a form; one with more is not looked at."""

MAX_KEY: Final = 100
"""Characters of a key in an event."""

WHOLE: Final = "#"
"""Stands for the whole document (RFC 6901, section 6)."""

UNSHOWN: Final = "?"
"""Stands for keys that are not told."""

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.-]{0,39}")
_URL_HEADERS: Final = frozenset(["content-location", "location", "referer"])

Described = dict[str, Value]
"""`kept`: key → value; `rest`: key → type and length; `cut` if there was more than is told;
or `skipped`: why the body was not looked at.
"""


class Field(NamedTuple):
    """One field of a form."""

    name: str
    value: str | None
    """`None` for a file, of which nothing is kept."""
    size: int
    """Characters of a value, bytes of a file."""


def describe_json(body: bytes, named: Pointers) -> Described:
    """A JSON body: what the pointers name, and the shape of the rest."""
    try:
        document = msgspec.json.decode(body.removeprefix(BOM_UTF8))  # RFC 8259 §8.1 lets us
    except (ValueError, RecursionError):
        # msgspec's own errors, and undecodable bytes, are ValueErrors
        return {"skipped": "broken"}
    told = _Told()
    _walk(told, document, [named], "", "", 0)
    return told.as_map()


def parse_form(body: bytes) -> list[Field] | str:
    """The fields of a urlencoded form, or why it is not looked at."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError:
        return "too-many"
    return [Field(name, value, len(value)) for name, value in pairs]


def describe_form(fields: Iterable[Field], named: frozenset[str]) -> Described:
    """A form: the values of named keys, and of the others type and length."""
    told = _Told()
    for name, value, size in fields:
        is_named = name in named
        if value is not None and is_named and told.keep(ascii_key(name), value):
            continue
        kind = "file" if value is None else "string"
        told.shape(ascii_key(name) if is_named else _shown(name), kind, size)
    return told.as_map()


def keep_header(name: str, value: str) -> str | None:
    """A named header's value as it may be kept: masked, a URL without its query."""
    if not value or len(value) > MAX_VALUE:
        return None
    if name in _URL_HEADERS:
        return redact_referer(value)
    return mask(clean_text(value, MAX_VALUE))


class _Told:
    """What is gathered of one body, within its bounds."""

    def __init__(self) -> None:
        self._kept: dict[str, Value] = {}
        self._shapes: dict[str, dict[str, tuple[int, int]]] = {}
        self._room = MAX_TOLD_BYTES
        self._shape_room = MAX_TOLD_BYTES
        self.looked_at = 0
        self.is_cut = False

    def keep(self, key: str, value: object) -> bool:
        """Keep a named value; False if it is of a kind or length that is not kept."""
        kept = _keepable(value)
        if kept is None:
            return False
        size = len(msgspec.json.encode(kept)) + len(key) + 8
        if len(self._kept) >= MAX_TOLD or size > self._room:
            self.is_cut = True
            return True
        self._room -= size
        before = self._kept.get(key)
        if before is None:
            self._kept[key] = kept
        else:  # a form's key may stand several times
            self._kept[key] = [*before, kept] if isinstance(before, list) else [before, kept]
        return True

    def shape(self, key: str, kind: str, length: int = -1) -> None:
        """Tell type and length of a value that is not kept; several under one key share it."""
        if len(key) > MAX_KEY:
            key = UNSHOWN
        kinds = self._shapes.get(key)
        if kinds is None:
            size = len(key) + 40
            if len(self._shapes) >= MAX_TOLD or size > self._shape_room:
                self.is_cut = True
                return
            self._shape_room -= size
            kinds = self._shapes[key] = {}
        least, most = kinds.get(kind, (length, length))
        kinds[kind] = (min(least, length), max(most, length))

    def as_map(self) -> Described:
        """What was told, without what is empty."""
        rest: dict[str, Value] = {
            key: ", ".join(_shape_text(kind, *kinds[kind]) for kind in sorted(kinds))
            for key, kinds in self._shapes.items()
        }
        told: Described = {"kept": self._kept} if self._kept else {}
        if rest:
            told["rest"] = rest
        return told | {"cut": True} if self.is_cut else told


def _walk(
    told: _Told, value: Any, named: Sequence[Pointers], path: str, shown: str, depth: int
) -> None:
    """Follow a value. `path` is its exact place, `shown` the one that may be told of it."""
    told.looked_at += 1
    if told.looked_at > MAX_LOOKED_AT:
        told.is_cut = True
    elif isinstance(value, list):
        told.shape(shown or WHOLE, "array", len(value))
        if _goes_on(named, depth):
            _walk_items(told, value, named, path, shown, depth)
    elif isinstance(value, dict):
        if value and _goes_on(named, depth):
            _walk_members(told, value, named, path, shown, depth)
        else:
            told.shape(shown or WHOLE, "object", len(value))
    elif not (any(node.is_end for node in named) and told.keep(path or WHOLE, value)):
        told.shape(shown or WHOLE, *_kind(value))


def _goes_on(named: Sequence[Pointers], depth: int) -> bool:
    return depth < MAX_DEPTH or any(node.next for node in named)


def _walk_items(
    told: _Told, items: list[Any], named: Sequence[Pointers], path: str, shown: str, depth: int
) -> None:
    told.is_cut = told.is_cut or len(items) > MAX_ITEMS
    for place, item in enumerate(items[:MAX_ITEMS]):
        wanted = ("*", str(place))
        below = [node.next[token] for node in named for token in wanted if token in node.next]
        _walk(told, item, below, f"{path}/{place}", f"{shown}/*", depth + 1)


def _walk_members(
    told: _Told,
    members: dict[str, Any],
    named: Sequence[Pointers],
    path: str,
    shown: str,
    depth: int,
) -> None:
    for key, value in members.items():
        if told.looked_at > MAX_LOOKED_AT:
            return
        below = [node.next[key] for node in named if key in node.next]
        name = pointer_token(key) if below else _shown(key)
        _walk(told, value, below, f"{path}/{name}", f"{shown}/{name}", depth + 1)


def _shown(key: str) -> str:
    """A key that is not named, as it may be told: it might itself be somebody's secret."""
    return key if _PLAIN_KEY.fullmatch(key) and mask(key) == key else UNSHOWN


def _keepable(value: object) -> "str | int | bool | None":
    """A value that may be kept; `None` for an empty or long text, a null, a container."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        text = str(value)
        masked = mask(text)
        if masked != text or isinstance(value, float) or abs(value) > MAX_INT:
            return masked[:MAX_VALUE]
        return value
    if isinstance(value, str) and 0 < len(value) <= MAX_VALUE:
        return mask(clean_text(value, MAX_VALUE))
    return None


def _kind(value: object) -> tuple[str, int]:
    if isinstance(value, str):
        return "string", len(value)
    if value is None:
        return "null", -1
    return ("boolean" if isinstance(value, bool) else "number"), -1


def _shape_text(kind: str, least: int, most: int) -> str:
    if most < 0:
        return kind
    return f"{kind} {least}" if least == most else f"{kind} {least}-{most}"
