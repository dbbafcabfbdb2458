"""`flowaudit who`, `subject`, `hold` and `erase`, as a person runs them."""

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit
from flowaudit.cli import erase, main
from flowaudit.trail.opening import open_reader
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.tokens import Vault
from flowaudit.verification.trail import verify_trail

Events = Callable[..., list[dict[str, Any]]]
Said = pytest.CaptureFixture[str]
ANN, BOB = "user:ann", "user:bob"


def act(audit: FlowAudit, who: str, what: str, via: str | None = None) -> None:
    with audit.job("work", actor=flowaudit.Actor(who, via=via)):
        flowaudit.note(what=what)


@pytest.fixture
def written(audit: FlowAudit, trail: Path) -> Path:
    act(audit, ANN, "one")
    act(audit, BOB, "two")
    act(audit, BOB, "three", via=ANN)
    audit.record("auth", "grant", target=ANN, role="nurse")
    audit.record("note", what="ann, but nobody's")
    audit.close()
    return trail


@pytest.fixture
def ann(written: Path) -> str:
    return token_of(written, ANN)


def token_of(trail: Path, who: str) -> str:
    with Vault(TrailPaths.of(trail).vault) as vault:
        token = vault.find(who)
    assert token is not None
    return token


def run(command: str, *argv: str, trail: Path) -> int:
    return main([command, *argv, "--trail", str(trail)])


def test_who_says_whom_a_token_stands_for(
    written: Path, ann: str, events: Events, capsys: Said
) -> None:
    assert run("who", ann, trail=written) == 0
    assert capsys.readouterr().out == "user:ann\n"
    assert run("who", ann, "--format", "json", trail=written) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"token": ann, "state": "live", "identity": ANN, "held": False}
    asked = events("access")
    assert [event["facts"] for event in asked] == [
        {"command": "who", "of": [ann], "scope": "identity"}
    ] * 2
    assert b"user:ann" not in written.read_bytes()


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("a" * 52, "does not know this token"),
        ("user:ann", "that is no token"),
        ("", "that is no token"),
    ],
    ids=["unknown", "an identity", "empty"],
)
@pytest.mark.parametrize("fmt", ["text", "json", "csv"])
def test_who_says_what_it_cannot_answer(
    written: Path, capsys: Said, token: str, says: str, fmt: str
) -> None:
    assert run("who", token, "--format", fmt, trail=written) == 2
    said = capsys.readouterr()
    if fmt == "json":
        assert json.loads(said.out)["state"] == "unknown"
    elif fmt == "text":
        assert says in said.err
        assert said.err.count("\n") == 1


def test_who_says_that_somebody_was_erased(written: Path, ann: str, capsys: Said) -> None:
    assert run("erase", ann, "--yes", trail=written) == 0
    capsys.readouterr()
    assert run("who", ann, trail=written) == 2
    assert "was erased on 2" in capsys.readouterr().err
    assert run("who", ann, "--format", "json", trail=written) == 2
    assert json.loads(capsys.readouterr().out)["state"] == "erased"


@pytest.mark.parametrize("command", ["who", "erase", "hold", "subject"])
def test_without_a_vault_none_is_made(written: Path, capsys: Said, command: str) -> None:
    vault = TrailPaths.of(written).vault
    vault.unlink()
    more = {"hold": ["--reason", "x"], "subject": ["-o", "x.json"], "erase": ["--yes"]}
    assert run(command, ANN, *more.get(command, []), trail=written) == 2
    assert "there is no vault at" in capsys.readouterr().err
    assert not vault.exists()


@pytest.mark.parametrize(
    "argv",
    [
        ["erase", "user:nobody", "--yes"],
        ["erase", "b" * 52, "--yes"],
        ["hold", "user:nobody", "--reason", "x"],
        ["subject", "user:nobody", "-o", "x.json"],
    ],
    ids=lambda argv: " ".join(argv)[:20],
)
def test_nobody_is_said_and_no_token_is_made(written: Path, capsys: Said, argv: list[str]) -> None:
    assert run(argv[0], *argv[1:], trail=written) == 2
    assert "knows nobody by that" in capsys.readouterr().err
    with Vault(TrailPaths.of(written).vault) as vault:
        assert vault.find("user:nobody") is None


