"""`flowaudit denied` on the command line."""

import json

import pytest

from flowaudit.cli.main import main

pytest.importorskip("duckdb")

LINES = """\
192.0.2.1 - ann [25/Oct/2015:04:11:25 +0000] "GET /admin HTTP/1.1" 403 1 "-" "x"
192.0.2.1 - - [25/Oct/2015:05:11:25 +0000] "GET /secret HTTP/1.1" 302 1 "-" "x"
192.0.2.1 - - [25/Oct/2015:05:11:26 +0000] "GET /login HTTP/1.1" 200 1 "-" "x"
"""


@pytest.fixture
def trail(tmp_path, capsys):
    (tmp_path / "access.log").write_text(LINES)
    path = str(tmp_path / "t.db")
    assert main(["import", str(tmp_path / "access.log"), "--trail", path]) == 0
    capsys.readouterr()
    return path


def test_json_has_the_documented_keys_and_no_others(trail, capsys):
    assert main(["denied", "--trail", trail, "--format", "json", "--login-path", "/login"]) == 0
    found = json.loads(capsys.readouterr().out)
    ((nobody, one), (token, other)) = sorted(found.pop("by_actor"), key=lambda row: bool(row[0]))
    assert (nobody, one, len(token), other) == (None, 1, 52, 1)
    assert found == {
        "total": 2,
        "by_client": [["192.0.2.1", 2]],
        "by_route": [["/admin", 1], ["/secret", 1]],
        "by_reason": [["forbidden", 1], ["login-required", 1]],
        "per_hour": [[1_445_745_600_000_000, 1], [1_445_749_200_000_000, 1]],
    }


def test_text_says_names_that_the_vault_knows(trail, capsys):
    assert main(["denied", "--trail", trail]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1 refusal among 3 requests (33 %), 25 Oct 2015 04:11 to ")
    assert "  ann  " in out
    assert "  /admin  " in out
    assert max(map(len, out.splitlines()[:-1])) <= 80
    assert out.splitlines()[-1] == f"Next: flowaudit journey 192.0.2.1 --trail {trail}"


def test_without_refusals_it_says_how_much_was_looked_at(tmp_path, trail, capsys):
    (tmp_path / "fine.log").write_text(LINES.splitlines(keepends=True)[2])
    main(["import", str(tmp_path / "fine.log"), "--trail", str(tmp_path / "fine.db")])
    capsys.readouterr()
    assert main(["denied", "--trail", str(tmp_path / "fine.db")]) == 0
    assert capsys.readouterr().out.startswith("No refusals (1 request looked at, 25 Oct 2015")


def test_csv_has_every_list(trail, capsys):
    main(["denied", "--trail", trail, "--format", "csv"])
    rows = capsys.readouterr().out.split("\r\n")
    assert rows[:3] == ["list,key,n", "total,,1", "by_client,192.0.2.1,1"]
    assert "per_hour,1445745600000000,1" in rows
