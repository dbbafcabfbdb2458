"""The vault in a SQLite file of its own."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from ..errors import VaultBusyError, VaultError
from .base import (
    KEY_BYTES,
    PURPOSES,
    SALT_BYTES,
    TOKEN_LENGTH,
    AnyVault,
    Database,
    Token,
    is_own_token,
    is_token,
    spelled,
    token_of,
)
from .guard import SQLITE_ERRORS, ConnectionGuard, error_code

__all__ = [
    "PURPOSES",
    "TOKEN_LENGTH",
    "Token",
    "Vault",
    "is_own_token",
    "is_token",
    "spelled",
    "token_of",
]

APPLICATION_ID: Final = 0x666C7661
"""`flva` in the header of the SQLite file: a flowaudit vault."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS person (token TEXT PRIMARY KEY, salt BLOB NOT NULL,
    identity TEXT NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS key (purpose TEXT PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (token TEXT PRIMARY KEY, ts INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erasing (token TEXT PRIMARY KEY, identity TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hold (token TEXT PRIMARY KEY, ts INTEGER NOT NULL, why TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS generation (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER);
INSERT OR IGNORE INTO generation VALUES (1, 0);
"""

_T = TypeVar("_T")


class Vault(AnyVault):
    """One vault file. It is closed around a fork, so that a child inherits nothing of SQLite.

    A question that cannot be answered within `timeout_s` raises `VaultBusyError`.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout_s: float = 10.0) -> None:
        self.path = Path(path)
        self.timeout_s = timeout_s
        self._guard = ConnectionGuard(self.path)
        super().__init__(self._guard.path)

    def close(self) -> None:
        """Close the connection; a later question opens it again."""
        with self._guard as guard:
            guard.close()

    def _insert(self, identity: str) -> str:
        def find_or_make(db: Database) -> str:
            token, _ = self.row_of(db, "identity", identity)
            if token is None:
                salt = os.urandom(SALT_BYTES)
                db.execute(
                    "INSERT OR IGNORE INTO person VALUES (?, ?, ?)",
                    (token_of(salt, identity), salt, identity),
                )
                token, _ = self.row_of(db, "identity", identity)
            if token is None:
                raise VaultError(f"vault {self.path} does not keep the person who was put into it")
            return token

        token, _ = self.ask(lambda db: self.row_of(db, "identity", identity))
        return token if token is not None else self.change(find_or_make)

    def _key(self, purpose: str) -> bytes:
        select = "SELECT key FROM key WHERE purpose = ?"

        def find_or_make(db: Database) -> bytes:
            db.execute("INSERT OR IGNORE INTO key VALUES (?, ?)", (purpose, os.urandom(KEY_BYTES)))
            return bytes(db.execute(select, (purpose,)).fetchone()[0])

        row = self.ask(lambda db: db.execute(select, (purpose,)).fetchone())
        return bytes(row[0]) if row else self.change(find_or_make)

    def ask(self, question: Callable[[Database], _T]) -> _T:
        """What a question finds in the open file; for the modules of this package."""
        return self._use(question)

    def change(self, step: Callable[[Database], _T]) -> _T:
        """Run a step in one transaction, alone; as `ask`. What it raises undoes it."""

        def run(db: sqlite3.Connection) -> _T:
            db.execute("BEGIN IMMEDIATE")
            with db:
                return step(db)

        return self._use(run)

    def _use(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._guard:
            try:
                return work(self._open())
            except SQLITE_ERRORS as error:
                code = error_code(error)
                is_busy = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                kind = VaultBusyError if is_busy else VaultError
                raise kind(f"vault {self.path}: {error}") from error

    def truncate_log(self) -> bool:
        """Write the write-ahead log into the file and empty it; False if a reader blocks that."""
        row = self.ask(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
        return not row[0]

    def _open(self) -> sqlite3.Connection:
        if self._guard.is_moved:
            self._guard.close()
            self.forget()
            self._keys.clear()
            raise VaultError(f"vault {self.path} was removed or exchanged while it was in use")
        if self._guard.connection is not None:
            return self._guard.connection
        if self._guard.is_tainted:
            raise VaultError(f"vault {self.path} was in use while this process was forked")
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            pass  # left alone: to open and close it would drop SQLite's locks in this process
        except OSError as error:
            raise VaultError(f"vault {self.path}: {error.strerror}") from error
        db = sqlite3.connect(self.path, timeout=self.timeout_s, check_same_thread=False)
        try:
            self._prepare_patiently(db)
        except BaseException:
            db.close()
            raise
        self._guard.keep(db)
        return db

    def _prepare_patiently(self, db: sqlite3.Connection) -> None:
        # SQLite does not wait by itself when two processes switch a new file to WAL at once
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                return _prepare(db, self.path)
            except sqlite3.OperationalError as error:
                if error_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
            time.sleep(0.01)


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    # in one statement: another process may be making the file at this moment
    found, tables, newest = db.execute(
        "SELECT application_id, (SELECT count(*) FROM sqlite_master),"
        " (SELECT count(*) FROM sqlite_master WHERE name IN ('erasing', 'hold'))"
        " FROM pragma_application_id"
    ).fetchone()
    if found != APPLICATION_ID and tables:
        raise VaultError(f"{path} is not a flowaudit vault")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")
    if found != APPLICATION_ID or newest < 2:
        db.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; {_SCHEMA} COMMIT;"
        )
