"""The event, schema 1, and its canonical bytes.

An event has two parts. `Core` says what happened and is never removed; `Personal` points at a
person or could, and can be erased without touching a proof. The bytes of both are JSON as
RFC 8785 canonicalises it, which msgspec produces as long as keys are ASCII, integers stay below
2^53, there are no floats, and text holds no lone surrogates. `clean_map` and `clean_text` are the
gate that keeps it so; struct fields are declared in key order.
"""

import base64
import os
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from .errors import EventError

__all__ = [
    "ACTIONS",
    "FLAGS",
    "KINDS",
    "MAX_CORE_BYTES",
    "MAX_PERSONAL_BYTES",
    "SCHEMA_VERSION",
    "Core",
    "Entry",
    "Personal",
    "Pieces",
    "Value",
    "clean_map",
    "clean_text",
    "cut",
    "decode_core",
    "decode_personal",
    "encode_core",
    "encode_personal",
    "flat_event",
    "member",
    "new_source",
]

SCHEMA_VERSION: Final = 1

MAX_CORE_BYTES: Final = 32 * 1024
"""A core larger than this is refused (architecture: "a core is at most 32 KiB")."""

MAX_PERSONAL_BYTES: Final = 128 * 1024
"""Bound of the personal part, so that one event can never fill a spool."""

MAX_INT: Final = 2**53 - 1
"""RFC 8785 writes numbers as IEEE doubles: beyond this an integer would change."""

MAX_MAP_TEXT: Final = 8_192
"""Characters kept of one text inside `data` or `facts`."""

MAX_MAP_DEPTH: Final = 8
"""Nesting kept inside `data` or `facts`."""

MAX_MAP_ITEMS: Final = 1_000
"""Keys of a map or items of a list kept inside `data` or `facts`."""

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value]"
Kind: TypeAlias = Literal[
    "request",
    "websocket",
    "auth",
    "change",
    "outbound",
    "ops",
    "note",
    "access",
    "process",
    "gap",
]

KINDS: Final[frozenset[str]] = frozenset(Kind.__args__)  # type: ignore[attr-defined]

ACTIONS: Final[Mapping[str, frozenset[str]]] = {
    "request": frozenset({"received", "finished"}),
    "websocket": frozenset({"accept", "close", "refuse"}),
    "auth": frozenset(
        {
            "login",
            "logout",
            "login-failed",
            "reset",
            "grant",
            "revoke",
            "enabled",
            "disabled",
            "deleted",
        }
    ),
    "change": frozenset({"create", "update", "delete"}),
    "ops": frozenset({"cosign", "deploy", "environment", "manual", "erase", "key", "prune"}),
    "access": frozenset({"read", "export"}),
    "process": frozenset({"start", "stop", "heartbeat", "key"}),
    "outbound": frozenset(),
    "note": frozenset(),
    "gap": frozenset(),
}
"""Which actions each kind may carry; an event without an action is always allowed."""

FLAGS: Final[frozenset[str]] = frozenset(
    {
        "bad-host",
        "command",
        "crlf",
        "double-encoded",
        "forwarded-untrusted",
        "identity-unavailable",
        "lookup",
        "method-override",
        "no-accept",
        "no-ua",
        "null-byte",
        "origin-mismatch",
        "os-file",
        "path-rebuilt",
        "php-wrapper",
        "sqli",
        "ssrf",
        "template",
        "traversal",
        "truncated",
        "url-override",
        "xss",
    }
)


