"""The vault: a SQLite file of its own that maps tokens to identities and holds the hash keys.

A token is its own commitment: base32(SHA-256(0x03 ‖ salt ‖ identity as NFC UTF-8)), so that who
holds salt and identity can prove whom it stands for, and nobody can once both are gone.
"""

import base64
import os
import sqlite3
import time
import unicodedata
import weakref
from collections.abc import Callable
from hashlib import sha256
from hmac import digest as hmac_digest
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from ..errors import VaultError
from .guard import SQLITE_ERRORS, ConnectionGuard, error_code, living

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

SALT_BYTES: Final = 16
KEY_BYTES: Final = 32
TAG_BYTES: Final = 20
"""Bytes kept of a keyed hash: 32 characters of base32."""

TOKEN_LENGTH: Final = 52
MAX_IDENTITY: Final = 1_000
"""Characters of an identity or of a value that is hashed; longer ones are cut."""

CACHE_SIZE: Final = 16_384
"""Tokens and hashes remembered in a process; the oldest half goes when it is full."""

PURPOSES: Final = ("session", "visitor", "login")
"""What is hashed with a key; each purpose has a key of its own."""

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


class Token(str):
    """A token where an identity is asked for: it stands for itself. It has come from this vault,
    for instance with a task from the process that queued it.
    """

    __slots__ = ()


def token_of(salt: bytes, identity: str) -> str:
    """The token that a salt and an identity make."""
    digest = sha256(b"\x03" + salt + _normal(identity)).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


def is_own_token(token: str, salt: object, identity: str) -> bool:
    """Whether a token is the commitment to this salt and identity, as a row of a vault must say."""
    return (
        isinstance(salt, bytes)
        and len(salt) == SALT_BYTES
        and spelled(identity) == identity
        and token == token_of(salt, identity)
    )


def is_token(text: str) -> bool:
    """Whether a text has the shape of a token."""
    return len(text) == TOKEN_LENGTH and all(
        char in "abcdefghijklmnopqrstuvwxyz234567" for char in text
    )


def spelled(identity: str) -> str:
    """An identity in the spelling that the vault keeps."""
    return _normal(identity).decode()


def _normal(text: str) -> bytes:
    return unicodedata.normalize("NFC", text[:MAX_IDENTITY]).encode("utf-8", "replace")


