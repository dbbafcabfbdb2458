"""What each role of a database may do, tried with real log-ins; and what nobody may."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from flowaudit import FlowAudit
from flowaudit.cli import main
from flowaudit.errors import TrailError, TrailWriteError, VaultError
from flowaudit.event import Core, Personal, encode_core, encode_personal
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.opening import open_vault
from flowaudit.vault.place import DatabaseUrl
from flowaudit.verification.trail import verify_trail
from tests.postgres import Server

ROLES = {
    "app": "flowaudit_writer, flowaudit_tokens",
    "writer": "flowaudit_writer",
    "product": "flowaudit_product",
    "security": "flowaudit_security",
    "auditor": "flowaudit_auditor",
    "eraser": "flowaudit_eraser",
    "tokens": "flowaudit_tokens",
    "opener": "flowaudit_vault",
    "dpo": "flowaudit_writer, flowaudit_eraser, flowaudit_vault, flowaudit_security",
    "archivist": "flowaudit_archivist",
    "stranger": "pg_monitor",
}
PERSONAL = "203.0.113.77"
ANN = "user:ann-secret"


@pytest.fixture
def store() -> str:
    return "postgres"


@pytest.fixture
def url(trail: DatabaseUrl, postgres: Server) -> Callable[[str], str]:
    """The database as somebody with one of these roles; the log-in is made with its first use."""

    def as_role(name: str) -> str:
        if not postgres.run(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):
            postgres.run(f"CREATE ROLE {name} LOGIN IN ROLE {ROLES[name]}")
        return postgres.url(trail.stem, name)

    return as_role


@pytest.fixture
def filled(trail: DatabaseUrl, url: Callable[[str], str]) -> Callable[[str], str]:
    """The same, once an app has written to the trail."""
    audit = FlowAudit(trail=url("app"))
    for i in range(20):
        with audit.job("work", actor=ANN):
            pass
        audit.record("note", text=f"note {i}", client=PERSONAL)
    audit.close()
    return url


@pytest.fixture
def ask(url: Callable[[str], str]) -> Callable[..., list[tuple[Any, ...]]]:
    def run(name: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(url(name), autocommit=True) as db:
            cursor = db.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    return run


def test_an_app_that_may_only_append_and_ask_for_tokens_leaves_a_whole_trail(
    trail: DatabaseUrl, filled: Callable[[str], str]
) -> None:
    found = verify_trail(TrailPaths.of(filled("auditor")))
    assert found.ok, found.problems
    assert found.size > 40
    assert found.after_checkpoint == 0
    with open_vault(trail) as vault:
        assert list(vault.identities().values()) == [ANN]


TABLES = ("event", "tile", "head", "source", "checkpoint", "trail", "archived")
VAULT_TABLES = ("person", "key", "erased", "erasing", "hold", "generation")
WRITES = (
    "UPDATE {} SET {} = {}",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "DROP TABLE {}",
    "ALTER TABLE {} DISABLE TRIGGER ALL",
    "ALTER TABLE {} ADD COLUMN more text",
    "ALTER TABLE {} RENAME TO other",
    "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
    "INSERT INTO {} DEFAULT VALUES",
    "CREATE TRIGGER t BEFORE INSERT ON {} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE r AS ON UPDATE TO {} DO INSTEAD NOTHING",
)
FIRST_COLUMN = {
    "event": "seq", "tile": "level", "head": "one", "source": "id", "checkpoint": "size",
    "trail": "one", "archived": "first", "person": "token", "key": "purpose", "erased": "token",
    "erasing": "token",
    "hold": "token", "generation": "one",
}  # fmt: skip


@pytest.mark.parametrize(
    "role", ["writer", "app", "product", "security", "auditor", "eraser", "tokens", "stranger"]
)
def test_nobody_changes_a_table(
    filled: Callable[[str], str], ask: Callable[..., Any], role: str
) -> None:
    tables = [f"flowaudit.{name}" for name in TABLES]
    tables += [f"flowaudit_vault.{name}" for name in VAULT_TABLES]
    for table in tables:
        column = FIRST_COLUMN[table.partition(".")[2]]
        with psycopg.connect(filled(role)) as db:
            for statement in WRITES:
                with pytest.raises(errors.InsufficientPrivilege), db.transaction():
                    db.execute(statement.format(table, column, column))
    assert verify_trail(TrailPaths.of(filled("auditor"))).ok


READERS = {
    "event": {"auditor"},
    "event(seq, core, personal)": {"security", "auditor"},
    "event(seq, core)": {"product", "security", "auditor"},
    "head": {"product", "security", "auditor"},
    "trail": {"product", "security", "auditor"},
    "archived": {"product", "security", "auditor", "eraser"},
    "tile": {"auditor"},
    "source": {"auditor"},
    "checkpoint": {"auditor"},
}


@pytest.mark.parametrize("role", [name for name in ROLES if name not in ("dpo", "archivist")])
def test_a_role_reads_what_it_should_and_nothing_else(
    filled: Callable[[str], str], ask: Callable[..., Any], role: str
) -> None:
    for what, readers in READERS.items():
        table, _, columns = what.partition("(")
        sql = f"SELECT {columns.rstrip(')') or '*'} FROM flowaudit.{table}"
        if role in readers:
            assert ask(role, sql) or what == "archived"
        else:
            with pytest.raises(errors.InsufficientPrivilege):
                ask(role, sql)


@pytest.mark.parametrize("role", [name for name in ROLES if name not in ("opener", "dpo")])
def test_the_vault_is_closed_to_all_but_those_who_may_open_it(
    filled: Callable[[str], str], ask: Callable[..., Any], role: str
) -> None:
    for table in VAULT_TABLES:
        with pytest.raises(errors.InsufficientPrivilege):
            ask(role, f"SELECT * FROM flowaudit_vault.{table}")
    assert ask("opener", "SELECT token FROM flowaudit_vault.person")


CALLS = {
    "take_turn()": {"writer", "app", "eraser"},
    "append('s', 1, NULL, '{}', NULL, NULL, NULL)": {"writer", "app"},
    "last_n('s')": {"writer", "app"},
    "tile(0, 0)": {"writer", "app"},
    "running_sources()": {"writer", "app"},
    "erasable('{}', 0, 1)": {"eraser"},
    "unerased('{}')": {"eraser"},
    "erase('{}', 's', 1, '{}')": {"eraser"},
    "pairs('')": set[str](),
    "root('')": set[str](),
    "grow('')": set[str](),
    "extend_tiles(0, 0, '')": set[str](),
    "holds_any('', '', '{}')": set[str](),
    "names_any('{}', '', '{}')": set[str](),
}


@pytest.mark.parametrize("role", [name for name in ROLES if name not in ("dpo", "archivist")])
def test_a_role_calls_what_it_should_and_nothing_else(
    trail: DatabaseUrl, ask: Callable[..., Any], role: str
) -> None:
    for call, callers in CALLS.items():
        sql = f"SELECT flowaudit.{call}"
        if role in callers:
            ask(role, sql)
        else:
            with pytest.raises(errors.InsufficientPrivilege):
                ask(role, sql)


def test_every_function_is_pinned_and_none_is_left_out_of_these_tests(postgres: Server) -> None:
    database = postgres.new_trail()
    functions = postgres.run(
        "SELECT proname, prosecdef, proconfig FROM pg_proc"
        " WHERE pronamespace = 'flowaudit'::regnamespace",
        database,
    )
    assert {name for name, _, _ in functions} == {
        *(call.partition("(")[0] for call in CALLS),
        "note_access",
        "keep_checkpoint",
        "to_sign",
    }
    assert all(config == ["search_path=pg_catalog, pg_temp"] for _, _, config in functions)
    postgres.drop(database)


def test_a_writers_own_table_of_the_same_name_changes_nothing(
    trail: DatabaseUrl, postgres: Server, ask: Callable[..., Any], url: Callable[[str], str]
) -> None:
    """A temporary table or schema must not come between a function and its tables."""
    with psycopg.connect(url("writer")) as db:
        db.execute("CREATE TEMPORARY TABLE head (one int, size bigint, frontier bytea)")
        db.execute("CREATE TEMPORARY TABLE event (seq bigint, core bytea)")
        db.execute(
            "CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'"
        )
        db.execute("SET search_path = pg_temp, flowaudit, pg_catalog")
        db.execute(
            "SELECT flowaudit.append('s', 1, NULL, %b::bytea[], NULL, NULL, NULL)",
            ([b'{"kind":"note","n":1,"source":"s"}'],),
        )
    with open_reader(trail) as reader:
        assert (reader.size, len(list(reader.entries()))) == (1, 1)
    with open_trail(trail) as writer:
        writer.checkpoint()
    assert verify_trail(trail).ok


SALT = bytes(16)
HOSTILE: dict[str, tuple[Any, ...]] = {
    "a core that is missing": ("s", 1, None, [None], None, None, None),
    "a core that is too large": ("s", 1, None, [b"x" * 40_000], None, None, None),
    "a salt that is too short": ("s", 1, None, [b"{}"], [b"{}"], [b"x"], None),
    "a personal part without a salt": ("s", 1, None, [b"{}"], [b"{}"], [None], None),
    "a salt without a personal part": ("s", 1, None, [b"{}"], [None], [SALT], None),
    "more personal parts than cores": ("s", 1, None, [b"{}"], [b"{}"] * 2, [SALT] * 2, None),
    "a seal that is none": ("s", 1, None, [b"{}"], None, None, [b"x"]),
    "a seal beside a personal part": ("s", 1, None, [b"{}"], [b"{}"], [SALT], [bytes(32)]),
    "no source": (None, 1, None, [b"{}"], None, None, None),
    "no number": ("s", None, None, [b"{}"], None, None, None),
    "no cores": ("s", 1, None, None, None, None, None),
}


@pytest.mark.parametrize("values", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_entry_is_refused(
    trail: DatabaseUrl, ask: Callable[..., Any], values: tuple[Any, ...]
) -> None:
    sql = "SELECT flowaudit.append(%b,%b,%b,%b::bytea[],%b::bytea[],%b::bytea[],%b::bytea[])"
    with pytest.raises(errors.DataError):
        ask("writer", sql, *values)
    with open_reader(trail) as reader:
        assert (reader.size, reader.last_seq()) == (0, -1)


def signed_now(trail: DatabaseUrl) -> str:
    with open_trail(trail) as writer:
        writer.checkpoint()
        assert writer.signed is not None
        return writer.signed[1]


@pytest.mark.parametrize(
    "forge",
    [
        lambda note: note.replace("\n20\n", "\n21\n"),
        lambda note: note.replace("\n20\n", "\n19\n"),
        lambda note: note.replace("flowaudit/", "flowaudit/x"),
        lambda note: note.replace("\n\n", "\nmore\n\n"),
        lambda note: "\n\n" + note,
        lambda note: note[:40],
        lambda note: "",
        lambda note: None,
    ],
    ids=["larger", "smaller", "other trail", "extended", "behind a gap", "cut", "empty", "none"],
)
def test_a_checkpoint_of_anything_but_the_head_is_refused(
    trail: DatabaseUrl, ask: Callable[..., Any], forge: Callable[[str], Any]
) -> None:
    records = [(b'{"kind":"note","n":%d,"source":"s"}' % n, b"") for n in range(1, 21)]
    with open_trail(trail) as writer:
        writer.append(records, "s", 20)
    note = signed_now(trail)
    with pytest.raises(errors.InvalidParameterValue):
        ask("writer", "SELECT flowaudit.keep_checkpoint(%s)", forge(note))
    ask("writer", "SELECT flowaudit.keep_checkpoint(%s)", note)


def test_an_eraser_erases_nothing_that_is_not_told(
    trail: DatabaseUrl, filled: Callable[[str], str], ask: Callable[..., Any]
) -> None:
    with open_reader(trail) as reader:
        seqs = [entry.seq for entry in reader.entries() if entry.personal is not None]
    told = {"erases": {"tokens": ["t" * 52], "seqs": [[seqs[0], seqs[0]]]}}
    core = encode_core(
        Core(v=1, source="e" * 26, n=1, ts=1, kind="ops", action="erase", facts=told)
    )
    other = encode_core(Core(v=1, source="e" * 26, n=1, ts=1, kind="note", facts=told))
    call = "SELECT flowaudit.erase(%b::bigint[], %b, 1, %b::bytea[])"
    for wrong, cores in ((seqs[:2], [core]), (seqs[:1], [other]), (seqs[1:2], [core])):
        with pytest.raises(errors.InvalidParameterValue):
            ask("eraser", call, wrong, "e" * 26, cores)
    with pytest.raises(errors.InvalidParameterValue):
        ask("eraser", "SELECT flowaudit.erase(%b::bigint[], 'e', 1, '{}')", seqs[:1])
    ask("eraser", call, seqs[:1], "e" * 26, [core])
    signed_now(trail)
    found = verify_trail(trail)
    assert found.erased == 1
    # the entry names nobody: an erasure of somebody does not excuse it
    assert [problem.seq for problem in found.problems] == seqs[:1]


@pytest.mark.parametrize("role", ["product", "security", "auditor"])
def test_a_reader_may_tell_its_own_reading_and_nothing_else(
    trail: DatabaseUrl, ask: Callable[..., Any], role: str
) -> None:
    def told(**more: Any) -> bytes:
        user = more.pop("user", role)
        facts = {"command": "flows", "database_user": user}
        core = {"v": 1, "source": "r" * 26, "n": 1, "ts": 1, "kind": "access", "facts": facts}
        return json.dumps(core | more, sort_keys=True).encode()

    call = "SELECT flowaudit.note_access(%s, %b)"
    for lie in (
        told(kind="request"),
        told(n=2),
        told(source="x" * 26),
        told(user="app"),
        told(user=None),
        told(facts=None),
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            ask(role, call, "r" * 26, lie)
    ask(role, call, "r" * 26, told())
    with pytest.raises(errors.InsufficientPrivilege):
        ask(role, call, "r" * 26, told())
    for text in (b"", b"\xff", b"{", b"[]", b"1"):
        with pytest.raises((errors.DataError, errors.InsufficientPrivilege)):
            ask(role, call, "q" * 26, text)


@pytest.mark.parametrize(
    ("role", "command", "status"),
    [
        ("product", ["flows"], 0),
        ("security", ["journey", ANN], 0),
        ("security", ["denied"], 0),
        ("security", ["review"], 0),
        ("auditor", ["verify"], 0),
        ("product", ["verify"], 2),
        ("writer", ["flows"], 2),
        ("writer", ["verify"], 2),
        ("stranger", ["flows"], 2),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_commands_do_what_a_role_allows_and_say_what_it_does_not(
    filled: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
    role: str,
    command: list[str],
    status: int,
) -> None:
    if "journey" in command:
        with open_vault(DatabaseUrl(filled("opener"))) as vault:
            command = ["journey", vault.find(ANN) or ""]
    assert main([*command, "--trail", filled(role)]) == status
    said = capsys.readouterr()
    assert PERSONAL not in said.out or role != "product"
    if status:
        assert "may not" in said.err or "permission denied" in said.err
        assert "Traceback" not in said.err


def test_a_reading_is_told_by_the_log_in_that_reads(
    trail: DatabaseUrl, filled: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flows", "--trail", filled("product")]) == 0
    assert "not recorded" not in capsys.readouterr().err
    with open_reader(trail) as reader:
        told = [json.loads(e.core) for e in reader.entries() if b'"access"' in e.core]
    assert [event["facts"]["database_user"] for event in told] == ["product"]
    assert "actor" not in told[0]  # the vault is closed to it


def test_product_sees_nothing_personal(filled: Callable[[str], str]) -> None:
    for role, expected in (("product", False), ("security", True)):
        with open_reader(DatabaseUrl(filled(role))) as reader:
            entries = list(reader.entries())
        assert any(entry.personal for entry in entries) is expected
        assert all(entry.salt is None for entry in entries)
        assert len(entries) > 40


def test_an_officer_holds_releases_exports_and_erases(
    trail: DatabaseUrl,
    filled: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--trail", filled("dpo")]
    with open_vault(DatabaseUrl(filled("opener"))) as vault:
        token = vault.find(ANN)
    assert token is not None
    assert main(["who", token, *given]) == 0
    assert ANN in capsys.readouterr().out
    assert main(["hold", ANN, "--reason", "case 7", *given]) == 0
    assert main(["erase", ANN, "--yes", *given]) == 2
    assert "case 7" in capsys.readouterr().err
    assert main(["hold", ANN, "--release", *given]) == 0
    assert main(["subject", ANN, "-o", str(tmp_path / "ann.json"), *given]) == 0
    assert len(json.loads((tmp_path / "ann.json").read_text())["events"]) == 20
    assert main(["erase", ANN, "--yes", *given]) == 0
    assert "dead rows until VACUUM" in capsys.readouterr().out
    assert main(["who", token, *given]) == 2
    assert "was erased" in capsys.readouterr().err
    assert verify_trail(TrailPaths.of(filled("auditor"))).ok
    with pytest.raises(VaultError), open_vault(DatabaseUrl(filled("tokens"))) as vault:
        vault.identities()


@pytest.mark.parametrize(
    ("command", "roles"),
    [
        ("recover", "flowaudit_writer, flowaudit_tokens"),
        (f"hold {ANN} --reason x", "flowaudit_writer, flowaudit_vault"),
        (f"erase {ANN} --yes", "flowaudit_writer, flowaudit_eraser, flowaudit_vault"),
        ("key rotate", "flowaudit_writer, flowaudit_tokens"),
        ("statement", "flowaudit_writer, flowaudit_auditor"),
        ("evidence --seq 3 -o c.zip", "flowaudit_writer, flowaudit_auditor, flowaudit_vault"),
    ],
)
def test_a_command_needs_no_more_than_the_documentation_says(
    filled: Callable[[str], str], postgres: Server, command: str, roles: str
) -> None:
    name = f"only_{command.split()[0]}"
    postgres.run(f"CREATE ROLE {name} LOGIN IN ROLE {roles}")
    assert main([*command.split(), "--trail", filled(name)]) == 0


def test_an_archivist_moves_entries_out_and_the_rest_holds(
    trail: DatabaseUrl, url: Callable[[str], str], tmp_path: Path
) -> None:
    audit = FlowAudit(trail=url("app"), clock=lambda: 1_700_000_000.0)
    for i in range(700):
        audit.record("note", number=i)
    audit.close()
    (tmp_path / "archive").mkdir()
    argv = ["archive", "--to", str(tmp_path / "archive"), "--before", "2024-01-01"]
    assert main([*argv, "--trail", url("archivist")]) == 0
    with open_reader(DatabaseUrl(url("auditor"))) as reader:
        assert reader.away.count >= 512
        assert reader.size > 700
    found = verify_trail(TrailPaths.of(url("auditor")))
    assert found.ok, found.problems
    assert main([*argv, "--trail", url("auditor")]) == 2


@pytest.mark.parametrize("column", ["core", "personal"])
def test_a_value_that_is_larger_than_any_is_damage(
    trail: DatabaseUrl, filled: Callable[[str], str], ask: Callable[..., Any], column: str
) -> None:
    with psycopg.connect(trail.uri) as db:
        [seq] = (
            db.execute("SELECT min(seq) FROM flowaudit.event WHERE personal IS NOT NULL").fetchone()
            or ()
        )
        db.execute(
            f"UPDATE flowaudit.event SET {column} = decode(repeat('00', 50000000), 'hex')"
            " WHERE seq = %s",
            (seq,),
        )
    found = verify_trail(trail)
    assert [problem.seq for problem in found.problems][:1] == [seq]


def test_a_writer_says_what_it_may_not(url: Callable[[str], str]) -> None:
    record = (encode_core(Core(v=1, source="s" * 26, n=1, ts=1, kind="note")), b"")
    denied = pytest.raises(TrailWriteError, match="permission denied")
    with closing(open_trail(url("product"))) as trail, denied:
        trail.append([record], "s" * 26, 1)
    with pytest.raises(TrailError, match="may not read"):
        open_reader(url("writer"))
    personal = encode_personal(Personal(path="/x"))
    paths = TrailPaths.of(url("writer"))
    with closing(open_trail(paths)) as trail, pytest.raises(TrailError, match="who was erased"):
        trail.append([(record[0], personal)], "s" * 26, 1)  # the vault is closed to it
