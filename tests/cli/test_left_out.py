"""No report stays silent about what the policy left out."""

import csv
import io
import json

import pytest

from flowaudit import FlowAudit
from flowaudit.cli.main import main
from flowaudit.journeys.engine import Engine
from flowaudit.journeys.left_out import LeftOut, left_out
from flowaudit.report.exclusions import exclusion_sentence

from ..capture.asgi_driver import BODY, START, answering, call, scope

pytest.importorskip("duckdb")

POLICY = """
[[policy]]
path = "/static/**"
level = "none"
reason = "assets decide nothing"
[[policy]]
path = "/secret/**"
methods = ["GET"]
actor_kind = "anonymous"
level = "none"
[[policy]]
path = "/kept"
level = "meta"
"""
SAID = (
    "Left out by the policy: 3 requests to /static/** (reason: assets decide nothing);"
    " 1 request to GET /secret/**, actor kind anonymous (no reason given)."
)
AS_JSON = [
    {
        "pattern": "/static/**",
        "methods": [],
        "route": [],
        "resource": [],
        "actor_kind": [],
        "reason": "assets decide nothing",
        "requests": 3,
        "at_least": False,
    },
    {
        "pattern": "/secret/**",
        "methods": ["GET"],
        "route": [],
        "resource": [],
        "actor_kind": ["anonymous"],
        "reason": None,
        "requests": 1,
        "at_least": False,
    },
]


def visit(trail, tmp_path, *paths, policy=POLICY, close=True):
    file = tmp_path / "policy.toml"
    file.write_text(policy)
    audit = FlowAudit(trail=trail, policy=file)
    for path in paths:
        status = START | {"status": 403 if path == "/no" else 200}
        call(audit.asgi(answering(status, BODY)), scope(path=path))
    audit.flush()
    if close:
        audit.close()
    return audit


@pytest.fixture
def written(trail, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    visit(trail, tmp_path, "/static/a", "/p", "/static/b", "/secret/x", "/no")
    visit(trail, tmp_path, "/static/c", "/p")
    return str(trail)


COMMANDS = {
    "flows": ["flows"],
    "flows-humans": ["flows", "--include", "humans"],
    "flows-of-nobody": ["flows", "--include", "bots"],
    "funnel": ["funnel", "/p"],
    "denied": ["denied"],
    "journey": ["journey", "10.0.0.1"],
    "review": ["review"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_every_command_says_what_was_left_out(written, capsys, command, form):
    assert main([*command, "--trail", written, "--format", form]) == 0
    shown = capsys.readouterr()
    said = " ".join(shown.out.split())
    if form == "text":
        assert SAID in said
        assert shown.out.splitlines()[-1].startswith("Next: ")
        assert shown.err == ""
    elif form == "json" and command != ["review"]:
        assert json.loads(shown.out)["left_out"] == AS_JSON
        assert shown.err == ""
    else:
        assert shown.err == f"flowaudit: {SAID}\n"
        if form == "json":
            assert isinstance(json.loads(shown.out), list)
        else:
            assert list(csv.reader(io.StringIO(shown.out)))


def test_the_report_says_it_on_the_page_and_in_the_terminal(written, capsys, tmp_path):
    page = tmp_path / "page.html"
    assert main(["report", "--trail", written, "-o", str(page)]) == 0
    assert SAID in " ".join(capsys.readouterr().out.split())
    scope_of_page = page.read_text().split('id="scope"', 1)[1]
    assert SAID in scope_of_page


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_where_nothing_is_left_out_nothing_is_said(trail, tmp_path, capsys, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    visit(trail, tmp_path, "/p", "/no", policy="")
    for form in ("text", "json", "csv"):
        assert main([*command, "--trail", str(trail), "--format", form]) == 0
        shown = capsys.readouterr()
        assert '"left_out"' not in shown.out
        assert "Left out" not in shown.out + shown.err


def test_a_rule_that_never_fitted_is_told_too(trail, tmp_path):
    visit(trail, tmp_path, "/p")
    with Engine.open(trail) as engine:
        assert [each.requests for each in left_out(engine)] == [0, 0]


def test_a_process_that_has_not_stopped_makes_the_count_a_lower_bound(trail, tmp_path):
    visit(trail, tmp_path, "/static/a", "/p")
    audit = visit(trail, tmp_path, "/static/a", "/p", close=False)
    with Engine.open(trail) as engine:
        first, second = left_out(engine)
    audit.close()
    assert (first.requests, first.at_least, second.at_least) == (1, True, True)
    assert "at least 1 request to /static/**" in exclusion_sentence([first])


@pytest.mark.parametrize(
    "facts",
    [None, {"policy": 3}, {"policy": [3]}, {"policy": [{"level": "meta"}]}, {"other": 1}],
    ids=["none", "number", "list-of-numbers", "no-exclusion", "else"],
)
def test_odd_facts_are_passed_over(facts):
    event = {"kind": "process", "action": "start", "ts": 1, "source": "a", "n": 1}
    with Engine.from_events([event | ({"facts": facts} if facts else {})]) as engine:
        assert left_out(engine) == ()


def test_a_sentence_does_not_act():
    rule = LeftOut("/\x1b[31m", (), (), (), (), "‮why", 1, False)
    assert "\\x1b" in exclusion_sentence([rule])
    assert "\u202e" not in exclusion_sentence([rule])
    assert exclusion_sentence([]) == ""
