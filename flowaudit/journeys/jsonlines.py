"""JSON Lines of events: one flat object of schema-1 fields a line, as `--as events` reads them.

Tokens, hashes and texts are kept as they are: what was captured by flowaudit was redacted then.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ..event import (
    ACTIONS,
    KINDS,
    MAX_CORE_BYTES,
    MAX_PERSONAL_BYTES,
    SCHEMA_VERSION,
    Core,
    Personal,
    clean_map,
    encode_core,
    encode_personal,
)

__all__ = ["GivenEvent", "given_event"]

MAX_INT: Final = 2**53 - 1

_CORE: Final = frozenset(Core.__struct_fields__)
_PERSONAL: Final = frozenset(Personal.__struct_fields__)
_PLACES: Final = frozenset(["seq"])
"""Fields that say where an event stood: not taken over, it gets a new place."""
_DECODE: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class GivenEvent:
    """An event of a line, and the numbers that it came with."""

    core: dict[str, Any]
    personal: bytes
    source: str | None
    n: int | None
    left_out: frozenset[str]
    """Names of fields that are not in the schema, and so not in the event."""

    def core_bytes(self, source: str, n: int) -> bytes:
        """Its core's canonical bytes under a source and a number."""
        return encode_core(Core(**{**self.core, "source": source, "n": n, "v": SCHEMA_VERSION}))


def given_event(line: str) -> GivenEvent | None:
    """The event of a line, or `None` if the line is not one of schema 1."""
    try:
        fields = {k: v for k, v in _DECODE(line).items() if v not in (None, "", [], {})}
        left_out = fields.keys() - _CORE - _PERSONAL - _PLACES
        for name in fields.keys() & {"data", "facts"}:
            # what is no map fails the conversion below
            if isinstance(fields[name], dict):
                fields[name] = clean_map(fields[name]) or None
        core = {name: value for name, value in fields.items() if name in _CORE}
        personal = {name: value for name, value in fields.items() if name in _PERSONAL}
        body = encode_personal(msgspec.convert(personal, Personal))
        size = len(encode_core(msgspec.convert(core, Core)))
    except (msgspec.MsgspecError, UnicodeEncodeError, AttributeError):
        return None
    if not _is_sound(core) or size > MAX_CORE_BYTES - 64 or len(body) > MAX_PERSONAL_BYTES:
        return None
    return GivenEvent(core, body, core.get("source"), core.get("n"), frozenset(left_out))


def _is_sound(core: dict[str, Any]) -> bool:
    """Whether kind, action, time, version and numbers are those of schema 1."""
    kind, action = core.get("kind"), core.get("action")
    if kind not in KINDS or (action is not None and action not in ACTIONS[kind]):
        return False
    if core.get("v", SCHEMA_VERSION) != SCHEMA_VERSION or "ts" not in core:
        return False
    if not 1 <= core.get("n", 1) <= MAX_INT or len(core.get("source", "")) > 100:
        return False
    return all(abs(value) <= MAX_INT for value in core.values() if isinstance(value, int))
