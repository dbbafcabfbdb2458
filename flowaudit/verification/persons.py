"""The vault beside a trail, as far as it proves itself: each token is a commitment to a person."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Final

from ..errors import VaultError
from ..trail.paths import TrailPaths, read_only_uri
from ..vault.guard import SQLITE_ERRORS
from ..vault.opening import open_vault
from ..vault.place import DatabaseUrl
from ..vault.tokens import APPLICATION_ID, is_own_token
from .found import Problem

__all__ = ["person_problems"]

MAX_PROBLEMS: Final = 1_000
MAX_ROW_BYTES: Final = 1024 * 1024
"""A longer value in a vault was put there by somebody else, and is not read."""


def person_problems(paths: TrailPaths) -> Iterator[Problem]:
    """Tokens of the vault that do not stand for whom it says; nothing where it may not be read.

    Whose mapping was taken away, and what the vault says of erasures and holds, has no proof
    there: the trail's events tell of those.
    """
    vault = paths.vault
    if isinstance(vault, DatabaseUrl):
        yield from _of_database(vault)
        return
    if not (vault.is_file() and os.access(vault, os.R_OK)):
        return
    try:
        with closing(sqlite3.connect(read_only_uri(vault), uri=True)) as db:
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
            db.text_factory = lambda data: data.decode("utf-8", "replace")
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return  # its making was broken off
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                yield Problem(None, f"{vault.name} is not a vault")
                return
            yield from islice(_wrong_tokens(db), MAX_PROBLEMS)
    except SQLITE_ERRORS as error:
        yield Problem(None, f"the vault cannot be read: {error}")


def _of_database(url: DatabaseUrl) -> Iterator[Problem]:
    """The same of a database, for whom it lets open the vault."""
    try:
        with open_vault(url) as vault:
            rows = vault.ask(
                lambda db: db.execute("SELECT token, salt, identity FROM person").fetchall()
            )
    except VaultError:
        return
    yield from islice(_not_own(rows), MAX_PROBLEMS)


def _wrong_tokens(db: sqlite3.Connection) -> Iterator[Problem]:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'person'").fetchone():
        yield Problem(None, "the vault has lost its table of persons")
        return
    yield from _not_own(db.execute("SELECT token, salt, identity FROM person"))


def _not_own(rows: Iterable[tuple[object, object, object]]) -> Iterator[Problem]:
    for token, salt, identity in rows:
        if not is_own_token(str(token), salt, str(identity)):
            what = f"the token {str(token)!r:.60} is not of whom it says"
            yield Problem(None, f"the vault was changed: {what}")