class Vault:
    """One vault file. Opened at the first question, so that a fork before it shares nothing.

    Safe to use from several threads and several processes; it is closed around a fork, so that
    a child inherits nothing of SQLite. Every method but `cached`
    raises `VaultError` if the file cannot answer within `timeout_s`.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout_s: float = 10.0) -> None:
        self.path = Path(path)
        self.timeout_s = timeout_s
        self._guard = ConnectionGuard(self.path)
        self._tokens: dict[str, str] = {}
        self._hashes: dict[tuple[str, str], str] = {}
        self._keys: dict[str, bytes] = {}
        self._forgotten = 0  # how often; a token asked for before that is not remembered after it
        _ALL.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def cached(self, identity: str) -> str | None:
        """The token of an identity if this process has met it; never touches the disk."""
        known = self._tokens.get(identity)
        return str(identity) if known is None and isinstance(identity, Token) else known

    def cached_hash(self, purpose: str, value: str) -> str | None:
        """The keyed hash of a value if its key is loaded; never touches the disk."""
        known = self._hashes.get((purpose, value))
        if known is None and (key := self._keys.get(purpose)) is not None:
            known = self._remember_hash(purpose, value, key)
        return known

    def token(self, identity: str) -> str:
        """The live token of an identity, made and stored if there is none yet."""
        known = self.cached(identity)
        if known is None:
            before = self._forgotten
            known = self.ask(lambda db: self._insert(db, identity))
            _make_room(self._tokens)
            self._tokens[identity] = known
            if self._forgotten != before:
                self._tokens.pop(identity, None)
        return known

    def find(self, identity: str) -> str | None:
        """The live token of an identity, or `None`; makes none."""
        return self.ask(lambda db: self.row_of(db, "identity", spelled(identity)))[0]

    def identity(self, token: str) -> str | None:
        """Whom a token stands for, or `None` if that is not known (any more)."""
        return self.ask(lambda db: self.row_of(db, "token", token))[1]

    def identities(self) -> dict[str, str]:
        """Every live token with its identity, for a reader who may open the vault."""
        rows = self.ask(
            lambda db: db.execute("SELECT token, salt, identity FROM person").fetchall()
        )
        for row in rows:
            self._check(row)
        return {token: identity for token, _, identity in rows}

    def row_of(
        self, db: sqlite3.Connection, column: str, value: str
    ) -> tuple[str, str] | tuple[None, None]:
        """Token and identity of the person with this `token` or `identity`; for the modules of
        this package. Both `None` if there is none.

        Raises `VaultError` where the row was changed: the token is not of that identity.
        """
        row = db.execute(
            f"SELECT token, salt, identity FROM person WHERE {column} = ?", (value,)
        ).fetchone()
        if row is None:
            return None, None
        self._check(row)
        return row[0], row[2]

    def _check(self, row: tuple[object, object, object]) -> None:
        token, salt, identity = row
        if not is_own_token(str(token), salt, str(identity)):
            raise VaultError(
                f"vault {self.path} was changed: the token {token!r:.60} is not of whom it says"
            )

    def keyed_hash(self, purpose: str, value: str) -> str:
        """HMAC-SHA256 over purpose ‖ 0x00 ‖ value under the purpose's key: 32 characters."""
        known = self.cached_hash(purpose, value)
        if known is None:
            self._keys[purpose] = key = self.ask(lambda db: self._key(db, purpose))
            known = self._remember_hash(purpose, value, key)
        return known

    def generation(self) -> int:
        """How often somebody has been erased: what was remembered before a rise may be stale."""
        return int(self.ask(lambda db: db.execute("SELECT number FROM generation").fetchone())[0])

    def erased(self) -> frozenset[str]:
        """Every token that was erased."""
        return self.ask(lambda db: frozenset(t for (t,) in db.execute("SELECT token FROM erased")))

    def forget(self) -> None:
        """Drop what this process remembers of anybody, in every object for this file."""
        for vault in living(_ALL):
            if vault._guard.path == self._guard.path:
                vault._forgotten += 1
                vault._tokens.clear()
                vault._hashes.clear()

    def close(self) -> None:
        """Close the connection; a later question opens it again."""
        with self._guard as guard:
            guard.close()

    def _remember_hash(self, purpose: str, value: str, key: bytes) -> str:
        message = purpose.encode() + b"\x00" + value[:MAX_IDENTITY].encode("utf-8", "replace")
        tag = hmac_digest(key, message, "sha256")[:TAG_BYTES]
        _make_room(self._hashes)
        self._hashes[purpose, value] = text = base64.b32encode(tag).decode().lower()
        return text

    def _insert(self, db: sqlite3.Connection, identity: str) -> str:
        # insert or ignore, then read: of two processes that meet a person at once, one wins
        text = spelled(identity)
        token, _ = self.row_of(db, "identity", text)
        if token is None:
            salt = os.urandom(SALT_BYTES)
            with db:
                db.execute(
                    "INSERT OR IGNORE INTO person VALUES (?, ?, ?)",
                    (token_of(salt, text), salt, text),
                )
            token, _ = self.row_of(db, "identity", text)
        if token is None:
            raise VaultError(f"vault {self.path} does not keep the person who was put into it")
        return token

    def _key(self, db: sqlite3.Connection, purpose: str) -> bytes:
        select = "SELECT key FROM key WHERE purpose = ?"
        row = db.execute(select, (purpose,)).fetchone()
        if row is None:
            with db:
                db.execute(
                    "INSERT OR IGNORE INTO key VALUES (?, ?)", (purpose, os.urandom(KEY_BYTES))
                )
            row = db.execute(select, (purpose,)).fetchone()
        return bytes(row[0])

    def ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """What a question finds in the open file; for the modules of this package."""
        with self._guard:
            try:
                return question(self._open())
            except SQLITE_ERRORS as error:
                raise VaultError(f"vault {self.path}: {error}") from error

    def change(self, step: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run a step in one transaction, alone; as `ask`. What it raises undoes it."""

        def run(db: sqlite3.Connection) -> _T:
            db.execute("BEGIN IMMEDIATE")
            with db:
                return step(db)

        return self.ask(run)

    def truncate_log(self) -> bool:
        """Write the write-ahead log into the file and empty it; False if a reader blocks that."""
        row = self.ask(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
        return not row[0]

    def _open(self) -> sqlite3.Connection:
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
        self._guard.connection = db
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


_ALL: "weakref.WeakSet[Vault]" = weakref.WeakSet()


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


def _make_room(cache: dict[_T, str]) -> None:
    if len(cache) >= CACHE_SIZE:
        for key in list(cache)[: CACHE_SIZE // 2]:
            cache.pop(key, None)
