"""`flowaudit import` on the command line."""

import gzip
import json
import os
import pty
import subprocess
import sys

import pytest

from flowaudit.cli.main import main

LINE = '192.0.2.1 - {user} [25/Oct/2015:04:11:25 +0100] "GET /{path} HTTP/1.1" 200 1 "-" "x"\n'


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "access.log"
    path.write_text("".join(LINE.format(path=i, user="-") for i in range(3)) + "junk\n")
    return path


@pytest.fixture
def trail(tmp_path):
    return tmp_path / "t.db"


def test_json_has_the_documented_keys_and_no_others(log, trail, capsys):
    assert main(["import", str(log), "--trail", str(trail), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "lines": 4,
        "events": 3,
        "malformed": 1,
        "malformed_lines": [4],
    }


def test_text_begins_with_a_sentence_and_ends_with_what_to_run_next(log, trail, capsys):
    assert main(["import", str(log), "--trail", str(trail)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("4 lines read as combined: 3 events added to")
    assert "Malformed lines: 4." in out
    assert out.splitlines()[-1] == f"Next: flowaudit flows --trail {trail}"
    assert err == ""


def test_csv_is_one_row(log, trail, capsys):
    main(["import", str(log), "--trail", str(trail), "--format", "csv"])
    assert capsys.readouterr().out == "lines,events,malformed,malformed_lines\r\n4,3,1,4\r\n"


def test_the_same_content_packed_adds_nothing(log, trail, capsys):
    packed = log.with_name("old.1")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    main(["import", str(log), "--trail", str(trail)])
    main(["import", str(packed), "--trail", str(trail)])
    assert "The trail already had 3 of these events." in capsys.readouterr().out


def test_fields_that_are_not_in_the_schema_are_named(log, trail, capsys):
    log.write_text('{"kind":"request","ts":1,"colour":"red","size":1}\n')
    assert main(["import", str(log), "--trail", str(trail)]) == 0
    out = capsys.readouterr().out
    assert "1 line read as events: 1 event added" in out
    assert "Not in the schema, and so left out: colour, size." in out


def test_a_wrong_format_is_suspected_aloud(log, trail, capsys):
    assert main(["import", str(log), "--trail", str(trail), "--as", "common"]) == 0
    assert "Say which with --as." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "missing.log"], "missing.log cannot be read: No such file"),
        (["import", "."], "cannot be read: Is a directory"),
        (["import", "access.log", "--trail", "access.log"], "not a flowaudit trail"),
        (["import", "access.log", "--trail", "no/folder/t.db"], "a folder that exists"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(log, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(log.parent)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_bar_shows_on_a_terminal_alone(log, trail):
    pytest.importorskip("rich")
    command = [sys.executable, "-m", "flowaudit", "import", str(log), "--trail", str(trail)]
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=True,
            timeout=60,
            env={**os.environ, "TERM": "xterm"},
        )
        assert b"access.log" in os.read(ours, 100_000)
    finally:
        os.close(ours)
        os.close(theirs)
    piped = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert piped.stderr == b""
