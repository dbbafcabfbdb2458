"""Keys that follow one another, told in the trail: each believed as far as another vouches."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.cli import main
from flowaudit.errors import TrailWriteError
from flowaudit.event import Core, encode_core
from flowaudit.proofs.note import VerifierKey
from flowaudit.trail.keys import load_verifier_key
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.signing import Signer
from flowaudit.vault.tokens import Vault
from flowaudit.verification.trail import verify_trail
from tests.trail.stores import only_sqlite

Sql = Callable[..., list[tuple[Any, ...]]]
Events = Callable[..., list[dict[str, Any]]]


def grow(trail: Path, n: int) -> None:
    """Add an event as an app does."""
    core = Core(v=1, source="s" * 26, n=n, ts=n, kind="note")
    with open_trail(trail, replaces_key=True) as writer:
        writer.append([(encode_core(core), b"")], "s" * 26, n, running="boot")


def public(trail: Path) -> VerifierKey:
    key = load_verifier_key(TrailPaths.of(trail))
    assert key is not None
    return key


@pytest.fixture
def keys(trail: Path) -> list[VerifierKey]:
    """A trail that three keys have signed, one after the other."""
    found = []
    for n in (1, 2, 3):
        grow(trail, n)
        found.append(public(trail))
        if n < 3:
            with open_trail(trail) as writer:
                assert writer.replace_key() == (found[-1], public(trail))
    return found


def test_a_key_and_each_that_follows_is_an_event(
    trail: Path, keys: list[VerifierKey], events: Events
) -> None:
    first, second, third = map(str, keys)
    assert len({first, second, third}) == 3
    assert [
        event["facts"]["key"] for event in events("process", "ops") if event["action"] == "key"
    ] == [
        {"created": first},
        {"created": second, "retired": first},
        {"created": third, "retired": second},
    ]


@pytest.mark.parametrize("trusted", [0, 1, 2], ids=["oldest", "middle", "newest"])
def test_whichever_key_is_trusted_leads_to_all_others(
    trail: Path, keys: list[VerifierKey], trusted: int
) -> None:
    found = verify_trail(trail, key=keys[trusted])
    assert found.ok, found.problems
    assert [span.key for span in found.keys] == [str(key) for key in keys]
    assert [span.last for span in found.keys][-1] is None


def test_a_key_that_nobody_vouches_for_leads_nowhere(
    trail: Path, keys: list[VerifierKey], tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    grow(other, 1)
    assert not verify_trail(trail, key=VerifierKey(keys[0].name, public(other).public)).ok


@only_sqlite
def test_a_retired_key_signs_no_more(trail: Path, keys: list[VerifierKey], sql: Sql) -> None:
    """A thief with the old key: what it signs later does not count, whoever is trusted."""
    paths = TrailPaths.of(trail)
    current = paths.key.read_bytes()
    with open_trail(trail) as writer:
        writer.replace_key()
    paths.key.write_bytes(current)  # the thief's copy of what was retired just now
    grow(trail, 4)
    for key in (*keys, public(trail)):
        found = verify_trail(trail, key=key)
        assert any("is not signed by" in problem.what for problem in found.problems)


def test_a_revoked_key_does_not_vouch_for_the_next(trail: Path) -> None:
    grow(trail, 1)
    old = public(trail)
    with open_trail(trail) as writer:
        assert writer.replace_key(is_revoked=True, why="stolen") == (old, public(trail))
    grow(trail, 2)
    assert verify_trail(trail).ok
    found = verify_trail(trail, key=old)
    assert not found.ok
    assert any("was revoked here" in problem.what for problem in found.problems)


def test_a_running_app_signs_with_the_new_key_from_its_next_checkpoint_on(
    make_audit: Callable[..., FlowAudit], trail: Path
) -> None:
    audit = make_audit()
    audit.record("note", number=1)
    assert audit.flush()
    assert main(["key", "rotate", "--trail", str(trail), "--reason", "yearly"]) == 0
    audit.record("note", number=2)
    audit.close()
    found = verify_trail(trail)
    assert found.ok, found.problems
    assert found.after_checkpoint == 0


@pytest.mark.parametrize("step", ["before the trail is told", "after the trail was told"])
def test_a_rotation_that_was_stopped_leaves_one_key(
    trail: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    grow(trail, 1)
    old = public(trail)
    with monkeypatch.context() as stopped:
        if step.startswith("before"):
            stopped.setattr(type(open_trail(trail)), "_tell_of_key", _stop)
        else:
            stopped.setattr(Signer, "_complete", lambda *_: None)
            stopped.setattr("flowaudit.trail.signing.os.replace", _stop)
        with closing(open_trail(trail)) as writer:
            try:
                writer.replace_key()
            except TrailWriteError:
                assert step.startswith("before")
    grow(trail, 2)
    assert (public(trail) == old) == step.startswith("before")
    found = verify_trail(trail, key=old)
    assert found.ok, found.problems
    with open_trail(trail) as writer:
        writer.replace_key()
    assert verify_trail(trail, key=old).ok


def _stop(*_: object) -> None:
    raise TrailWriteError("stopped here")


@only_sqlite
def test_a_key_whose_file_was_lost_is_replaced_and_that_is_told(
    trail: Path, events: Events
) -> None:
    grow(trail, 1)
    old = public(trail)
    TrailPaths.of(trail).key.unlink()
    grow(trail, 2)
    assert events("ops")[-1]["facts"] == {
        "key": {"created": str(public(trail)), "revoked": str(old)},
        "why": "the private key was gone",
    }
    assert verify_trail(trail).ok
    assert not verify_trail(trail, key=old).ok


WITHOUT_KEY = {
    "flows": 0,
    "hold user:ann --reason x": 0,
    "erase user:ann --yes": 0,
    "recover": 0,
    "statement": 2,
    "evidence --seq 1 -o case.zip": 2,
    "key rotate": 2,
}


@only_sqlite
@pytest.mark.parametrize("command", WITHOUT_KEY)
@pytest.mark.parametrize("gone", ["key", "key and public key"])
def test_no_command_replaces_a_key_that_it_does_not_find(
    trail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], gone: str, command: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with Vault(TrailPaths.of(trail).vault) as vault:
        vault.token("user:ann")
    grow(trail, 1)
    paths, old = TrailPaths.of(trail), public(trail)
    paths.key.rename(tmp_path / "elsewhere")
    if gone != "key":
        paths.public_key.unlink()
    assert main([*command.split(), "--trail", str(trail)]) == WITHOUT_KEY[command]
    err = capsys.readouterr().err.splitlines()
    said = [" key" in line or "nothing can be proved" in line for line in err]
    assert said == [True] * (WITHOUT_KEY[command] // 2)
    assert not paths.key.exists()
    assert verify_trail(trail, key=old).ok


@only_sqlite
def test_a_lost_key_can_be_revoked(trail: Path, events: Events) -> None:
    grow(trail, 1)
    old = public(trail)
    TrailPaths.of(trail).key.unlink()
    assert main(["key", "revoke", "--reason", "lost", "--trail", str(trail)]) == 0
    assert verify_trail(trail).ok
    assert events("ops")[0]["facts"]["key"]["revoked"] == str(old)


def test_an_event_of_a_key_that_is_none_is_found(trail: Path) -> None:
    core = Core(
        v=1, source="k" * 26, n=1, ts=1, kind="ops", action="key", facts={"key": {"created": "x"}}
    )
    with open_trail(trail) as writer:
        writer.append([(encode_core(core), b"")], "k" * 26, 1)
    [problem] = verify_trail(trail).problems
    assert "a key that is none" in problem.what


def test_an_old_trail_that_never_told_of_its_first_key_holds(trail: Path) -> None:
    with open_trail(trail) as writer:  # as an import does
        writer.append([(encode_core(Core(v=1, source="i" * 26, n=1, ts=1, kind="note")), b"")],
                      "i" * 26, 1)  # fmt: skip
    old = public(trail)
    with open_reader(trail) as reader:
        assert not any(b"created" in entry.core for entry in reader.entries())
    with open_trail(trail) as writer:
        writer.replace_key()
    for key in (old, public(trail)):
        assert verify_trail(trail, key=key).ok


def test_the_command_shows_rotates_and_revokes(
    trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--trail", str(trail)]
    grow(trail, 1)
    assert main(["key", "rotate", "--reason", "yearly", *argv]) == 0
    assert "is retired" in capsys.readouterr().out
    assert main(["key", "revoke", *argv]) == 2
    assert "a revocation says why" in capsys.readouterr().err
    assert main(["key", "revoke", "--reason", "stolen", *argv]) == 0
    assert "Hand that file" in capsys.readouterr().out
    assert main(["key", "--format", "csv", *argv]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line.split(",")[2] for line in lines[1:]]
    assert told == ["created", "created", "retired", "created", "revoked"]
    assert lines[-1].endswith("stolen")
    assert verify_trail(trail).ok


def test_the_command_gives_programs_whole_keys(
    trail: Path, keys: list[VerifierKey], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["key", "--trail", str(trail)]
    assert main([*argv, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["key"] for each in told if each["what"] == "created"] == [*map(str, keys)]
    assert [each["what"] for each in told].count("retired") == 2
    assert all(type(each["ts"]) is int and each["ts"] > 10**15 for each in told)
    assert main(argv) == 0
    assert str(keys[0]) not in capsys.readouterr().out
