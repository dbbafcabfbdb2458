"""What a writer asks of the functions of a PostgreSQL trail, and what its errors mean."""

import os
from collections.abc import Collection
from hashlib import sha256
from typing import Any, Final

import psycopg
from psycopg import Connection, errors

from ..errors import NotATrailError, TrailBusyError, TrailError, TrailWriteError
from ..proofs.merkle import SALT_BYTES
from ..vault.link import first_line
from ..vault.place import DatabaseUrl
from .store import Records

__all__ = ["Db", "append", "last_n_of", "postgres_error", "seqs_of"]

Db = Connection[tuple[Any, ...]]
"""A connection in a transaction."""

_APPEND: Final = (
    "SELECT flowaudit.append(%b, %b, %b, %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[])"
)

_NO_TRAIL: Final = (
    errors.UndefinedTable,
    errors.UndefinedFunction,
    errors.UndefinedColumn,
    errors.InvalidSchemaName,
    errors.InvalidCatalogName,
)


def postgres_error(error: psycopg.Error, what: DatabaseUrl) -> TrailError:
    """The exception of ours that says what an error of PostgreSQL means for a trail."""
    said = first_line(error)
    if isinstance(error, (errors.LockNotAvailable, errors.QueryCanceled)):
        return TrailBusyError(f"{what}: another one has held the trail for too long")
    if isinstance(error, (errors.DeadlockDetected, errors.IdleInTransactionSessionTimeout)):
        return TrailBusyError(f"{what}: {said}")
    if isinstance(error, _NO_TRAIL):
        return NotATrailError(f"{what} holds no flowaudit trail; its owner runs: flowaudit setup")
    return TrailWriteError(f"{what}: {said}")


def append(
    db: Db,
    records: Records,
    source: str,
    last_n: int,
    running: str | None,
    sealed_only: Collection[int] = (),
) -> int:
    """Hand entries to the database, and return the `seq` of the first; of those at the places
    `sealed_only` only what commits to their personal part.
    """
    salts = os.urandom(SALT_BYTES * len(records))
    parts = [
        (personal, salts[at * SALT_BYTES : (at + 1) * SALT_BYTES]) if personal else (None, None)
        for at, (_, personal) in enumerate(records)
    ]
    seals: list[bytes | None] | None = None
    if sealed_only:
        seals = [None] * len(records)
        for at in sealed_only:
            personal, salt = parts[at]
            seals[at] = sha256(b"\x02" + (salt or b"") + (personal or b"")).digest()
            parts[at] = None, None
    has_personal = any(personal for personal, _ in parts)
    row = db.execute(
        _APPEND,
        (
            source,
            last_n,
            running,
            [core for core, _ in records] or "{}",
            [personal for personal, _ in parts] if has_personal else None,
            [salt for _, salt in parts] if has_personal else None,
            seals,
        ),
    ).fetchone()
    return int(row[0]) if row else 0


def last_n_of(db: Db, source: str) -> int:
    """The highest number of a source that is committed; 0 if the trail does not know it."""
    row = db.execute("SELECT flowaudit.last_n(%s)", (source,)).fetchone()
    return int(row[0]) if row else 0


def seqs_of(db: Db, function: str, values: list[Any], *bounds: int) -> list[int]:
    """The numbers that one of our functions finds."""
    places = ", ".join(["%s"] * (1 + len(bounds)))
    rows = db.execute(f"SELECT * FROM flowaudit.{function}({places})", (values, *bounds))
    return [int(seq) for (seq,) in rows]
