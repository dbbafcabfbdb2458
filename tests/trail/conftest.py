"""The same tests for both stores: `trail` is a SQLite file once and a PostgreSQL database once.

What only a file can show is marked with `only_sqlite`.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowaudit.vault.place import DatabaseUrl, Place
from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def trail(
    store: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    if store == "sqlite":
        yield tmp_path / "t.db"
        return
    server: Server = request.getfixturevalue("postgres")
    monkeypatch.chdir(tmp_path)  # key and spool stand in the working folder
    database = server.new_trail()
    yield DatabaseUrl(server.url(database))
    server.drop(database)


@pytest.fixture
def sql(
    store: str, trail: Place, request: pytest.FixtureRequest
) -> Callable[..., list[tuple[Any, ...]]]:
    """Run a statement on the trail's tables, as a hand with the store's own shell would."""
    if not isinstance(trail, DatabaseUrl):
        from tests.conftest import run_sqlite

        return lambda statement, *values: run_sqlite(trail, statement, *values)
    import psycopg

    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(trail.uri) as db:
            db.execute("SET search_path = flowaudit, flowaudit_vault")
            cursor = db.execute(_translated(statement), values or None)
            return cursor.fetchall() if cursor.description else []

    return run


_DIALECT = (
    (r"CAST\((.+?) AS BLOB\)", r"\1"),
    (r"replace\((\w+), ", r"public.flowaudit_replace(\1, "),
    (r"x'([0-9a-f]*)'", r"'\\x\1'::bytea"),
    (r"zeroblob\((\d+|length\(\w+\))\)", r"decode(repeat('00', \1), 'hex')"),
    (r"\?", "%s"),
)


def _translated(statement: str) -> str:
    for pattern, text in _DIALECT:
        statement = re.sub(pattern, text, statement)
    return statement
