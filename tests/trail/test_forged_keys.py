"""Events that lie about keys: none is believed that the trusted one has not signed for."""

import json
from pathlib import Path

import pytest

from flowaudit.cli import main
from flowaudit.event import Core, encode_core, new_source
from flowaudit.proofs.note import VerifierKey
from flowaudit.trail.keychain import key_facts
from flowaudit.trail.keys import load_verifier_key
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A file: what keys are believed is the same whatever keeps the trail."""
    return tmp_path / "t.db"


def grow(trail: Path, n: int) -> None:
    core = Core(v=1, source="s" * 26, n=n, ts=n, kind="note")
    with Trail(trail) as writer:
        writer.append([(encode_core(core), b"")], "s" * 26, n, running="boot")


def public(trail: Path) -> VerifierKey:
    key = load_verifier_key(TrailPaths.of(trail))
    assert key is not None
    return key


def told(created: VerifierKey, **ended: VerifierKey) -> bytes:
    """An event that tells of keys, as whoever holds a signing key may append it."""
    source = new_source()
    core = Core(
        v=1, source=source, n=1, ts=1, kind="ops", action="key",
        facts={"key": {**key_facts(created, **ended)}},
    )  # fmt: skip
    return encode_core(core)


def append(trail: Path, core: bytes) -> None:
    with Trail(trail) as writer:
        writer.append([(core, b"")], json.loads(core)["source"], 1)
        writer.checkpoint()


def test_a_key_that_has_signed_nothing_leads_back_to_no_other(trail: Path, tmp_path: Path) -> None:
    """Anybody can write that the key you trust took over from theirs."""
    other = tmp_path / "honest.db"
    grow(other, 1)
    grow(trail, 1)
    own = public(trail)
    trusted = VerifierKey(own.name, public(other).public)
    append(trail, told(trusted, retired=own))
    found = verify_trail(trail, key=trusted)
    assert not found.ok
    assert any("is not signed by" in problem.what for problem in found.problems)


@pytest.mark.parametrize("again", ["retired", "revoked"])
def test_a_key_that_ended_does_not_end_again(trail: Path, tmp_path: Path, again: str) -> None:
    """Nor does it come to life by being told to have ended later."""
    grow(trail, 1)
    old = public(trail)
    with Trail(trail) as writer:
        writer.replace_key(is_revoked=True, why="stolen")
    thief = tmp_path / "thief.db"
    grow(thief, 1)
    append(trail, told(VerifierKey(old.name, public(thief).public), **{again: old}))
    for key in (old, public(trail)):
        found = verify_trail(trail, key=key)
        assert any("which had ended before" in problem.what for problem in found.problems)


def test_a_key_does_not_take_over_from_itself(trail: Path) -> None:
    grow(trail, 1)
    append(trail, told(public(trail), retired=public(trail)))
    assert any("names none that follows" in p.what for p in verify_trail(trail).problems)


def test_an_entry_that_nests_without_end_is_a_problem_and_no_crash(trail: Path) -> None:
    deep = b'{"facts":' + b"[" * 15_000 + b"]" * 15_000 + b',"kind":"ops","n":1,"source":"x"}'
    with Trail(trail) as writer:
        writer.append([(deep, b"")], "x" * 26, 1)
    assert not verify_trail(trail).ok
    assert main(["statement", "--trail", str(trail)]) == 1
