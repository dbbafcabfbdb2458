"""Every analysis says the same of a trail in a file and of the same events in a database."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowaudit.cli import main
from flowaudit.vault.place import DatabaseUrl
from flowaudit.verification.trail import verify_trail
from tests.postgres import Server

PATHS = ["/", "/doctors", "/doctors/7", "/booking", "/booking/done", "/wp-admin.php", "/.env"]
LINE = (
    '{client} - {user} [{at}] "GET {path} HTTP/1.1" {status} 512 "-" "Mozilla/5.0 Firefox/140.0"\n'
)


def lines() -> Iterator[str]:
    for i in range(600):
        client = f"203.0.113.{i % 9}"
        path = PATHS[i * 7 % 5] if i % 9 else PATHS[5 + i % 2]
        status = 403 if i % 11 == 0 else 404 if "." in path else 200
        at = f"10/Oct/2025:{8 + i // 60:02d}:{i % 60:02d}:00 +0000"
        user = "ann" if i % 9 == 3 else "-"
        yield LINE.format(client=client, user=user, at=at, path=path, status=status)


@pytest.fixture
def both(
    tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """The same log imported into a file and into a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWAUDIT_VAULT", str(tmp_path / "shared.vault"))  # the same tokens
    log = tmp_path / "access.log"
    log.write_text("".join(lines()))
    database = postgres.new_trail()
    trails = (str(tmp_path / "t.db"), postgres.url(database))
    for trail in trails:
        assert main(["import", str(log), "--trail", trail]) == 0
    yield trails
    postgres.drop(database)


@pytest.mark.parametrize(
    "command",
    [
        ["flows"],
        ["flows", "--by", "path", "--include", "humans"],
        ["funnel", "/doctors", "/booking"],
        ["journey", "203.0.113.4"],
        ["denied"],
        ["review"],
    ],
    ids=" ".join,
)
def test_an_analysis_says_the_same(
    both: tuple[str, str], capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    told = []
    for trail in both:
        capsys.readouterr()
        assert main([*command, "--trail", trail, "--format", "json"]) in (0, 1)
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1]


def test_the_same_log_again_adds_nothing(
    both: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for trail in both:
        capsys.readouterr()
        assert main(["import", "access.log", "--trail", trail, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["events"] == 0
        found = verify_trail(DatabaseUrl(trail) if "://" in trail else trail)
        assert found.ok, found.problems
        assert found.size >= 600


def test_a_report_names_the_database_without_its_password(
    both: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = both[1] + "&password=s3cret"
    assert main(["report", "--trail", url, "-o", str(tmp_path / "r.html")]) == 0
    said = capsys.readouterr()
    assert "s3cret" not in said.out + said.err + (tmp_path / "r.html").read_text()
    assert "postgresql://postgres@" in (tmp_path / "r.html").read_text()


def test_the_environment_may_name_the_database(
    both: tuple[str, str], tmp_path: Path, run: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    done = run("verify", FLOWAUDIT_TRAIL=both[1])
    assert done.returncode == 0, done.stderr
    (tmp_path / "flowaudit.toml").write_text(f'[flowaudit]\ntrail = "{both[1]}"\n')
    done = run("flows", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


@pytest.fixture
def run() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    def command(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "flowaudit", *words],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return command
