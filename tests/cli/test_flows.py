"""`flowaudit flows` on the command line."""

import json

import pytest

from flowaudit.cli.main import main

pytest.importorskip("duckdb")

PAGE = {"kind": "request", "method": "GET", "status": 200, "outcome": "ok", "nav": "page"}


@pytest.fixture
def trail(tmp_path, capsys):
    """Make a trail of flat events; gives its path as text."""

    def make(*events):
        file = tmp_path / "events.jsonl"
        file.write_text("".join(json.dumps({**PAGE, **event}) + "\n" for event in events))
        path = str(tmp_path / "t.db")
        assert main(["import", str(file), "--trail", path, "--as", "events"]) == 0
        capsys.readouterr()
        return path

    return make


def run(capsys, *arguments):
    assert main([*arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


WALK = [
    {"ts": 0, "route": "/a", "path": "/a", "client": "c"},
    {"ts": 1, "route": "/b/{id}", "path": "/b/1", "client": "c"},
    {"ts": 2, "route": "/b/{id}", "path": "/b/2", "client": "c"},
]


def test_json_has_the_documented_keys_and_no_others(trail, capsys):
    assert json.loads(run(capsys, "flows", "--trail", trail(*WALK), "--format", "json")) == {
        "events": 3,
        "visitors": 1,
        "sessions": 1,
        "sessions_with_page": 1,
        "pages": 3,
        "bounces": 0,
        "first_ts": 0,
        "last_ts": 2,
        "entry": [["/a", 1]],
        "exit": [["/b/{id}", 1]],
        "pages_top": [["/b/{id}", 2], ["/a", 1]],
        "transitions": [["/a", "/b/{id}", 1]],
        "self_transitions": [["/b/{id}", "/b/{id}", 1]],
        "transitions_total": 1,
        "self_transitions_total": 1,
        "pages_per_session": {"3": 1},
    }


def test_options_reach_the_count(trail, capsys):
    path = trail(*WALK)
    found = json.loads(
        run(capsys, "flows", "--trail", path, "--format", "json", "--by", "path", "--top", "1")
    )
    assert found["exit"] == [["/b/2", 1]]
    assert found["pages_top"] == [["/a", 1]]
    found = json.loads(
        run(capsys, "flows", "--trail", path, "--format", "json", "--include", "bots")
    )
    assert found["events"] == 0


def test_what_could_not_be_joined_is_told(trail, capsys):
    path = trail({"ts": 0, "path": "/a"}, *WALK)
    assert json.loads(run(capsys, "flows", "--trail", path, "--format", "json"))["not_joined"] == 1
    assert "1 request could not be joined to a visitor." in run(capsys, "flows", "--trail", path)


def test_text_begins_with_sentences_fits_80_columns_and_says_what_is_next(trail, capsys):
    long = "/" + "very-long-segment/" * 20
    path = trail(
        *WALK, {"ts": 3, "path": long, "client": "c"}, {"ts": 4, "path": "/é", "client": "d"}
    )
    out = run(capsys, "flows", "--trail", path)
    assert out.startswith("2 visitors made 2 journeys with 5 requests, 5 of them pages,")
    assert "50 % of the journeys that see a page see only one (1 of 2); 0 see none." in out
    lines = out.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert lines[-1] == f"Next: flowaudit funnel --trail {path} /a '/b/{{id}}'"
    assert "\x1b" not in out


def test_text_of_a_hostile_path_does_not_reach_the_terminal_as_control(trail, capsys):
    out = run(capsys, "flows", "--trail", trail({"ts": 0, "path": "/\x1b[2J\u202e", "client": "c"}))
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_csv_has_every_list(trail, capsys):
    out = run(capsys, "flows", "--trail", trail(*WALK), "--format", "csv")
    rows = out.split("\r\n")
    assert rows[0] == "list,step,to,n"
    for row in ("events,,,3", "entry,/a,,1", "transitions,/a,/b/{id},1", "pages_per_session,3,,1"):
        assert row in rows


def test_an_empty_trail_is_said_to_be_empty(trail, capsys):
    out = run(capsys, "flows", "--trail", trail())
    assert out.startswith("No requests to count in ")
    assert "Next: flowaudit import" in out


def test_a_reading_is_recorded_and_does_not_count(trail, capsys):
    path = trail(*WALK)
    for _ in range(2):
        found = json.loads(run(capsys, "flows", "--trail", path, "--format", "json"))
    assert found["events"] == 3
    assert main(["verify", "--trail", path]) == 0
    assert "5 entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trail", "missing.db"], "there is no trail at"),
        (["--trail", "events.jsonl"], "not a flowaudit trail"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(trail, tmp_path, monkeypatch, capsys, arguments, said):
    trail(*WALK)
    monkeypatch.chdir(tmp_path)
    assert main(["flows", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


@pytest.mark.parametrize("top", ["0", "-1", "x", "1.5"])
def test_a_wrong_top_is_refused(trail, capsys, top):
    with pytest.raises(SystemExit) as stop:
        main(["flows", "--trail", trail(*WALK), "--top", top])
    assert stop.value.code == 2
