"""`flowaudit verify` and `recover`, as a person runs them, and what a mistake says."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.cli import main

Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def written(audit: FlowAudit, trail: Path) -> Path:
    for i in range(20):
        audit.record("note", number=i)
    audit.close()
    return trail


def test_a_trail_that_holds(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--trail", str(written)]) == 0
    said = capsys.readouterr().out
    assert "The trail holds: 23 entries" in said
    assert "0 witnesses" in said


def test_json_has_the_keys_that_programs_rely_on(
    written: Path, sql: Sql, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--trail", str(written), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert (found["size"], found["witnesses"], found["problems"]) == (23, 0, [])
    assert found["signed_by"].startswith("flowaudit/")
    assert len(found["root"]) == 44
    sql("UPDATE event SET core = replace(core, 'note', 'nota') WHERE seq = 7")
    assert main(["verify", "--trail", str(written), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert found["problems"][0]["seq"] == 7
    assert "changed" in found["problems"][0]["what"]


def test_the_auditors_own_key_is_used(written: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine.pub"
    copy.write_text((tmp_path / "t.db.pub").read_text())
    (tmp_path / "t.db.pub").unlink()
    assert main(["verify", "--trail", str(written), "--key", str(copy)]) == 0


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["verify", "--trail", "none.db"], "there is no trail at"),
        (["verify", "--trail", "text.db"], "not a flowaudit trail"),
        (["verify", "--trail", "."], "is a folder"),
        (["verify", "--key", "text.db", "--trail", "t.db"], "verifier key"),
        (["flows", "--trail", "text.db"], "not a flowaudit trail"),
        (["recover", "--trail", "none.db"], "there is no trail at"),
        (["review", "--trail", "t.db", "--policy", "none.toml"], "none.toml"),
        (["import", "none.log", "--trail", "t.db"], "none.log"),
        (["import", "text.db", "--trail", "no/such/folder/t.db"], "folder that exists"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_status_2(
    written: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.db").write_text("hello\n")
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_a_trail_is_found_in_environment_and_policy_file(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["verify"]) == 2
    (elsewhere / "flowaudit.toml").write_text(f"[flowaudit]\ntrail = '{written}'\n")
    assert main(["verify"]) == 0
    (elsewhere / "flowaudit.toml").unlink()
    monkeypatch.setenv("FLOWAUDIT_TRAIL", str(written))
    assert main(["verify"]) == 0


def test_recover_says_what_it_did(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import os, sys; from flowaudit import FlowAudit\n"
        "audit = FlowAudit(trail=sys.argv[1], group_ms=10000)\n"
        "for i in range(5): audit.record('note', number=i)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(written)], check=False, timeout=30)
    assert main(["verify", "--trail", str(written)]) == 0
    assert "6 events wait in spools" in capsys.readouterr().out
    assert main(["recover", "--trail", str(written), "--format", "json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["sources"], done["events"], done["waiting"]) == (1, 6, 0)
    assert main(["verify", "--trail", str(written)]) == 0


def test_output_into_a_closed_pipe_is_no_error(written: Path) -> None:
    command = f"{sys.executable} -m flowaudit --help | head -1"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("flowaudit ")


@pytest.mark.parametrize("option", ["against", "archive", "incremental"])
def test_what_says_nothing_of_a_file_is_refused(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    pack = tmp_path / "case.zip"
    assert main(["evidence", "--trail", str(written), "--seq", "1", "-o", str(pack)]) == 0
    assert main(["verify", str(pack)]) == 0
    capsys.readouterr()
    assert main(["verify", str(pack), f"--{option}", str(tmp_path)]) == 2
    assert f"flowaudit: --{option} is about a trail" in capsys.readouterr().err


def test_a_mistake_shows_and_does_not_act(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("\x1b[31m.zip", "a\nb", "\u202e\u2028"):
        assert main(["verify", str(tmp_path / name)]) == 2
        said = capsys.readouterr().err
        assert said.endswith("\n")
        assert said[:-1].isprintable()
