"""`flowaudit setup`, as a database administrator without superpowers runs it."""

from collections.abc import Iterator

import pytest

from flowaudit.cli import main
from tests.postgres import Server


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    name = postgres.new_database()
    yield name
    postgres.drop(name)


def test_it_sets_up_and_says_who_may_do_what(
    postgres: Server, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres.url(database)
    assert main(["setup", "--trail", url]) == 0
    said = capsys.readouterr().out
    assert "The trail in postgresql://postgres@/" in said
    assert "The vault in postgresql://postgres@/" in said
    for role in ("flowaudit_writer", "flowaudit_auditor", "flowaudit_tokens", "flowaudit_vault"):
        assert role in said
    assert main(["verify", "--trail", url]) == 0


def test_run_again_it_changes_nothing(postgres: Server, database: str) -> None:
    url = postgres.url(database)
    assert main(["setup", "--trail", url]) == 0
    tables = ("flowaudit.trail", "flowaudit.head", "flowaudit_vault.generation")
    before = [postgres.run(f"SELECT * FROM {table}", database) for table in tables]
    assert main(["setup", "--trail", url]) == 0
    assert before == [postgres.run(f"SELECT * FROM {table}", database) for table in tables]


def test_a_role_that_may_create_roles_and_schemas_is_enough(
    postgres: Server, database: str
) -> None:
    postgres.new_trail()  # the roles are there already, of another database of this server
    postgres.run("DROP ROLE IF EXISTS dba")
    postgres.run("CREATE ROLE dba LOGIN CREATEROLE")
    postgres.run(f"GRANT CREATE ON DATABASE {database} TO dba")
    postgres.run("GRANT flowaudit_owner, flowaudit_vault_owner TO dba")
    assert main(["setup", "--trail", postgres.url(database, "dba")]) == 0
    assert main(["setup", "--trail", postgres.url(database, "dba")]) == 0
    [(owner,)] = postgres.run(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'flowaudit'", database
    )
    assert owner == "flowaudit_owner"


@pytest.mark.parametrize("what", ["trail", "vault"])
def test_it_prints_the_sql(capsys: pytest.CaptureFixture[str], what: str) -> None:
    assert main(["setup", "--print", what]) == 0
    assert "CREATE SCHEMA flowaudit" in capsys.readouterr().out


def test_a_newer_trail_is_refused(
    postgres: Server, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres.url(database)
    assert main(["setup", "--trail", url]) == 0
    postgres.run("UPDATE flowaudit.trail SET format = 3", database)
    capsys.readouterr()
    assert main(["setup", "--trail", url]) == 2
    assert "made by a newer flowaudit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("trail", "says"),
    [
        ("t.db", "expected postgresql://USER@HOST/DATABASE"),
        ("postgresql://ann:s3cret@127.0.0.1:1/t", "127.0.0.1"),
        ("postgresql://ann:s3%cret@127.0.0.1:1/t", "not one that PostgreSQL's library takes"),
        ("postgresql://ann@127.0.0.1:1/t?password=s3cret&nonsense=1", "not one that PostgreSQL's"),
    ],
)
def test_a_mistake_is_one_line_without_a_password(
    capsys: pytest.CaptureFixture[str], trail: str, says: str
) -> None:
    assert main(["setup", "--trail", trail]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert says in said
    assert "s3" not in said


def test_a_database_without_a_trail_is_said(
    postgres: Server, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["verify"], ["flows"], ["recover"]):
        assert main([*command, "--trail", postgres.url(database)]) == 2
        said = capsys.readouterr().err
        assert "holds no flowaudit trail" in said
        assert said.count("\n") == 1
