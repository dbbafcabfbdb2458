"""`flowaudit report`: a trail or a bare log file, in one command."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flowaudit.cli.main import main

LINE = '{} - - [02/Mar/2026:{:02}:{:02}:00 +0000] "GET {} HTTP/1.1" {} 120 "-" "Mozilla/5.0"\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [
        LINE.format(f"192.0.2.{who}", 9, place, path, status)
        for who in range(4)
        for place, (path, status) in enumerate([("/", 200), ("/shop", 200), ("/admin", 403)])
    ]
    file = tmp_path / "access.log"
    file.write_text("".join([*lines, "not a line\n"]))
    return file


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_bare_log_becomes_a_page_and_leaves_nothing_else(log, tmp_path, capsys) -> None:
    assert main(["report", str(log)]) == 0
    out = capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"access.log", "flow-report.html"}
    assert "12 requests in 4 journeys" in out
    assert "1 malformed" in out
    assert "4 refusals among 12 requests" in (tmp_path / "flow-report.html").read_text("utf-8")


def test_a_gzipped_log_gives_the_same(log, tmp_path, capsys) -> None:
    packed = tmp_path / "access.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert main(["report", str(packed), "-o", "other.html"]) == 0
    assert "12 requests in 4 journeys" in (tmp_path / "other.html").read_text("utf-8")


def test_a_trail_is_read_verified_and_the_reading_recorded(log, tmp_path, capsys) -> None:
    assert main(["import", str(log), "--trail", "t.db"]) == 0
    assert main(["report", "--trail", "t.db", "--funnel", "/", "/shop", "/admin"]) == 0
    assert main(["report", "t.db"]) == 0
    page = (tmp_path / "flow-report.html").read_text("utf-8")
    assert "The trail holds" in page
    with closing(sqlite3.connect("t.db")) as db:
        cores = [core for (core,) in db.execute("SELECT core FROM event")]
    assert sum('"kind":"access"' in core for core in cores) == 2


def test_a_changed_trail_is_reported_and_the_exit_status_says_so(log, tmp_path, capsys) -> None:
    assert main(["import", str(log), "--trail", "t.db"]) == 0
    with closing(sqlite3.connect("t.db")) as db, db:
        db.execute("UPDATE event SET core = replace(core, '403', '200')")
    assert main(["report", "--trail", "t.db"]) == 1
    assert "does NOT hold" in capsys.readouterr().out
    assert "does NOT hold" in (tmp_path / "flow-report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere.log",),
        ("access.log", "-o", "no/such/folder/page.html"),
        ("--trail", "access.log"),
        ("--trail", "nowhere.db"),
    ],
    ids=["no file", "no folder", "not a trail", "no trail"],
)
def test_a_mistake_is_one_line_and_no_trace(log, arguments, capsys) -> None:
    assert main(["report", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("flowaudit: ")
    assert len(captured.err.splitlines()) == 1


def test_a_declared_flow_is_the_funnel(log, tmp_path, capsys) -> None:
    (tmp_path / "flowaudit.toml").write_text('[flows.buying]\nsteps = ["/", "/shop", "/paid"]\n')
    assert main(["report", str(log)]) == 0
    page = (tmp_path / "flow-report.html").read_text("utf-8")
    assert "buying" in page
    assert "so this is the commonest way" not in page