def test_erase_asks_first(written: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("erase", ANN, trail=written) == 2
    assert "--yes where nobody can be asked" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert run("erase", ANN, trail=written) == 2
    said = capsys.readouterr()
    assert "3 events lose their personal part" in said.out
    assert "Nothing was erased" in said.err
    assert verify_trail(written).erased == 0
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert run("erase", ANN, trail=written) == 0
    assert verify_trail(written).erased == 3


def test_erase_says_what_it_did_and_what_it_cannot(
    written: Path, ann: str, events: Events, capsys: Said
) -> None:
    argv = ["erase", ANN, "--yes", "--reason", "art. 17", "--format", "json"]
    assert run(*argv, trail=written) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["tokens"], said["events"], said["blocked"], said["waiting"]) == ([ann], 3, [], 0)
    assert "backups" in said["out_of_reach"]
    [event] = events("ops")
    assert event["action"] == "erase"
    assert event["facts"]["why"] == "art. 17"
    assert event["actor_kind"] == "user"
    assert len(event["actor"]) == 52
    assert event["facts"]["erases"]["tokens"] == [ann]


def test_an_erasure_of_somebody_without_events_is_an_event_too(
    written: Path, events: Events
) -> None:
    with Vault(TrailPaths.of(written).vault) as vault:
        token = vault.token("user:quiet")
    assert run("erase", "user:quiet", "--yes", trail=written) == 0
    [event] = events("ops")
    assert event["facts"] == {"erases": {"tokens": [token]}}
    assert verify_trail(written).ok


@pytest.mark.parametrize(
    "command",
    ["erase PERSON --yes", "hold PERSON", "who TOKEN", "subject PERSON -o s.json",
     "subject TOKEN -o s.json", "evidence --actor PERSON -o c.zip", "journey PERSON"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("reason", "says"),
    [("Ann asked for it", "names the person"), ("x" * 501, "at most 500")],
    ids=["name", "length"],
)
def test_a_reason_that_stays_for_ever_is_looked_at(
    written: Path, ann: str, capsys: Said, monkeypatch: pytest.MonkeyPatch,
    command: str, reason: str, says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(written.parent)
    words = [{"PERSON": ANN, "TOKEN": ann}.get(word, word) for word in command.split()]
    assert run(*words, "--reason", reason, trail=written) == 2
    assert says in capsys.readouterr().err
    found = verify_trail(written)
    assert found.erased == 0
    with open_reader(written) as reader:
        assert not any(reason.encode() in entry.core for entry in reader.entries())


def test_while_a_hold_stands_nobody_is_erased(
    written: Path, ann: str, events: Events, capsys: Said
) -> None:
    assert run("hold", ANN, "--reason", "case 7", trail=written) == 0
    assert run("erase", ANN, "--yes", trail=written) == 2
    assert run("erase", ann, "--yes", trail=written) == 2
    assert capsys.readouterr().err.count("a legal hold forbids") == 2
    assert run("who", ann, trail=written) == 0
    assert "A legal hold stands since" in capsys.readouterr().out
    assert verify_trail(written).erased == 0
    assert run("erase", BOB, "--yes", trail=written) == 0
    assert run("hold", "--release", ann, "--reason", "case closed", trail=written) == 0
    assert run("erase", ANN, "--yes", trail=written) == 0
    manual = [e["facts"] for e in events("ops") if e["action"] == "manual"]
    assert manual == [
        {"hold": ann, "why": "case 7"},
        {"released": ann, "why": "case closed"},
    ]
    found = verify_trail(written)
    assert found.ok, found.problems


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["hold", ANN], "a hold says why it stands"),
        (["hold", "--release", ANN], "no legal hold stands on"),
    ],
    ids=["no reason", "no hold"],
)
def test_a_hold_that_makes_no_sense(
    written: Path, capsys: Said, argv: list[str], says: str
) -> None:
    assert run(argv[0], *argv[1:], trail=written) == 2
    assert says in capsys.readouterr().err


def test_a_hold_placed_twice_keeps_its_day(written: Path, ann: str) -> None:
    def day() -> Any:
        with Vault(TrailPaths.of(written).vault) as vault:
            return vault.ask(lambda db: db.execute("SELECT ts, why FROM hold").fetchall())

    assert run("hold", ANN, "--reason", "one", trail=written) == 0
    [(since, _)] = day()
    assert run("hold", ANN, "--reason", "two", trail=written) == 0
    assert day() == [(since, "two")]


