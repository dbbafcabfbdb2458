"""The policy file: first match wins, and what is unknown is refused by name."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from flowaudit.errors import SettingError
from flowaudit.policy.rule import Late
from flowaudit.policy.rules import find_policy, load_policy, parse_policy


def test_first_match_wins() -> None:
    policy = parse_policy(
        {
            "policy": [
                {"path": "/static/important.js", "level": "meta"},
                {"path": "/static/**", "level": "none"},
                {"path": "/health", "methods": ["get"], "level": "none"},
                {"path": "/u/*/avatar", "level": "none"},
            ]
        }
    )
    assert policy.level("GET", "/static/a/b.css") == "none"
    assert policy.level("GET", "/static/important.js") == "meta"
    assert policy.level("GET", "/health") == "none"
    assert policy.level("POST", "/health") == "meta"
    assert policy.level("GET", "/u/7/avatar") == "none"
    assert policy.level("GET", "/u/7/x/avatar") == "meta"
    assert policy.level("GET", "/") == "meta"


MIXED: list[dict[str, Any]] = [
    {"actor_kind": ["bot", "agent"], "path": "/api/**", "level": "none"},
    {"resource": "record", "level": "payload", "request_json": ["/id"]},
    {"route": "/orders/{id}", "methods": ["POST"], "level": "payload"},
    {"path": "/api/**", "level": "meta", "durability": "relaxed"},
    {"route": "/internal/**", "level": "none", "reason": "decided by Ann"},
]


@pytest.mark.parametrize(
    ("method", "path", "late", "decides"),
    [
        ("GET", "/api/x", Late(actor_kind="bot"), 0),
        ("GET", "/api/x", Late(actor_kind="user"), 3),
        ("GET", "/x", Late(actor_kind="bot"), None),
        ("GET", "/api/x", Late(resource="record", actor_kind="bot"), 0),
        ("GET", "/api/x", Late(resource="record"), 1),
        ("POST", "/orders/7", Late(route="/orders/{id}"), 2),
        ("GET", "/orders/7", Late(route="/orders/{id}"), None),
        ("GET", "/x", Late(route="/internal/a/b"), 4),
        ("GET", "/api/x", Late(route="/internal/a/b"), 3),
        ("GET", "/x", Late(), None),
    ],
)
def test_early_and_late_rules_stand_in_one_order(
    method: str, path: str, late: Late, decides: int | None
) -> None:
    rule = parse_policy({"policy": MIXED}).decide(method, path).rule(late)
    assert rule.name == ("" if decides is None else f"policy[{decides}]")


@pytest.mark.parametrize(
    ("method", "path", "payload", "may_decide"),
    [
        ("POST", "/x", [1, 2], [1, 2, 4, None]),
        ("GET", "/x", [1], [1, 4, None]),
        ("POST", "/api/x", [1, 2], [0, 1, 2, 3]),
    ],
)
def test_bodies_are_looked_at_where_a_late_rule_may_ask_for_them(
    method: str, path: str, payload: list[int], may_decide: list[int | None]
) -> None:
    decision = parse_policy({"policy": MIXED}).decide(method, path)
    assert [rule.name for rule in decision.payload] == [f"policy[{i}]" for i in payload]
    assert [rule.name for rule in decision.rules] == [
        "" if i is None else f"policy[{i}]" for i in may_decide
    ]


def test_a_policy_without_late_rules_decides_at_once() -> None:
    policy = parse_policy({"policy": [{"path": "/a", "level": "none"}, {"level": "payload"}]})
    assert [rule.level for rule in policy.decide("GET", "/a").rules] == ["none"]
    assert [rule.level for rule in policy.decide("GET", "/b").rules] == ["payload"]


def test_decisions_of_many_paths_stay_right() -> None:
    policy = parse_policy({"policy": [{"path": "/a/**", "level": "none"}]})
    for i in range(5_000):
        assert policy.level("GET", f"/a/{i}") == "none"
    assert policy.level("GET", "/a/" + "x" * 100_000) == "none"
    assert policy.level("GET", "/b/" + "x" * 100_000) == "meta"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[policy]]\npath = '/x'\nlevle = 'none'\n", r"flowaudit\.toml: policy\[0\]\.levle"),
        ("[[policy]]\npath = '/x'\nlevel = 'some'\n", "level"),
        ("[[policy]]\npath = '/x'\n", r"policy\[0\]\.level"),
        (
            "[[policy]]\nlevel='none'\n[[policy]]\npath = 'x'\nlevel = 'none'\n",
            r"policy\[1\]\.path",
        ),
        ("[[policy]]\npath = '/***'\nlevel = 'none'\n", r"policy\[0\]\.path"),
        ("[[policy]]\nroute = '***'\nlevel = 'none'\n", r"policy\[0\]\.route"),
        ("[[policy]]\nroute = ''\nlevel = 'none'\n", r"policy\[0\]\.route"),
        ("[[policy]]\nresource = 7\nlevel = 'none'\n", r"policy\[0\]\.resource"),
        ("[[policy]]\nactor_kind = 'robot'\nlevel = 'none'\n", r"policy\[0\]\.actor_kind"),
        ("[[policy]]\nlevel = 'none'\nmethods = 'GET'\n", "methods"),
        ("[[policy]]\nlevel = 'none'\nmethods = ['G T']\n", "methods"),
        ("[[policy]]\nlevel = 'meta'\ndurability = 'hard'\n", r"policy\[0\]\.durability"),
        ("[[policy]]\nlevel = 'none'\ndurability = 'strict'\n", "nothing is kept"),
        (
            "[[policy]]\nlevel='meta'\nroute='/a'\ndurability='relaxed'\n",
            "before the handler runs",
        ),
        ("[[policy]]\nlevel = 'none'\nreason = ''\n", r"policy\[0\]\.reason"),
        ("[[policy]]\nlevel = 'none'\nreason = 7\n", r"policy\[0\]\.reason"),
        ("[[policy]]\nlevel = 'meta'\nmax_bytes = 7\n", 'level = "payload"'),
        ("[[policy]]\nlevel = 'payload'\nrequest_json = ['id']\n", r"policy\[0\]\.request_json"),
        ("[reviw]\n", "reviw"),
        ("[review]\nscaners = []\n", "scaners"),
        ("[flows.book]\nsteps = []\n", "steps"),
        ("[flows.book]\nsteps = ['/a']\nttl = 5\n", "ttl"),
        ("policy = 3\n", "policy"),
        ("policy = [3]\n", r"policy\[0\]"),
        ("not toml", "policy"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "flowaudit.toml"
    file.write_text(text)
    with pytest.raises(SettingError, match=named):
        load_policy(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"none\.toml"):
        load_policy(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("named", "of_the_environment", "files", "expected"),
    [
        ("named", "env", ["named", "env", "flowaudit"], "named"),
        (None, "env", ["env", "flowaudit"], "env"),
        (None, None, ["flowaudit"], "flowaudit"),
        (None, None, [], None),
        ("named", None, ["flowaudit"], SettingError),
        (None, "env", ["flowaudit"], SettingError),
    ],
    ids=["named", "environment", "usual", "none", "named-missing", "environments-missing"],
)
def test_the_policy_in_force(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: str | None,
    of_the_environment: str | None,
    files: list[str],
    expected: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in files:
        (tmp_path / f"{name}.toml").write_text(f"[flowaudit]\nservice = '{name}'\n")
    if of_the_environment is not None:
        monkeypatch.setenv("FLOWAUDIT_POLICY", f"{of_the_environment}.toml")
    given = tmp_path / f"{named}.toml" if named is not None else None
    if expected is SettingError:
        with pytest.raises(SettingError):
            find_policy(given)
    else:
        assert find_policy(given).settings.get("service") == expected


def test_more_rules_than_the_trail_can_tell_are_refused() -> None:
    rules = [{"path": f"/{'x' * 150}/{i}", "level": "none"} for i in range(100)]
    with pytest.raises(SettingError, match="100 rules"):
        parse_policy({"policy": rules})


def test_declarations_are_handed_on() -> None:
    policy = parse_policy(
        {"review": {"scanners": ["10.0.0.0/8"]}, "flows": {"book": {"steps": ["/a", "/b"]}}}
    )
    assert policy.review["scanners"] == ["10.0.0.0/8"]
    assert policy.flows["book"]["steps"] == ["/a", "/b"]


def test_the_rules_in_force_are_told_as_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "flowaudit.toml"
    file.write_text(
        "[[policy]]\npath = '/static/**'\nmethods = ['get']\nlevel = 'none'\nreason = 'noise'\n"
        "[[policy]]\nroute = '/o/{id}'\nlevel = 'payload'\nrequest_json = ['/id']\n"
    )
    assert load_policy(file).told() == {
        "policy_sha256": sha256(file.read_bytes()).hexdigest(),
        "policy": [
            {"pattern": "/static/**", "methods": ["GET"], "level": "none", "reason": "noise"},
            {
                "pattern": "/**",
                "route": ["/o/{id}"],
                "level": "payload",
                "max_bytes": 65_536,
                "request_json": ["/id"],
            },
        ],
    }
    assert parse_policy({}).told() == {}
