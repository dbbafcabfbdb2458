"""The vault: one live token a person, itself a commitment; keys that stay inside."""

import base64
import hashlib
import hmac
import os
import sqlite3
import stat
import threading
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowaudit.errors import VaultError
from flowaudit.trail.check import verify_trail
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.erasure import Hold, find_person, hold_of, place_hold
from flowaudit.vault.guard import is_open_here
from flowaudit.vault.tokens import Vault, is_token, token_of


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "t.db.vault")


def ask(vault: Vault, question: str, *values: str) -> tuple[Any, ...]:
    with closing(sqlite3.connect(vault.path)) as db:
        row: tuple[Any, ...] = db.execute(question, values).fetchone()
    return row


def test_a_token_is_a_commitment_to_salt_and_identity(vault: Vault) -> None:
    with vault:
        token = vault.token("user:42")
        salt, identity = ask(vault, "SELECT salt, identity FROM person WHERE token = ?", token)
    digest = hashlib.sha256(
        b"\x03" + salt + unicodedata.normalize("NFC", identity).encode()
    ).digest()
    assert (
        token == base64.b32encode(digest).decode().rstrip("=").lower() == token_of(salt, identity)
    )
    assert len(salt) == 16
    assert is_token(token)


def test_a_person_has_one_token_in_every_process_and_thread(vault: Vault) -> None:
    found: set[str] = set()

    def ask() -> None:
        with Vault(vault.path) as other:
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


def test_two_spellings_of_one_name_are_one_person(vault: Vault) -> None:
    with vault:
        assert vault.token("Zo\u00eb") == vault.token("Zoe\u0308")
        assert vault.find("Zoe\u0308") == vault.token("Zo\u00eb")


def test_keyed_hashes_are_hmac_with_a_key_for_each_purpose(vault: Vault) -> None:
    with vault:
        session, login = vault.keyed_hash("session", "abc"), vault.keyed_hash("login", "abc")
        (key,) = ask(vault, "SELECT key FROM key WHERE purpose = 'session'")
    assert session != login
    digest = hmac.new(key, b"session\x00abc", "sha256").digest()[:20]
    assert session == base64.b32encode(digest).decode().lower()
    assert len(session) == 32
    with Vault(vault.path) as again:
        assert again.keyed_hash("session", "abc") == session


def test_only_the_owner_may_read_it(vault: Vault) -> None:
    with vault:
        vault.token("x")
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600


def test_a_forked_child_uses_a_connection_of_its_own(vault: Vault) -> None:
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


def test_a_file_that_is_no_vault_is_refused_and_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.vault"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE mine (x)")
    db.commit()
    db.close()
    with pytest.raises(VaultError, match="not a flowaudit vault"):
        Vault(other).token("x")
    text = tmp_path / "text.vault"
    text.write_text("hello " * 100)
    with pytest.raises(VaultError):
        Vault(text).token("x")
    assert text.read_text() == "hello " * 100


def test_a_locked_vault_gives_up_in_time(vault: Vault) -> None:
    with vault:
        vault.token("user:1")
    holder = sqlite3.connect(vault.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with Vault(vault.path, timeout_s=0.1) as other, pytest.raises(VaultError):
        other.token("user:2")
    holder.execute("ROLLBACK")
    holder.close()


@pytest.mark.parametrize("identity", ["", "\ud800", "x" * 100_000, "\0", "user:1\n"])
def test_any_identity_has_a_token(vault: Vault, identity: str) -> None:
    with vault:
        assert is_token(vault.token(identity))


def test_a_vault_of_an_older_release_gets_what_it_lacks(vault: Vault) -> None:
    with vault:
        token = vault.token("user:1")
    with closing(sqlite3.connect(vault.path)) as db, db:
        db.execute("DROP TABLE hold")
        db.execute("DROP TABLE erasing")
    with Vault(vault.path) as again:
        assert again.token("user:1") == token
        assert hold_of(again, token) is None
        place_hold(again, token, Hold(1, "why"))
        assert hold_of(again, token) == Hold(1, "why")


def test_other_threads_may_make_vaults_while_one_forgets(tmp_path: Path) -> None:
    kept: list[Vault] = []
    is_over = threading.Event()

    def make() -> None:
        while not is_over.is_set():
            kept.append(Vault(tmp_path / "v"))
            if len(kept) > 500:
                kept.clear()

    thread = threading.Thread(target=make)
    thread.start()
    try:
        mine = Vault(tmp_path / "v")
        for _ in range(2_000):
            mine.forget()
            assert not is_open_here(mine.path)
    finally:
        is_over.set()
        thread.join(30)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE person SET identity = CASE identity WHEN 'user:1' THEN 'user:3' ELSE 'user:1x' END",
        "UPDATE person SET identity = 'user:9' WHERE identity = 'user:1'",
        "UPDATE person SET salt = zeroblob(16)",
        "UPDATE person SET salt = CAST(salt AS TEXT)",
        "UPDATE person SET token = replace(token, 'a', 'b')",
    ],
    ids=["both renamed", "renamed", "salt", "type", "token"],
)
def test_a_changed_row_names_nobody(vault: Vault, trail: Path, change: str) -> None:
    with Trail(trail) as writer, vault:
        writer.append([], "s" * 26, 0)
        tokens = {name: vault.token(name) for name in ("user:1", "user:2")}
        assert verify_trail(trail).ok
        with closing(sqlite3.connect(vault.path)) as db, db:
            db.execute(change)
    found = [problem.what for problem in verify_trail(trail).problems]
    assert found
    assert all("is not of whom it says" in what for what in found)
    with Vault(vault.path) as again:
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


@pytest.mark.parametrize("content", [b"hello" * 200, b"SQLite format 3\x00" + b"x" * 200])
def test_a_damaged_vault_is_said_by_verification(vault: Vault, trail: Path, content: bytes) -> None:
    with Trail(trail) as writer:
        writer.append([], "s" * 26, 0)
    vault.path.write_bytes(content)
    found = verify_trail(trail)
    assert not found.ok
    assert ["vault" in problem.what for problem in found.problems] == [True]


def test_a_vault_that_is_exchanged_while_in_use_is_noticed(vault: Vault, tmp_path: Path) -> None:
    """A person put into a file without a name would be nobody after the next start."""
    with vault:
        before = vault.token("user:1")
        for part in tmp_path.glob("t.db.vault*"):
            part.unlink()
        with pytest.raises(VaultError, match="removed or exchanged"):
            vault.token("user:2")
        token = vault.token("user:2")
        assert vault.cached("user:1") is None
        assert vault.token("user:1") != before
    with Vault(vault.path) as again:
        assert again.identity(token) == "user:2"
