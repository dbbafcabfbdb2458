"""Time stamps of a real authority over checkpoints: asked for, kept, checked, counted."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.cli import main
from flowaudit.errors import ProofError, TrailError
from flowaudit.verification.trail import verify_trail
from flowaudit.witnesses.publishing import kept_in
from flowaudit.witnesses.timestamps import ask_for_stamp, check_stamp, load_roots

from .authority import Authority, serving

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None,
    reason="no openssl: time stamps are not tested (apt install openssl)",
)


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A file: what is stamped is the same whatever keeps the trail."""
    return tmp_path / "t.db"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with serving(tmp_path_factory.mktemp("authority") / "tsa") as running:
        yield running


@pytest.fixture(autouse=True)
def _answers(authority: Authority) -> None:
    authority.answer = None


def test_a_stamp_is_valid_for_its_message_under_its_root_alone(
    authority: Authority, tmp_path: Path
) -> None:
    roots = load_roots(authority.root)
    stamp = ask_for_stamp(authority.url, b"message")
    found = check_stamp(stamp, b"message", roots)
    assert found.authority == "Test Authority"
    assert found.at > 1_700_000_000
    with serving(tmp_path / "other") as other:
        others = load_roots(other.root)
    for message, trusted in ((b"massage", roots), (b"message", others), (b"message", [])):
        with pytest.raises(ProofError):
            check_stamp(stamp, message, trusted)


@pytest.mark.parametrize(
    "answer", [b"", b"x" * 10, b"0\x82\xff\xff", b"0" * 200_000], ids=["none", "x", "cut", "long"]
)
def test_an_answer_that_is_no_stamp_is_refused(authority: Authority, answer: bytes) -> None:
    authority.answer = answer
    with pytest.raises(TrailError, match="no time stamp"):
        ask_for_stamp(authority.url, b"message")
    with pytest.raises(ProofError):
        check_stamp(answer, b"message", load_roots(authority.root))


def test_a_stamp_of_an_earlier_question_is_refused(authority: Authority) -> None:
    authority.answer = ask_for_stamp(authority.url, b"message")
    with pytest.raises(TrailError, match="something else"):
        ask_for_stamp(authority.url, b"message")  # the nonce is another


def test_an_authority_that_is_away_costs_the_app_nothing(
    make_audit: Callable[..., FlowAudit], trail: Path
) -> None:
    audit = make_audit(witnesses=["http://127.0.0.1:1/"])
    audit.record("note", number=1)
    assert audit.flush()
    audit.close()
    assert verify_trail(trail).ok


@pytest.mark.parametrize("has_folder", [True, False])
def test_an_app_has_its_checkpoints_stamped_and_each_verification_says_so(
    make_audit: Callable[..., FlowAudit],
    trail: Path,
    tmp_path: Path,
    authority: Authority,
    has_folder: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    places = [authority.url, *([str(folder)] if has_folder else [])]
    audit = make_audit(witnesses=places)
    audit.record("note", number=1)
    audit.close()
    place = folder if has_folder else tmp_path / "t.db.stamps"
    assert kept_in(place).stamps
    argv = ["verify", "--trail", str(trail), "--tsa-root", str(authority.root)]
    assert main([*argv, "--against", str(place), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in found["agreeing"]] == ["folder", "timestamp"]
    assert found["witnesses"] == 2
    # the settings' own folders are asked without being named
    toml = tmp_path / "flowaudit.toml"
    toml.write_text(f"[flowaudit]\nwitnesses = {json.dumps(places)}\n")
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 0
    said = capsys.readouterr().out
    assert "2 witnesses" in said
    assert "time stamp of Test Authority" in said
    # anybody's tool checks it
    tsr = max(place.rglob("*.tsr"))
    data = tsr.with_name(tsr.name[:20] + ".checkpoint")
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-data", data, "-in", tsr, "-CAfile", authority.root],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert "Verification: OK" in done.stdout + done.stderr
    # a stamp over another checkpoint does not count
    tsr.write_bytes(ask_for_stamp(authority.url, b"something else"))
    assert main([*argv, "--against", str(place)]) == 1
    assert "a time stamp does not count" in capsys.readouterr().out


def test_without_a_root_no_stamp_counts(
    make_audit: Callable[..., FlowAudit], trail: Path, tmp_path: Path, authority: Authority
) -> None:
    audit = make_audit(witnesses=[authority.url])
    audit.record("note", number=1)
    audit.close()
    found = verify_trail(trail, witnessed=[kept_in(tmp_path / "t.db.stamps")])
    assert [witness.kind for witness in found.agreeing] == ["folder"]


def test_what_holds_no_certificate_is_refused(tmp_path: Path) -> None:
    file: Any = tmp_path / "x.pem"
    file.write_text("hello")
    with pytest.raises(TrailError, match="holds no certificates"):
        load_roots(file)
