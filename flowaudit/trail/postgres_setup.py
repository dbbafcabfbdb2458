"""Makes the schemas, roles and functions of a trail and its vault in PostgreSQL, or renews them."""

from importlib.resources import files
from typing import Final

import psycopg

from ..errors import TrailError
from ..vault.link import Link, first_line
from ..vault.place import DatabaseUrl

__all__ = ["SCRIPTS", "script", "set_up"]

SCRIPTS: Final = ("trail", "vault")
"""What can be set up in a database."""

ANSWER_S: Final = 60.0
"""Seconds for each answer of the server."""


def script(what: str) -> str:
    """The SQL that sets up a `trail` or a `vault`, for whoever wants to read or run it by hand."""
    return (files("flowaudit") / what / "postgres.sql").read_text("utf-8")


def set_up(url: DatabaseUrl, what: str) -> None:
    """Run that script in one transaction. Run again, it changes nothing or renews what is older.

    Raises `TrailError`; then nothing was changed.
    """
    link = Link(url, timeout_s=ANSWER_S, lock_timeout_s=ANSWER_S)
    try:
        with link.transaction() as db:
            db.execute(script(what))
    except psycopg.Error as error:
        raise TrailError(f"{url}: {first_line(error)}") from error
    finally:
        link.close()
