"""What a vault promises, in a file and in a database alike."""

import base64
import hashlib
import hmac
import os
import threading
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowaudit.errors import VaultError
from flowaudit.trail.opening import open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.base import AnyVault, is_token, spelled, token_of
from flowaudit.vault.erasure import (
    Hold,
    begin_erasure,
    end_erasure,
    find_person,
    hold_of,
    place_hold,
    release_hold,
)
from flowaudit.vault.opening import open_vault
from flowaudit.vault.place import DatabaseUrl
from flowaudit.verification.trail import verify_trail
from tests.conftest import run_sqlite
from tests.postgres import Server
from tests.trail.stores import as_setting


@pytest.fixture(params=["sqlite", "postgres"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyVault]:
    if request.param == "sqlite":
        yield open_vault(tmp_path / "t.db.vault")
        return
    server: Server = request.getfixturevalue("postgres")
    database = server.new_trail()
    with open_vault(DatabaseUrl(server.url(database))) as made:
        yield made
    server.drop(database)


def sql(vault: AnyVault, statement: str, *values: str) -> list[tuple[Any, ...]]:
    """Run a statement on the vault's tables, as a hand with the store's own shell would."""
    if not isinstance(vault.place, DatabaseUrl):
        return run_sqlite(vault.place, statement, *values)
    import psycopg

    statement = statement.replace("?", "%s").replace(
        "zeroblob(16)", "decode(repeat('00', 16), 'hex')"
    )
    with psycopg.connect(vault.place.uri) as db:
        db.execute("SET search_path = flowaudit_vault")
        cursor = db.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def test_a_token_is_a_commitment_to_salt_and_identity(vault: AnyVault) -> None:
    with vault:
        token = vault.token("user:42")
        salt, identity = sql(vault, "SELECT salt, identity FROM person WHERE token = ?", token)[0]
    digest = hashlib.sha256(
        b"\x03" + salt + unicodedata.normalize("NFC", identity).encode()
    ).digest()
    assert (
        token == base64.b32encode(digest).decode().rstrip("=").lower() == token_of(salt, identity)
    )
    assert len(salt) == 16
    assert is_token(token)


def test_a_person_has_one_token_in_every_process_and_thread(vault: AnyVault) -> None:
    found: set[str] = set()

    def ask() -> None:
        with open_vault(vault.place) as other:
            found.update(other.token(f"user:{i}") for i in range(20))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with vault:
        assert found == {vault.token(f"user:{i}") for i in range(20)}
        assert vault.identity(vault.token("user:3")) == "user:3"
        assert vault.find("user:99") is None


def test_two_spellings_of_one_name_are_one_person(vault: AnyVault) -> None:
    with vault:
        assert vault.token("Zo\u00eb") == vault.token("Zoe\u0308")
        assert vault.find("Zoe\u0308") == vault.token("Zo\u00eb")


def test_keyed_hashes_are_hmac_with_a_key_for_each_purpose(vault: AnyVault) -> None:
    with vault:
        session, login = vault.keyed_hash("session", "abc"), vault.keyed_hash("login", "abc")
        (key,) = sql(vault, "SELECT key FROM key WHERE purpose = 'session'")[0]
    assert session != login
    digest = hmac.new(key, b"session\x00abc", "sha256").digest()[:20]
    assert session == base64.b32encode(digest).decode().lower()
    assert len(session) == 32
    with open_vault(vault.place) as again:
        assert again.keyed_hash("session", "abc") == session


def test_a_forked_child_uses_a_connection_of_its_own(vault: AnyVault) -> None:
    with vault:
        mine = vault.token("user:1")
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, (vault.token("user:2") + vault.token("user:1")).encode())
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        text = os.read(reader, 200).decode()
        os.close(reader)
        os.close(writer)
        assert text == vault.token("user:2") + mine


IDENTITIES = {
    "empty": "",
    "surrogate": "\ud800",
    "long": "x" * 100_000,
    "nul": "\0",
    "nul inside": "a\0b",
    "line": "user:1\n",
    "sql": "'; DROP TABLE person; --",
    "places": "%s %b ? $1",
    "incompressible": "".join(map(chr, range(0x4E00, 0x4E00 + 1_000))),
}


