"""`flowaudit journey WHO` on the command line."""

import json

import pytest

from flowaudit.cli.main import main

pytest.importorskip("duckdb")

LOG = """\
192.0.2.1 - ann [25/Oct/2015:04:11:25 +0000] "GET /one HTTP/1.1" 200 1 "-" "x"
192.0.2.1 - ann [25/Oct/2015:04:11:35 +0000] "GET /two HTTP/1.1" 403 1 "-" "x"
192.0.2.1 - - [25/Oct/2015:04:11:36 +0000] "GET /two HTTP/1.1" 500 1 "-" "x"
192.0.2.2 - - [25/Oct/2015:06:11:36 +0000] "GET /two HTTP/1.1" 200 1 "-" "y"
192.0.2.1 - ann [25/Oct/2015:06:11:36 +0000] "GET /three HTTP/1.1" 200 1 "-" "x"
"""


@pytest.fixture
def trail(tmp_path, capsys):
    (tmp_path / "access.log").write_text(LOG)
    path = str(tmp_path / "t.db")
    assert main(["import", str(tmp_path / "access.log"), "--trail", path]) == 0
    capsys.readouterr()
    return path


def journeys(capsys, trail, who):
    assert main(["journey", who, "--trail", trail, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_identity_and_its_token_give_the_same_journeys(trail, capsys):
    by_name = journeys(capsys, trail, "ann")
    (token,) = by_name["visitors"]
    assert len(token) == 52
    assert journeys(capsys, trail, token) == by_name
    first, second = by_name["journeys"]
    assert [moment["path"] for moment in first["moments"]] == ["/one", "/two"]
    assert first["moments"][1]["gap_us"] == 10_000_000
    assert (first["ended"], second["ended"]) == ("pause", "open")


def test_an_address_gives_all_its_visitors_and_each_can_be_asked_for(trail, capsys):
    found = journeys(capsys, trail, "192.0.2.1")
    assert len(found["visitors"]) == 2
    (net,) = [who for who in found["visitors"] if who.startswith("net:")]
    assert journeys(capsys, trail, net)["visitors"] == [net]


@pytest.mark.parametrize(
    ("who", "event"),
    [
        ("session:s1", {"session": "s1"}),
        ("visitor:v1", {"visitor": "v1"}),
        ("plain-name", {"actor": "plain-name"}),
    ],
)
def test_every_way_to_know_a_visitor_can_be_asked_for(tmp_path, capsys, who, event):
    (tmp_path / "e.jsonl").write_text(json.dumps({"kind": "request", "ts": 1, **event}))
    path = str(tmp_path / "e.db")
    main(["import", str(tmp_path / "e.jsonl"), "--trail", path])
    capsys.readouterr()
    assert journeys(capsys, path, who)["visitors"] == [who]


def test_text_is_a_timeline_with_pauses_outcomes_and_an_end(trail, capsys):
    assert main(["journey", "ann", "--trail", trail]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("ann: 2 journeys, 3 requests, 25 Oct 2015 04:11 to 06:11 UTC")
    (one,) = [line for line in lines if "/one" in line]
    assert one.split() == ["04:11:25", "GET", "/one", "200", "ok"]
    (two,) = [line for line in lines if "/two" in line]
    assert two.split() == ["04:11:35", "+10", "s", "GET", "/two", "403", "denied", "forbidden"]
    assert "It ended with a pause: back after 2 h." in lines
    assert "It may go on: the requests in the trail end within 30 minutes." in lines
    assert max(map(len, lines[:-1])) <= 80
    assert lines[-1].startswith("Next: flowaudit ")


def test_colour_is_for_terminals_that_want_it(trail, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["journey", "ann", "--trail", trail])
    assert "\x1b[33m403 denied" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    main(["journey", "ann", "--trail", trail])
    assert "\x1b" not in capsys.readouterr().out


def test_csv_is_one_row_a_moment(trail, capsys):
    assert main(["journey", "ann", "--trail", trail, "--format", "csv"]) == 0
    rows = capsys.readouterr().out.strip().split("\r\n")
    assert rows[0].startswith("who,journey,seq,ts,gap_us,kind,")
    assert len(rows) == 4


def test_nobody_of_that_name_is_one_line_and_status_2(trail, capsys):
    assert main(["journey", "bob", "--trail", trail]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "nobody called 'bob'" in err
