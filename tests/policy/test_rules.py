"""The policy file: first match wins, and what is unknown is refused by name."""

from pathlib import Path

import pytest

from flowaudit.errors import SettingError
from flowaudit.policy.rules import load_policy, parse_policy


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


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[policy]]\npath = '/x'\nlevle = 'none'\n", "levle"),
        ("[[policy]]\npath = '/x'\nlevel = 'some'\n", "level"),
        ("[[policy]]\npath = 'x'\nlevel = 'none'\n", "path"),
        ("[[policy]]\nlevel = 'none'\nmethods = 'GET'\n", "methods"),
        ("[reviw]\n", "reviw"),
        ("[review]\nscaners = []\n", "scaners"),
        ("[flows.book]\nsteps = []\n", "steps"),
        ("[flows.book]\nsteps = ['/a']\nttl = 5\n", "ttl"),
        ("policy = 3\n", "policy"),
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


def test_declarations_are_handed_on() -> None:
    policy = parse_policy(
        {"review": {"scanners": ["10.0.0.0/8"]}, "flows": {"book": {"steps": ["/a", "/b"]}}}
    )
    assert policy.review["scanners"] == ["10.0.0.0/8"]
    assert policy.flows["book"]["steps"] == ["/a", "/b"]
