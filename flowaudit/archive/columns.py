"""Entries as columns: a column for each field of schema 1, beside `seq`, `salt` and `sealed`.

The exact bytes of core and personal part are built anew from the columns (`rebuilding.py`). A part
that does not come out the same, because it is not canonical, has fields of another schema or is
no JSON at all, is kept as it is in `raw_core` or `raw_personal`.
"""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec

from ..event import Core, Entry, Personal
from .modules import archive_module
from .rebuilding import TEXT_KINDS, rebuilt

__all__ = ["CORE_KINDS", "PERSONAL_KINDS", "schema", "table_of"]

_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_KINDS: Final = {str: "text", int: "int", bool: "bool", list: "texts", dict: "json"}
_TYPES: Final[dict[str, Any]] = {
    "text": (str | None, None),
    "int": (_Int | None, None),
    "bool": (bool | None, None),
    "texts": (list[str] | None, None),
    # the text as it stands: it is evidence, and need not be read
    "json": (msgspec.Raw, msgspec.Raw(b"")),
}


def _kinds(part: type[msgspec.Struct]) -> dict[str, str]:
    """Each field of a part and what kind of column it has, in the order of their keys."""
    kinds = {}
    for field in msgspec.structs.fields(part):
        inner = get_args(field.type)[0] if isinstance(field.type, UnionType) else field.type
        kinds[field.name] = _KINDS[get_origin(inner) or inner]
    return dict(sorted(kinds.items()))


CORE_KINDS: Final = _kinds(Core)
"""Fields of the core: `text`, `int`, `bool`, `texts` or `json`."""

PERSONAL_KINDS: Final = _kinds(Personal)
"""Fields of the personal part."""


def _decoder(name: str, kinds: dict[str, str]) -> "msgspec.json.Decoder[msgspec.Struct]":
    fields = [(field, *_TYPES[kind]) for field, kind in kinds.items()]
    return msgspec.json.Decoder(msgspec.defstruct(name, fields, gc=False))


_CORE: Final = _decoder("CoreRow", CORE_KINDS)
_PERSONAL: Final = _decoder("PersonalRow", PERSONAL_KINDS)


def schema() -> Any:
    """The Arrow schema of an archive's file."""
    arrow = archive_module("pyarrow")
    types = {
        "text": arrow.string(),
        "int": arrow.int64(),
        "bool": arrow.bool_(),
        "texts": arrow.list_(arrow.string()),
        "json": arrow.string(),
    }
    return arrow.schema(
        [
            arrow.field("seq", arrow.int64(), nullable=False),
            *((name, types[kind]) for name, kind in {**CORE_KINDS, **PERSONAL_KINDS}.items()),
            ("salt", arrow.binary(16)),
            ("sealed", arrow.binary(32)),
            ("raw_core", arrow.binary()),
            ("raw_personal", arrow.binary()),
        ]
    )


def table_of(entries: Sequence[Entry]) -> Any:
    """Entries as a `pyarrow.Table`. Each gives back its exact bytes, whatever they are."""
    arrow = archive_module("pyarrow")
    cores = [entry.core for entry in entries]
    personals = [entry.personal for entry in entries]
    columns: dict[str, Any] = {
        "seq": [entry.seq for entry in entries],
        **_fields(_CORE, CORE_KINDS, cores),
        **_fields(_PERSONAL, PERSONAL_KINDS, personals),
        "salt": [entry.salt for entry in entries],
        "sealed": [entry.sealed for entry in entries],
        "raw_core": [None] * len(entries),
        "raw_personal": [None] * len(entries),
    }
    made = arrow.table(
        [arrow.array(columns[field.name], field.type) for field in schema()], schema=schema()
    )
    for name, kinds, given in (
        ("raw_core", CORE_KINDS, cores),
        ("raw_personal", PERSONAL_KINDS, personals),
    ):
        raw = _odd(given, rebuilt(made, kinds))
        at = made.schema.get_field_index(name)
        made = made.set_column(at, schema().field(name), arrow.array(raw, arrow.binary()))
    return made


def _fields(
    decoder: "msgspec.json.Decoder[msgspec.Struct]",
    kinds: dict[str, str],
    parts: Sequence[bytes | None],
) -> Mapping[str, Sequence[object]]:
    """The values of each field; none where a part is absent or can't be read."""
    empty = (None,) * len(kinds)
    rows = [_values(decoder, part, empty) if part is not None else empty for part in parts]
    columns = dict(zip(kinds, zip(*rows, strict=True), strict=True)) if rows else {}
    for name, kind in kinds.items():
        if kind == "json" and rows:
            # msgspec has looked through this text: it is UTF-8
            columns[name] = tuple(bytes(raw).decode() if raw else None for raw in columns[name])
    return columns or dict.fromkeys(kinds, ())


def _values(
    decoder: "msgspec.json.Decoder[msgspec.Struct]", part: bytes, empty: tuple[None, ...]
) -> tuple[object, ...]:
    try:
        return msgspec.structs.astuple(decoder.decode(part))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return empty


def _odd(given: Sequence[bytes | None], built: Any) -> list[bytes | None]:
    """What of the given parts is not what was built, and is kept as it is."""
    return [
        None if part is None or part == other else part
        for part, other in zip(given, built.to_pylist(), strict=True)
    ]


assert set(CORE_KINDS.values()) | set(PERSONAL_KINDS.values()) <= TEXT_KINDS.keys()