@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
def test_any_identity_has_a_token(vault: AnyVault, identity: str) -> None:
    with vault:
        token = vault.token(identity)
        assert is_token(token)
        vault.forget()
        assert vault.token(identity) == token
        assert vault.identity(token) == spelled(identity)
        person = find_person(vault, identity)
        assert person is not None
        assert person.live == token


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE person SET identity = CASE identity WHEN 'user:1' THEN 'user:3' ELSE 'user:1x' END",
        "UPDATE person SET identity = 'user:9' WHERE identity = 'user:1'",
        "UPDATE person SET salt = zeroblob(16)",
        "UPDATE person SET salt = CAST(salt AS TEXT)",
        "UPDATE person SET token ="
        " CASE substr(token, 1, 1) WHEN 'a' THEN 'b' ELSE 'a' END || substr(token, 2)",
    ],
    ids=["both renamed", "renamed", "salt", "type", "token"],
)
def test_a_changed_row_names_nobody(vault: AnyVault, tmp_path: Path, change: str) -> None:
    paths = TrailPaths.of(tmp_path / "t.db", vault=as_setting(vault.place))
    if isinstance(vault.place, DatabaseUrl) and "CAST" in change:
        change = "UPDATE person SET salt = ''"  # a column of bytes holds no text
    with open_trail(paths) as writer, vault:
        writer.append([], "s" * 26, 0)
        tokens = {name: vault.token(name) for name in ("user:1", "user:2")}
        assert verify_trail(paths).ok
        sql(vault, change)
    found = [problem.what for problem in verify_trail(paths).problems]
    assert found
    assert all("is not of whom it says" in what for what in found)
    with open_vault(vault.place) as again:
        with pytest.raises(VaultError, match=r"was changed|Could not decode"):
            again.identities()
        for name, token in tokens.items():
            assert answer(again.identity, token) in (name, None)
            assert answer(again.find, name) in (token, None)
            person = answer(lambda _, asked: find_person(again, asked), "", token)
            assert person is None or (person.identity, person.live) == (name, token)


def answer(ask: Callable[..., Any], *asked: str) -> Any:
    """What is answered, nothing where it is refused because the vault was changed."""
    try:
        return ask(*asked)
    except VaultError as error:
        return None if "was changed" in str(error) or "decode" in str(error) else error


def test_erasing_takes_three_steps_and_each_may_be_repeated(vault: AnyVault) -> None:
    with vault:
        token, other = vault.token("user:1"), vault.token("user:2")
        before = vault.generation()
        for _ in range(2):
            person = find_person(vault, token)
            assert person is not None
            assert person.identity == "user:1"
            begin_erasure(vault, person, 7)
        assert vault.generation() > before
        assert vault.erased() == {token}
        assert vault.find("user:1") is None
        assert vault.identity(token) is None
        assert vault.identities() == {other: "user:2"}
        person = find_person(vault, "user:1")
        assert person is not None
        assert (person.live, person.erasing) == (None, (token,))
        for _ in range(2):
            end_erasure(vault, person)
        assert find_person(vault, "user:1") is None
        gone = find_person(vault, token)
        assert gone is not None
        assert (gone.identity, gone.erased, gone.erased_at) == (None, token, 7)
        assert vault.token("user:1") != token
        assert vault.truncate_log()


def test_a_hold_forbids_to_erase_until_it_is_released(vault: AnyVault) -> None:
    with vault:
        token = vault.token("user:1")
        assert hold_of(vault, token) is None
        place_hold(vault, token, Hold(5, "a case"))
        place_hold(vault, token, Hold(6, "another"))
        assert hold_of(vault, token) == Hold(5, "another")
        person = find_person(vault, "user:1")
        assert person is not None
        with pytest.raises(VaultError, match="a legal hold forbids"):
            begin_erasure(vault, person, 7)
        assert vault.identity(token) == "user:1"
        assert vault.generation() == 0
        release_hold(vault, token)
        begin_erasure(vault, person, 7)
        with pytest.raises(VaultError, match="nothing is left to hold"):
            place_hold(vault, token, Hold(8, "too late"))


def test_what_a_step_raises_undoes_it(vault: AnyVault) -> None:
    def step(db: Any) -> None:
        db.execute("DELETE FROM person")
        raise VaultError("stopped here")

    with vault:
        token = vault.token("user:1")
        with pytest.raises(VaultError, match="stopped here"):
            vault.change(step)
        assert vault.identities() == {token: "user:1"}
