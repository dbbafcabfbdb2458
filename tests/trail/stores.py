"""What tests of both stores need: a mark for those of one, and what a store holds as bytes."""

from pathlib import Path

import pytest

from flowaudit.vault.place import DatabaseUrl, Place

only_sqlite = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
"""For what only a file can show."""

_TABLES = (
    "flowaudit.event",
    "flowaudit.tile",
    "flowaudit.source",
    "flowaudit.checkpoint",
    "flowaudit_vault.person",
    "flowaudit_vault.erased",
    "flowaudit_vault.erasing",
    "flowaudit_vault.hold",
)


def as_setting(trail: Place) -> str | Path:
    """A trail as a setting names it."""
    return trail.uri if isinstance(trail, DatabaseUrl) else trail


def folder_of(trail: Place) -> Path:
    """Where a trail's files are: those of a database stand in the working folder."""
    return Path.cwd() if isinstance(trail, DatabaseUrl) else trail.parent


def bytes_of(trail: Place) -> bytes:
    """All bytes of the trail, its vault, their logs and the spools; of a database, all that its
    tables hold.
    """
    spools = b"".join(path.read_bytes() for path in folder_of(trail).rglob("*.ring"))
    if not isinstance(trail, DatabaseUrl):
        files = [path for path in trail.parent.rglob("t.db*") if path.is_file()]
        return b"".join(path.read_bytes() for path in files) + spools
    import psycopg

    with psycopg.connect(trail.uri) as db:
        rows = [row for table in _TABLES for row in db.execute(f"SELECT * FROM {table}")]
    values = [value for row in rows for value in row if value is not None]
    return spools + b"".join(v if isinstance(v, bytes) else str(v).encode() for v in values)
