"""The file of a SQLite trail: made, opened, locked, and one transaction at a time in it."""

import base64
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..errors import TrailBusyError, TrailWriteError
from ..vault.guard import ConnectionGuard
from .locks import file_lock
from .paths import APPLICATION_ID, FORMAT, check_identity, make_private, trail_error
from .schema import TABLES

__all__ = ["TrailFile"]

BUSY_S: Final = 5.0
"""Seconds SQLite waits for a program that locks the file itself past our lock."""

PAGE_BYTES: Final = 16_384
"""Page of a new trail: some thirty events; with 4,096 each event costs 1 µs more."""

_SCHEMA: Final = f"""
{"; ".join(TABLES.values())};
INSERT INTO head VALUES (1, 0, x'');
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""

_UPGRADE: Final = f"BEGIN IMMEDIATE; {TABLES['archived']}; PRAGMA user_version = {FORMAT}; COMMIT;"
"""Makes a trail of format 1 one of format 2."""


class TrailFile:
    """A trail's file for writing, opened at its first use and again after a fork.

    Raises `NotATrailError`, `TrailBusyError` or `TrailWriteError`.

    Args:
        path: the file.
        lock: the file whose lock makes one order of all writers.
        lock_timeout_s: how long that is waited for; `None` is for ever.
    """

    def __init__(self, path: Path, lock: Path, lock_timeout_s: float | None) -> None:
        self.origin = ""
        """The trail's name in checkpoints; empty before the first transaction."""
        self._path = path
        self._lock = lock
        self._lock_timeout_s = lock_timeout_s
        self._guard = ConnectionGuard(path)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._guard.connection is not None

    @contextmanager
    def transaction(
        self, first: Callable[[], object] | None = None
    ) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else writes beside; committed and durable after the block, or
        rolled back if that raises. What is done `first` is done under the lock, before it begins.
        """
        with file_lock(self._lock).held(self._lock_timeout_s):
            if first is not None:
                # not inside the guard: a fork waits for guards one by one, in any order
                first()
            with self._guard as guard:
                try:
                    if guard.is_moved:
                        guard.close()
                        raise TrailWriteError(
                            f"{self._path} was removed or exchanged while it was in use"
                        )
                    db = guard.connection or self._open()
                    db.execute("BEGIN IMMEDIATE")
                    try:
                        yield db
                        db.execute("COMMIT")
                    except BaseException:
                        if db.in_transaction:
                            db.execute("ROLLBACK")
                        raise
                except sqlite3.Error as error:
                    raise trail_error(error, self._path) from error

    def truncate_log(self) -> bool:
        """Write the write-ahead log into the file and empty it; False if a reader blocks that."""
        with file_lock(self._lock).held(self._lock_timeout_s), self._guard as guard:
            try:
                db = guard.connection or self._open()
                return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.Error as error:
                raise trail_error(error, self._path) from error

    def close(self) -> None:
        """Close the connection; the next transaction opens another."""
        with self._guard as guard:
            guard.close()

    def _open(self) -> sqlite3.Connection:
        path = self._path
        if self._guard.is_tainted:
            raise TrailBusyError(f"{path} was in use while this process was forked")
        try:
            make_private(path)
        except OSError as error:
            raise TrailWriteError(f"{path}: {error.strerror}") from error
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            # a crash between making the file and its tables leaves an empty database: still ours
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                check_identity(db, path)
            db.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file only
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                identifier = base64.b32encode(os.urandom(10)).decode().lower()
                db.executescript(
                    f"BEGIN; {_SCHEMA}INSERT INTO trail VALUES (1, '{identifier}'); COMMIT;"
                )
            elif db.execute("PRAGMA user_version").fetchone()[0] < FORMAT:
                db.executescript(_UPGRADE)
            self.origin = "flowaudit/" + db.execute("SELECT id FROM trail").fetchone()[0]
        except BaseException:
            db.close()
            raise
        self._guard.keep(db)
        return db
