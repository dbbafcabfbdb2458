"""The vault in PostgreSQL: one live token for each identity, over all hosts.

An app's log-in (role `flowaudit_tokens`) gets the token of an identity that it names, and can open
none; whoever has the role `flowaudit_vault` may open, hold and erase (`postgres.sql`).
"""

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection, errors

from ..errors import VaultBusyError, VaultError
from .base import KEY_BYTES, SALT_BYTES, AnyVault, Database, token_of
from .link import Link, Questioned, first_line
from .place import DatabaseUrl

__all__ = ["PostgresVault"]

_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path = flowaudit_vault"
_ALONE: Final = f"{_BEGIN}; LOCK TABLE flowaudit_vault.generation IN EXCLUSIVE MODE"
_T = TypeVar("_T")


class PostgresVault(AnyVault):
    """A vault in a database. Each question is answered within `timeout_s`, or raises
    `VaultBusyError`.
    """

    def __init__(self, url: DatabaseUrl, *, timeout_s: float = 10.0, pause_s: float = 0.0) -> None:
        super().__init__(url)
        self._url = url
        self._link = Link(url, timeout_s=timeout_s, pause_s=pause_s)

    def close(self) -> None:
        """Close the connection; a later question opens it again."""
        self._link.close()

    def generation(self) -> int:
        """How often somebody has been erased: what was remembered before a rise may be stale."""
        return int(self._call("SELECT flowaudit_vault.generation()")[0][0])

    def erased(self) -> frozenset[str]:
        """Every token that was erased."""
        return frozenset(token for (token,) in self._call("SELECT flowaudit_vault.erased()"))

    def ask(self, question: Callable[[Database], _T]) -> _T:
        """What a question finds in the database; for the modules of this package."""
        return self._use(_BEGIN, lambda db: question(Questioned(db)))

    def change(self, step: Callable[[Database], _T]) -> _T:
        """Run a step in one transaction, alone; as `ask`. What it raises undoes it."""
        return self._use(_ALONE, lambda db: step(Questioned(db)))

    def truncate_log(self) -> bool:
        """Let PostgreSQL give up the dead rows that an erasure leaves; False if we may not ask."""
        try:
            [(may,)] = self._link.query("SELECT pg_has_role('flowaudit_vault_owner', 'MEMBER')")
            if may:
                self._link.query("VACUUM flowaudit_vault.person, flowaudit_vault.erasing")
            return bool(may)
        except psycopg.Error as error:
            raise self._error(error) from error

    def _insert(self, identity: str) -> str:
        salt = os.urandom(SALT_BYTES)
        fresh = token_of(salt, identity)
        rows = self._call("SELECT flowaudit_vault.token(%s, %b, %s)", identity, salt, fresh)
        return str(rows[0][0])

    def _key(self, purpose: str) -> bytes:
        fresh = os.urandom(KEY_BYTES)
        return bytes(self._call("SELECT flowaudit_vault.hash_key(%s, %b)", purpose, fresh)[0][0])

    def _call(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._link.query(sql, values)
        except psycopg.Error as error:
            raise self._error(error) from error

    def _use(self, begin: str, work: Callable[[Connection[tuple[Any, ...]]], _T]) -> _T:
        try:
            with self._link.transaction(begin) as db:
                return work(db)
        except psycopg.Error as error:
            raise self._error(error) from error

    def _error(self, error: psycopg.Error) -> VaultError:
        said = f"vault {self._url}: {first_line(error)}"
        if isinstance(error, (errors.InvalidSchemaName, errors.UndefinedTable)):
            return VaultError(f"{self._url} holds no vault; its owner runs: flowaudit setup")
        if isinstance(error, errors.InsufficientPrivilege):
            said = f"{said}: this log-in may not do that"
        return VaultBusyError(said)
