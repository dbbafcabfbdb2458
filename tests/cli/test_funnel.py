"""`flowaudit funnel` on the command line."""

import json

import pytest

from flowaudit.cli.main import main

pytest.importorskip("duckdb")


@pytest.fixture
def trail(tmp_path, capsys):
    walks = {
        "a": [("/1", 0), ("/2", 5_000_000)],
        "b": [("/1", 0), ("/2", 9_000_000)],
        "c": [("/1", 0)],
    }
    events = [
        {
            "kind": "request",
            "ts": ts,
            "route": route,
            "path": f"{route}/x",
            "outcome": "ok",
            "client": client,
        }
        for client, walk in walks.items()
        for route, ts in walk
    ]
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    path = str(tmp_path / "t.db")
    assert main(["import", str(file), "--trail", path]) == 0
    capsys.readouterr()
    return path


def test_json_has_the_documented_keys_and_no_others(trail, capsys):
    assert main(["funnel", "--trail", trail, "/1", "/2", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "steps": ["/1", "/2"],
        "reached": [3, 2],
        "drop_off": [1, 0],
        "median_us": [0, 5_000_000],
    }


def test_text_names_the_biggest_loss_in_a_sentence(trail, capsys):
    assert main(["funnel", "--trail", trail, "/1", "/2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Of 3 journeys that reached /1, 2 (67 %) came as far as /2.")
    assert "Most were lost after /1: 33 % went no further (1 of 3)." in out
    assert "5 s" in out
    assert max(map(len, out.splitlines()[:-1])) <= 80
    assert out.splitlines()[-1] == f"Next: flowaudit flows --trail {trail}"


def test_steps_by_path(trail, capsys):
    main(["funnel", "/1/x", "/2/x", "--by", "path", "--trail", trail, "--format", "csv"])
    assert capsys.readouterr().out.split("\r\n")[:3] == [
        "step,reached,drop_off,median_us",
        "/1/x,3,1,0",
        "/2/x,2,0,5000000",
    ]


def test_a_step_that_nobody_takes_is_told_with_what_may_help(trail, capsys):
    assert main(["funnel", "--trail", trail, "/none", "/1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("No journey reached /none with success.")
    assert "--by path" in out