class Core(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What happened. Never removed, holds nothing that names a person.

    Field names and meanings are those of the schema in `docs/trail-format.md`. Fields stand in
    the order of their keys, which is the order RFC 8785 asks for.
    """

    action: str | None = None
    actor: str | None = None
    actor_kind: str | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    duration_us: int | None = None
    facts: dict[str, Any] | None = None
    flags: list[str] | None = None
    flow: str | None = None
    host: str | None = None
    kind: str | None = None
    method: str | None = None
    n: int | None = None
    nav: str | None = None
    of: int | None = None
    outcome: str | None = None
    privileged: bool | None = None
    reason: str | None = None
    request: str | None = None
    resource: str | None = None
    roles: list[str] | None = None
    route: str | None = None
    rows: int | None = None
    session: str | None = None
    source: str | None = None
    status: int | None = None
    step: str | None = None
    trace: str | None = None
    ts: int | None = None
    v: int | None = None
    via: str | None = None
    visitor: str | None = None


class Personal(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What points at a person or could. Erasable."""

    client: str | None = None
    data: dict[str, Any] | None = None
    login: str | None = None
    path: str | None = None
    peer: str | None = None
    query: str | None = None
    referer: str | None = None
    resource_id: str | None = None
    ua: str | None = None


Pieces: TypeAlias = tuple[str, str, str, str]
"""An event's canonical text, cut open where its number and its source go: the core up to `n`,
from there to `source`, from there to its end; and the personal part, empty if there is none.

As text and a plain tuple, since both are made faster than bytes and named tuples.
"""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event in its place: the bytes as stored, which are what proofs are about."""

    seq: int
    core: bytes
    personal: bytes | None = None
    salt: bytes | None = None
    sealed: bytes | None = None


# "deterministic" sorts the keys of `data` and `facts`; struct fields are declared sorted
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_CORE_DECODER: Final = msgspec.json.Decoder(Core)
_PERSONAL_DECODER: Final = msgspec.json.Decoder(Personal)

encode_core = _ENCODER.encode
"""Canonical bytes of a `Core`."""


def new_source() -> str:
    """A random source id: 128 bits as 26 characters of base32."""
    return base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()


def encode_personal(personal: Personal) -> bytes:
    """Canonical bytes of a `Personal`; empty if it has no field with a value."""
    data = _ENCODER.encode(personal)
    return b"" if data == b"{}" else data


def member(name: str, value: "Value | list[str] | None") -> str:
    """`,"name":value` in canonical form; empty for `None`.

    The value is fit for an event: see `clean_map` and `clean_text`.
    """
    return "" if value is None else f',"{name}":{_ENCODER.encode(value).decode()}'


def cut(core: Core, personal: Personal | None = None) -> Pieces:
    """An event without `v`, `source` and `n`, ready for a source to fill in its own."""
    whole = msgspec.structs.replace(core, n=0, source="", v=SCHEMA_VERSION)
    # the last such member is the event's own: behind it stand texts and lists of texts only,
    # in which a quotation mark is escaped
    before_n, _, after = encode_core(whole).decode().rpartition('"n":0,')
    after_n, _, after_source = after.partition('"source":"",')
    text = encode_personal(personal).decode() if personal is not None else ""
    return f'{before_n}"n":', f',{after_n}"source":"', f'",{after_source}', text


def decode_core(data: bytes) -> Core:
    """Read a core back. Raises `EventError` if it is not one."""
    try:
        return _CORE_DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventError(f"not a core of schema {SCHEMA_VERSION}: {error}") from error


def decode_personal(data: bytes) -> Personal:
    """Read a personal part back. Raises `EventError` if it is not one."""
    try:
        return _PERSONAL_DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventError(f"not a personal part of schema {SCHEMA_VERSION}: {error}") from error


def flat_event(entry: Entry) -> dict[str, Any]:
    """One flat mapping of `seq` and every field that has a value, as `--as events` reads it."""
    fields: dict[str, Any] = {"seq": entry.seq}
    for part in (entry.core, entry.personal):
        if part:
            fields.update(msgspec.json.decode(part))
    return fields


def clean_text(text: str, limit: int) -> str:
    """Text that can be encoded: lone surrogates replaced, at most `limit` characters.

    What was cut is counted at the end, so that a reader sees that it was cut.
    """
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= limit:
        return text
    return f"{text[:limit]}…[+{len(text) - limit}]"


_ASCII_KEY: Final = re.compile(r"[\x21-\x7e]{1,100}")


def clean_map(values: Mapping[Any, Any]) -> "dict[str, Value]":
    """A map fit for `data` and `facts`: ASCII keys; str, int, bool, list, map; no floats or nulls.

    Made for values that an application hands over in the middle of a request, so it never
    raises for them: a float or an oversized integer becomes its text, `None` and empty
    containers are left out, an unusable key is left out, anything else becomes its `str`.
    """
    cleaned = _clean(values, 0)
    return cleaned if isinstance(cleaned, dict) else {}


def _clean(value: Any, depth: int) -> "Value | None":
    match value:
        case None | "":
            return None
        case bool():
            return value
        case int():
            return value if -MAX_INT <= value <= MAX_INT else str(value)
        case str():
            return clean_text(value, MAX_MAP_TEXT)
        case bytes() | bytearray():
            return f"{len(value)} bytes"
        case Mapping():
            return _clean_items(value, depth) if depth < MAX_MAP_DEPTH else None
        case list() | tuple() | set() | frozenset():
            if depth >= MAX_MAP_DEPTH:
                return None
            items = (_clean(item, depth + 1) for item in list(value)[:MAX_MAP_ITEMS])
            return [item for item in items if item is not None] or None
        case _:
            return clean_text(str(value), MAX_MAP_TEXT)


def _clean_items(values: Mapping[Any, Any], depth: int) -> "dict[str, Value] | None":
    kept: dict[str, Value] = {}
    for key, value in list(values.items())[:MAX_MAP_ITEMS]:
        if not _ASCII_KEY.fullmatch(str(key)):
            continue
        item = _clean(value, depth + 1)
        if item is not None:
            kept[str(key)] = item
    return kept or None
