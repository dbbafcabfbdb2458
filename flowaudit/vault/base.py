"""What every vault does alike: tokens, keyed hashes, and what of them a process remembers.

A token is its own commitment: base32(SHA-256(0x03 ‖ salt ‖ identity as NFC UTF-8)), so that who
holds salt and identity can prove whom it stands for, and nobody can once both are gone.
"""

import base64
import unicodedata
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from hashlib import sha256
from hmac import digest as hmac_digest
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

from ..errors import VaultError
from .guard import living
from .place import Place

__all__ = [
    "PURPOSES",
    "TOKEN_LENGTH",
    "AnyVault",
    "Database",
    "Rows",
    "Token",
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
    # PostgreSQL keeps no NUL in a text, and nobody's identity has one
    text = text[:MAX_IDENTITY].replace("\0", "\ufffd")
    return unicodedata.normalize("NFC", text).encode("utf-8", "replace")


class Rows(Protocol):
    """What a statement has found."""

    def fetchone(self) -> Any:
        """The next row, or `None`."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Database(Protocol):
    """An open vault as its modules ask it: SQL that SQLite and PostgreSQL both take."""

    def execute(self, sql: str, parameters: tuple[Any, ...] = ..., /) -> Rows:
        """Run a statement; a parameter stands as `?`."""


class AnyVault(ABC):
    """A vault, whatever keeps it. Nothing is opened before the first question.

    Safe to use from several threads, processes and forks. Every method but `cached` and
    `cached_hash` raises `VaultError` if the vault cannot answer in time.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        """Where it is; as text fit to be printed."""
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
            known = self._insert(spelled(identity))
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

    def opening(self, token: str) -> tuple[bytes, str] | None:
        """Salt and identity that prove whom a token stands for; `None` if that is not known."""
        row = self.ask(
            lambda db: db.execute(
                "SELECT token, salt, identity FROM person WHERE token = ?", (token,)
            ).fetchone()
        )
        if row is None:
            return None
        self._check(row)
        return bytes(row[1]), str(row[2])

    def identities(self) -> dict[str, str]:
        """Every live token with its identity, for a reader who may open the vault."""
        rows = self.ask(
            lambda db: db.execute("SELECT token, salt, identity FROM person").fetchall()
        )
        for row in rows:
            self._check(row)
        return {token: identity for token, _, identity in rows}

    def row_of(self, db: Database, column: str, value: str) -> tuple[str, str] | tuple[None, None]:
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
                f"vault {self.place} was changed: the token {token!r:.60} is not of whom it says"
            )

    def keyed_hash(self, purpose: str, value: str) -> str:
        """HMAC-SHA256 over purpose ‖ 0x00 ‖ value under the purpose's key: 32 characters."""
        known = self.cached_hash(purpose, value)
        if known is None:
            self._keys[purpose] = key = self._key(purpose)
            known = self._remember_hash(purpose, value, key)
        return known

    def generation(self) -> int:
        """How often somebody has been erased: what was remembered before a rise may be stale."""
        return int(self.ask(lambda db: db.execute("SELECT number FROM generation").fetchone())[0])

    def erased(self) -> frozenset[str]:
        """Every token that was erased."""
        return self.ask(lambda db: frozenset(t for (t,) in db.execute("SELECT token FROM erased")))

    def forget(self) -> None:
        """Drop what this process remembers of anybody, in every object for this vault."""
        for vault in living(_ALL):
            if vault.place == self.place:
                vault._forgotten += 1
                vault._tokens.clear()
                vault._hashes.clear()

    @abstractmethod
    def ask(self, question: Callable[[Database], _T]) -> _T:
        """What a question finds in the open vault; for the modules of this package."""

    @abstractmethod
    def change(self, step: Callable[[Database], _T]) -> _T:
        """Run a step in one transaction, alone; as `ask`. What it raises undoes it."""

    @abstractmethod
    def truncate_log(self) -> bool:
        """Leave nothing of what was erased in the store's own log; False if that must wait."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; a later question opens it again."""

    @abstractmethod
    def _insert(self, identity: str) -> str:
        """The live token of an identity in the vault's spelling: of two who meet a person at once,
        one makes it and both get it.
        """

    @abstractmethod
    def _key(self, purpose: str) -> bytes:
        """The key of a purpose, made if there is none."""

    def _remember_hash(self, purpose: str, value: str, key: bytes) -> str:
        message = purpose.encode() + b"\x00" + value[:MAX_IDENTITY].encode("utf-8", "replace")
        tag = hmac_digest(key, message, "sha256")[:TAG_BYTES]
        _make_room(self._hashes)
        self._hashes[purpose, value] = text = base64.b32encode(tag).decode().lower()
        return text


_ALL: "weakref.WeakSet[AnyVault]" = weakref.WeakSet()


def _make_room(cache: dict[_T, str]) -> None:
    if len(cache) >= CACHE_SIZE:
        for key in list(cache)[: CACHE_SIZE // 2]:
            cache.pop(key, None)
