"""Every reading is an event: by whom, with what, how much, of whom, and why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit
from flowaudit.cli import main
from flowaudit.journeys.engine import Engine
from flowaudit.trail.opening import open_reader
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.tokens import Vault

Events = Callable[..., list[dict[str, Any]]]
ANN = "user:ann"


@pytest.fixture
def written(audit: FlowAudit, trail: Path) -> Path:
    with audit.job("work", actor=ANN):
        flowaudit.note(what="one")
    audit.close()
    return trail


COMMANDS = {
    "flows": (["flows"], "report", "read"),
    "funnel": (["funnel", "/a", "/b"], "report", "read"),
    "journey": (["journey", ANN], "raw", "read"),
    "denied": (["denied"], "report", "read"),
    "review": (["review"], "raw", "read"),
    "report": (["report", "-o", "r.html"], "report", "read"),
    "statement": (["statement"], "report", "read"),
    "who": (["who", "TOKEN"], "identity", "read"),
    "subject": (["subject", ANN, "-o", "s.json"], "raw", "export"),
    "evidence": (["evidence", "--actor", ANN, "-o", "c.zip"], "raw", "export"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_reads_says_so_in_the_trail(
    written: Path, events: Events, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with Vault(TrailPaths.of(written).vault) as vault:
        token = str(vault.find(ANN))
    argv, scope, action = COMMANDS[name]
    argv = [token if word == "TOKEN" else word for word in argv]
    main([*argv, "--trail", str(written), "--reason", "ticket 7"])
    [event] = events("access")
    assert event["action"] == action
    assert len(event["actor"]) == 52
    assert event["actor_kind"] == "user"
    facts = event["facts"]
    assert (facts["command"], facts["scope"], facts["why"]) == (name, scope, "ticket 7")
    assert facts.get("of") == ([token] if name in ("who", "subject", "evidence") else None)


def test_a_reading_is_an_event_though_the_vault_says_nobody(
    written: Path, events: Events, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in written.parent.glob("t.db.vault*"):
        part.unlink()
    TrailPaths.of(written).vault.write_bytes(b"no vault" * 1_000)
    assert main(["flows", "--trail", str(written), "--reason", "ticket 7"]) == 0
    assert "recorded without who reads: vault" in capsys.readouterr().err
    [event] = events("access")
    assert event.get("actor") is None
    assert (event["facts"]["command"], event["facts"]["why"]) == ("flows", "ticket 7")


def test_a_reason_is_bounded(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flows", "--trail", str(written), "--reason", "x" * 501]) == 2
    assert "at most 500" in capsys.readouterr().err


def test_reading_in_python_is_an_event_behind_what_was_read(written: Path, events: Events) -> None:
    with open_reader(written) as reader:
        size = reader.size
    with Engine.open(written, why="a notebook") as engine:
        assert engine.rows("SELECT COUNT(*) FROM events") == [(size,)]
    [event] = events("access")
    assert event["facts"] == {"command": "python", "scope": "raw", "why": "a notebook"}
    Engine.open(written, reading=None).close()
    assert len(events("access")) == 1


def test_verification_reads_without_a_trace(written: Path, events: Events) -> None:
    assert main(["verify", "--trail", str(written)]) == 0
    assert not events("access")