def test_nobody_whose_erasure_has_begun_can_be_held(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    with monkeypatch.context() as broken:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        broken.setattr("flowaudit.cli.erase.erase_tokens", stop)
        assert run("erase", ANN, "--yes", trail=written) == 130
    assert run("hold", ANN, "--reason", "x", trail=written) == 2
    assert "erasure has begun" in capsys.readouterr().err


def test_subject_writes_all_that_is_held(
    written: Path, ann: str, events: Events, tmp_path: Path, capsys: Said
) -> None:
    out = tmp_path / "ann.json"
    assert run("hold", ANN, "--reason", "case 7", trail=written) == 0
    assert run("subject", ANN, "-o", str(out), trail=written) == 0
    assert "3 events of this person" in capsys.readouterr().out
    held = json.loads(out.read_text("utf-8"))
    assert (held["identity"], held["tokens"]) == (ANN, [ann])
    assert held["holds"][0]["why"] == "case 7"
    assert "exports, reports" in held["out_of_reach"]
    whole = {event["seq"]: event for event in events()}
    assert [whole[event["seq"]] for event in held["events"]] == held["events"]
    assert [e["data"].get("what") for e in held["events"]] == ["one", "three", None]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    [export] = events("access")
    assert (export["action"], export["facts"]["of"]) == ("export", [ann])


def test_subject_of_somebody_without_events_is_whole_json(written: Path, tmp_path: Path) -> None:
    with Vault(TrailPaths.of(written).vault) as vault:
        vault.token("user:quiet")
    out = tmp_path / "quiet.json"
    assert run("subject", "user:quiet", "-o", str(out), trail=written) == 0
    assert json.loads(out.read_text("utf-8"))["events"] == []


def test_subject_after_an_erasure_holds_what_happened_alone(
    written: Path, ann: str, tmp_path: Path
) -> None:
    assert run("erase", ANN, "--yes", trail=written) == 0
    out = tmp_path / "ann.json"
    assert run("subject", ann, "-o", str(out), trail=written) == 0
    held = json.loads(out.read_text("utf-8"))
    assert held["identity"] is None
    assert len(held["events"]) == 2  # the one about her account names her no more
    assert not any("data" in event for event in held["events"])


@pytest.mark.parametrize("where", ["there.json", "no/such/folder.json"])
def test_subject_writes_over_nothing_and_leaves_no_half_file(
    written: Path, tmp_path: Path, capsys: Said, where: str
) -> None:
    (tmp_path / "there.json").write_text("mine")
    before = {path.name for path in tmp_path.iterdir()} | {"t.db-wal", "t.db-shm"}
    assert run("subject", ANN, "-o", str(tmp_path / where), trail=written) == 2
    assert "setting 'output'" in capsys.readouterr().err
    assert (tmp_path / "there.json").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} <= before


def test_subject_shows_a_damaged_event_as_it_stands(
    written: Path, ann: str, tmp_path: Path, sql: Callable[..., list[tuple[Any, ...]]]
) -> None:
    sql("UPDATE event SET core = '{' || core WHERE instr(core, ?)", ann)
    out = tmp_path / "ann.json"
    assert run("subject", ANN, "-o", str(out), trail=written) == 0
    damaged = json.loads(out.read_text("utf-8"))["events"]
    assert any(ann in event.get("damaged", "") for event in damaged)


def test_an_erasure_that_cannot_be_written_has_not_begun(
    written: Path, ann: str, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "LOCK_TIMEOUT_S", 0.2)
    with closing(sqlite3.connect(written)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert run("erase", ANN, "--yes", trail=written) == 2
    assert run("who", ann, trail=written) == 0
    assert ANN in capsys.readouterr().out


def test_what_we_log_stands_beside_the_answer(written: Path, capsys: Said) -> None:
    TrailPaths.of(written).key.write_text("no key")
    main(["flows", "--format", "json", "--trail", str(written)])
    said = capsys.readouterr()
    json.loads(said.out)
    assert "without checkpoints" in said.err
