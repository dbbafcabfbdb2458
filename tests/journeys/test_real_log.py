"""A real log, counted twice: by the commands and by the oracle, number by number."""

import json
import os
from pathlib import Path

import pytest

from flowaudit.cli.main import main
from tests.journeys import oracle

pytest.importorskip("duckdb")

LOG = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "access-2015.log"
LOGIN = "/acl_users/credentials_cookie_auth/require_login"

if not LOG.exists() and not os.environ.get("CI"):
    pytest.skip(f"the real log is not at {LOG}", allow_module_level=True)


@pytest.fixture(scope="module")
def trail(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("real") / "t.db")
    assert main(["import", str(LOG), "--trail", path, "--no-redact"]) == 0
    return path


@pytest.fixture(scope="module")
def events():
    events, malformed = oracle.read_log(LOG.read_bytes())
    assert len(events) > 3_000
    assert malformed == []
    return events


def answer(capsys, *arguments):
    assert main([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_import_counts_its_lines(trail, events, capsys):
    assert answer(capsys, "import", str(LOG), "--trail", trail, "--no-redact") == {
        "lines": len(events),
        "events": 0,
        "malformed": 0,
        "malformed_lines": [],
    }


@pytest.mark.parametrize("by", ["route", "path"])
@pytest.mark.parametrize("top", [10, 100_000])
def test_flows_are_the_same_number_by_number(trail, events, capsys, by, top):
    found = answer(capsys, "flows", "--trail", trail, "--by", by, "--top", str(top))
    assert found == oracle.flows(events, by, top)


@pytest.mark.parametrize("login_path", [None, LOGIN])
def test_refusals_are_the_same_number_by_number(trail, events, capsys, login_path):
    options = ["--login-path", login_path] if login_path else []
    found = answer(capsys, "denied", "--trail", trail, *options)
    assert found == oracle.denied(events, login_path)


def test_the_robots_that_post_the_unlinked_form_are_who_is_turned_away(trail, events, capsys):
    found = answer(capsys, "denied", "--trail", trail, "--login-path", LOGIN)
    assert found["by_route"][0][0] == "/join_form"
    assert found["by_route"][0][1] > 500
    robots = {e["client"] for e in events if e.get("path") == "/join_form"}
    assert {client for client, _ in found["by_client"]} <= robots


@pytest.mark.parametrize(
    "steps", [["/join_form", LOGIN, "/login_form"], ["/", "/join_form"], ["/join_form"] * 3]
)
def test_funnels_are_the_same_number_by_number(trail, events, capsys, steps):
    found = answer(capsys, "funnel", "--trail", trail, *steps)
    assert found == oracle.funnel(events, steps)
    assert found["reached"][-1] > 0
