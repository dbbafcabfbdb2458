"""The tables of a trail's SQLite file, and the check that a file has these and nothing beside.

A trail may come from anywhere. A view in the place of a table could answer for ever, a trigger
could undo what is written, and an index could show a reader other rows than the table has.
"""

import sqlite3
from pathlib import Path
from typing import Final

from ..errors import NotATrailError

__all__ = ["TABLES", "check_schema"]

TABLES: Final = {
    "event": (
        "CREATE TABLE event"
        " (seq INTEGER PRIMARY KEY, core TEXT, personal TEXT, salt BLOB, sealed BLOB)"
    ),
    "tile": (
        "CREATE TABLE tile (level INTEGER, idx INTEGER, hashes BLOB, PRIMARY KEY (level, idx))"
        " WITHOUT ROWID"
    ),
    "head": (
        "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER, frontier BLOB)"
    ),
    "source": (
        "CREATE TABLE source (id TEXT PRIMARY KEY, last_n INTEGER, running TEXT) WITHOUT ROWID"
    ),
    "checkpoint": "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT)",
    "trail": "CREATE TABLE trail (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT)",
    "archived": (
        "CREATE TABLE archived (first INTEGER PRIMARY KEY, last INTEGER, state TEXT, place TEXT,"
        " file TEXT, draft TEXT, first_ts INTEGER, last_ts INTEGER, told TEXT)"
    ),
}
"""Each table of ours with the statement that makes it, as SQLite keeps it."""

NEW_IN: Final = {"archived": 2}
"""The format that a table came with, where that is not the first."""

MAX_OBJECTS: Final = 100
"""Tables that a trail's file may have; one that has more is none of ours."""


def check_schema(db: sqlite3.Connection, path: Path, version: int) -> None:
    """Raise `NotATrailError` unless an open file has the tables of its format as we make them, and
    no view, trigger or index. Other tables are let be.
    """
    rows = db.execute(
        "SELECT type, name, CAST(sql AS TEXT) FROM sqlite_master LIMIT ?", (MAX_OBJECTS,)
    ).fetchall()
    found = {name: sql for kind, name, sql in rows if kind == "table"}
    for name, sql in TABLES.items():
        if NEW_IN.get(name, 1) > version:
            if name in found:
                raise NotATrailError(f"{path} has the table {name}, new in a later format than its")
            continue
        if name not in found:
            raise NotATrailError(f"{path} has no table {name}: it was damaged")
        if found[name] != sql:
            raise NotATrailError(f"{path}: its table {name} is not one of ours: it was changed")
    others = sorted(f"{kind} {name}" for kind, name, sql in rows if kind != "table" and sql)
    if others or len(rows) == MAX_OBJECTS:
        named = ", ".join(others[:3]) or "more tables than ours"
        raise NotATrailError(f"{path} was changed: it has {named}, which a trail has not")
