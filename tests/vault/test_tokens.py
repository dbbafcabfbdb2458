"""The vault: one live token a person, itself a commitment; keys that stay inside."""

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from flowaudit.errors import VaultError
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.erasure import Hold, hold_of, place_hold
from flowaudit.vault.guard import is_open_here
from flowaudit.vault.tokens import Vault
from flowaudit.verification.trail import verify_trail


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "t.db.vault")


def test_only_the_owner_may_read_it(vault: Vault) -> None:
    with vault:
        vault.token("x")
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600


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


@pytest.mark.parametrize("content", [b"hello" * 200, b"SQLite format 3\x00" + b"x" * 200])
def test_a_damaged_vault_is_said_by_verification(vault: Vault, trail: Path, content: bytes) -> None:
    with Trail(trail) as writer:
        writer.append([], "s" * 26, 0)
    vault.path.write_bytes(content)
    found = verify_trail(trail)
    assert not found.ok
    assert ["vault" in problem.what for problem in found.problems] == [True]


def test_a_vault_that_is_exchanged_while_in_use_is_noticed(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person put into a file without a name would be nobody after the next start."""
    monkeypatch.setattr("flowaudit.vault.guard.LOOK_S", 0.0)
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


def test_a_vault_that_was_restored_without_a_log_is_not_taken_for_exchanged(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowaudit.vault.guard.LOOK_S", 0.0)
    with vault:
        token = vault.token("user:1")
    with closing(sqlite3.connect(vault.path)) as db:
        assert db.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    with Vault(vault.path) as again:
        assert again.generation() == 0
        assert again.generation() == 0
        assert again.identity(token) == "user:1"
