"""`flowaudit policy check` on the command line."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.cli.main import main
from flowaudit.policy.explain import explain
from flowaudit.policy.rule import Late
from flowaudit.policy.rules import parse_policy

TEXT = """
[[policy]]
path = "/static/**"
level = "none"
reason = "assets decide nothing (A. Meyer)"
[[policy]]
route = "/orders/{id}"
methods = ["POST"]
level = "payload"
request_json = ["/id", "/items/*/sku"]
response_headers = ["location"]
[[policy]]
actor_kind = ["bot", "agent"]
level = "none"
"""


@pytest.fixture(autouse=True)
def _policy(tmp_path, monkeypatch):
    (tmp_path / "flowaudit.toml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("args", "rule", "level", "why"),
    [
        (["get", "/static/a.css?v=1"], "policy[0]", "none", []),
        (
            ["POST", "/orders/7", "--route", "/orders/{id}"],
            "policy[1]",
            "payload",
            ["its path is /static/**"],
        ),
        (
            ["GET", "/orders/7", "--route", "/orders/{id}"],
            None,
            "meta",
            [
                "its path is /static/**",
                "its methods are POST",
                "its actor kind is bot or agent; none was given",
            ],
        ),
        (
            ["POST", "/orders/7"],
            None,
            "meta",
            [
                "its path is /static/**",
                "its route is /orders/{id}; none was given",
                "its actor kind is bot or agent; none was given",
            ],
        ),
        (
            ["GET", "/x", "--actor-kind", "bot", "--resource", "order"],
            "policy[2]",
            "none",
            ["its path is /static/**", "its methods are POST"],
        ),
    ],
)
def test_it_names_the_rule_and_why_not_the_others(capsys, args, rule, level, why):
    assert main(["policy", "check", *args, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rule"], found["level"], found["durability"]) == (rule, level, "relaxed")
    assert [each["why"] for each in found["passed_over"]] == why


def test_json_has_the_documented_keys(capsys):
    main(["policy", "check", "GET", "/static/a", "--format", "json"])
    assert json.loads(capsys.readouterr().out) == {
        "method": "GET",
        "path": "/static/a",
        "route": None,
        "resource": None,
        "actor_kind": None,
        "rule": "policy[0]",
        "text": "any method /static/**",
        "level": "none",
        "durability": "relaxed",
        "reason": "assets decide nothing (A. Meyer)",
        "records": ["no event; the request is counted as left out by this rule"],
        "passed_over": [],
    }


def test_text_says_what_would_be_recorded(capsys):
    main(["policy", "check", "POST", "/orders/7", "--route", "/orders/{id}"])
    assert capsys.readouterr().out == (
        "POST /orders/7: policy[1] decides (POST /**, route /orders/{id}).\n"
        "Level payload, durability relaxed.\n"
        "\nRecorded\n"
        "  the event, with nothing of cookies, other headers and bodies\n"
        "  but, of bodies up to 65,536 bytes:\n"
        "  request json: /id, /items/*/sku\n"
        "  response headers: location\n"
        "  of all else in JSON and forms: type and length\n"
        "\nPassed over\n"
        "  policy[0]: its path is /static/**\n"
    )


def test_without_a_policy_file_no_rule_fits(capsys, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert main(["policy", "check", "GET", "/x"]) == 0
    assert capsys.readouterr().out.startswith(
        "GET /x: no rule fits.\nLevel meta, durability relaxed."
    )


def test_a_wrong_policy_is_one_line(capsys, tmp_path):
    (tmp_path / "flowaudit.toml").write_text("[[policy]]\nlevel = 'all'\n")
    assert main(["policy", "check", "GET", "/x"]) == 2
    assert "flowaudit.toml: policy[0].level" in capsys.readouterr().err


def test_it_needs_nothing_of_the_extra_for_analysis():
    code = (
        "import sys\n"
        "for name in ('duckdb', 'pyarrow', 'rich', 'jinja2', 'adbc_driver_sqlite'):\n"
        "    sys.modules[name] = None\n"
        "from flowaudit.cli.main import main\n"
        "sys.exit(main(['policy', 'check', 'GET', '/static/x']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "policy[0] decides" in done.stdout


RULES = st.fixed_dictionaries(
    {"level": st.sampled_from(["none", "meta", "payload"])},
    optional={
        "path": st.sampled_from(["/a/**", "/a/b", "/**"]),
        "methods": st.sampled_from([["GET"], ["POST", "PUT"]]),
        "route": st.sampled_from(["/a/{id}", "/**", ["/x", "/a/*"]]),
        "resource": st.sampled_from(["order", ["order", "bill"]]),
        "actor_kind": st.sampled_from(["bot", ["user", "service"]]),
    },
)


@given(
    st.lists(RULES, max_size=6),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/a/b", "/a/c", "/x"]),
    st.builds(
        Late,
        st.sampled_from([None, "/a/{id}", "/x"]),
        st.sampled_from([None, "order", "else"]),
        st.sampled_from([None, "bot", "user"]),
    ),
)
def test_what_is_explained_is_what_is_done(rules, method, path, late):
    policy = parse_policy({"policy": rules})
    assert explain(policy, method, path, late).rule == policy.decide(method, path).rule(late)
