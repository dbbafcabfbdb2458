"""The exact JSON bytes of a part, out of its columns: RFC 8785, column by column.

All members are joined row by row inside Arrow. Text that needs an escape is looked for, and only
a column that has such a text goes through the JSON encoder.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from .modules import archive_module

__all__ = ["TEXT_KINDS", "rebuilt"]

NEEDS_ESCAPE: Final = bytes(range(0x20)) + b'"\\'
"""What RFC 8785 §3.2.2.2 escapes; all else stands as it is."""

Pieces = list[Any]
"""What a text is joined of, for each row: columns, and texts that are the same for all."""


def rebuilt(table: Any, kinds: Mapping[str, str]) -> Any:
    """The part's bytes for each row, as Arrow's binary array; `{}` where it has no field.

    Args:
        table: rows with a column for each field.
        kinds: the part's fields by rising name, and what kind of column each has.
    """
    arrow, compute = archive_module("pyarrow"), archive_module("pyarrow.compute")
    pieces: Pieces = []
    for name, kind in kinds.items():
        column = table[name].combine_chunks()
        if column.null_count == len(column):
            continue
        member = [f',"{name}":', *TEXT_KINDS[kind](column)]
        pieces += member if column.null_count == 0 else [_joined(member)]
    if not pieces:
        return arrow.array([b"{}"] * len(table), arrow.binary())
    text = _joined(pieces, null_handling="replace").cast(arrow.binary())
    text = compute.binary_replace_slice(text, 0, 1, b"{")  # the first member's comma
    return compute.binary_join_element_wise(text, arrow.scalar(b"}"), arrow.scalar(b""))


def _joined(pieces: Pieces, null_handling: str = "emit_null") -> Any:
    """Texts end to end, for each row."""
    arguments: Pieces = []
    for piece in pieces:
        if isinstance(piece, str) and arguments and isinstance(arguments[-1], str):
            arguments[-1] += piece
        else:
            arguments.append(piece)
    join = archive_module("pyarrow.compute").binary_join_element_wise
    return join(*arguments, "", null_handling=null_handling, null_replacement="")


def _text(column: Any) -> Pieces:
    if not _needs_escape(column):
        return ['"', column, '"']
    arrow, encode = archive_module("pyarrow"), msgspec.json.encode
    texts = (None if text is None else encode(text).decode() for text in column.to_pylist())
    return [arrow.array(texts, arrow.string())]


def _needs_escape(column: Any) -> bool:
    """Whether a byte stands anywhere in a column that JSON escapes: one look at its buffer."""
    _, offsets, data = column.buffers()
    if data is None:
        return False
    ends = memoryview(offsets).cast("i")
    used = bytes(data[ends[column.offset] : ends[column.offset + len(column)]])
    return len(used.translate(None, NEEDS_ESCAPE)) != len(used)


def _texts(column: Any) -> Pieces:
    arrow, compute = archive_module("pyarrow"), archive_module("pyarrow.compute")
    inner = _joined(_text(column.flatten()))
    # `flatten` leaves out what stands behind NULLs, so the offsets are counted anew
    lengths = compute.fill_null(compute.list_value_length(column), 0)
    ends = compute.cumulative_sum(lengths)
    offsets = arrow.concat_arrays([arrow.array([0], ends.type), ends]).cast(arrow.int32())
    lists = arrow.ListArray.from_arrays(offsets, inner)
    items = compute.if_else(column.is_valid(), compute.binary_join(lists, ","), None)
    return ["[", items, "]"]


def _int(column: Any) -> Pieces:
    return [column.cast(archive_module("pyarrow").string())]


def _bool(column: Any) -> Pieces:
    return [archive_module("pyarrow.compute").if_else(column, "true", "false")]


TEXT_KINDS: Final[dict[str, Callable[[Any], Pieces]]] = {
    "text": _text,
    "texts": _texts,
    "int": _int,
    "bool": _bool,
    "json": lambda column: [column],
}
"""How each kind of column becomes JSON text."""
