"""Output for people and programs: tables, JSON, CSV; hostile text stays text."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..report.words import printable

__all__ = ["csv_cell", "print_csv", "print_json", "print_table"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""First characters that a spreadsheet takes for a formula."""


def print_json(value: Any) -> None:
    """One JSON value, indented; what a terminal would obey stands as a JSON escape."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("".join(map(_escaped, text)) if not text.isascii() else text)
    sys.stdout.write("\n")


def _escaped(char: str) -> str:
    acts = char != "\n" and printable(char) != char
    return json.dumps(char)[1:-1] if acts else char


def csv_cell(value: object) -> object:
    """A cell that no spreadsheet runs: text that looks like a formula gets an apostrophe."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows as CSV (RFC 4180) with a header."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([csv_cell(cell) for cell in row])
    sys.stdout.write(buffer.getvalue())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], fmt: str) -> None:
    """Rows in the format asked for; numbers right-aligned in text, `null` where there is none."""
    if fmt == "csv":
        print_csv(columns, rows)
    elif fmt == "json":
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        _print_text(columns, rows)


def _print_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(columns, *cells, strict=True)]
    is_number = [all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(columns))]
    for line in [list(columns), *cells]:
        parts = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        ]
        sys.stdout.write("  ".join(parts).rstrip() + "\n")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return printable(value)
