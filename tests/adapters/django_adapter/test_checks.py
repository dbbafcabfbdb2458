"""Django's system checks: what is wrong or unwise in a project is told before it serves anybody."""

from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from flowaudit import FlowAudit

from ..django_project import MIDDLEWARE

ROOT = Path(__file__).parents[3]
OURS = MIDDLEWARE[0]


def ids(found: list[Any]) -> list[str]:
    return [message.id.removeprefix("flowaudit.") for message in found]


@pytest.fixture
def check(project: None, tmp_path: Path) -> Any:
    """Runs the checks under some settings, all else as it should be."""
    from flowaudit_django.checks import check_project

    def run(**settings: Any) -> list[Any]:
        flowaudit = {"trail": tmp_path / "t.db", **settings.pop("FLOWAUDIT", {})}
        given = {"FLOWAUDIT": flowaudit, "LOGIN_URL": "/open", **settings}
        with override_settings(ROOT_URLCONF=f"{__package__}.site", **given):
            return check_project(None)

    return run


CHECKS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all-is-well": ({}, []),
    "unknown-setting": ({"FLOWAUDIT": {"tail": "x"}}, ["E001"]),
    "wrong-value": ({"FLOWAUDIT": {"group_ms": "soon"}}, ["E001"]),
    "actor-missing": ({"FLOWAUDIT": {"actor": "no.such.function"}}, ["E001"]),
    "actor-no-function": ({"FLOWAUDIT": {"actor": 7}}, ["E001"]),
    "no-middleware": ({"MIDDLEWARE": MIDDLEWARE[1:]}, ["W001"]),
    "not-first": ({"MIDDLEWARE": [*MIDDLEWARE[1:3], OURS]}, ["W002"]),
    "twice": ({"MIDDLEWARE": [OURS, *MIDDLEWARE]}, ["W003"]),
    "by-its-other-name": ({"MIDDLEWARE": ["flowaudit_django.middleware.FlowAuditMiddleware"]}, []),
    "relative-trail": ({"FLOWAUDIT": {"trail": "flowaudit.db"}}, ["W004"]),
    "proxy": ({"USE_X_FORWARDED_HOST": True}, ["W005"]),
    "proxy-declared": (
        {"USE_X_FORWARDED_HOST": True, "FLOWAUDIT": {"trusted_proxies": 1}},
        [],
    ),
    "proxy-ssl": ({"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}, ["W005"]),
    "login-name": ({"LOGIN_URL": "login"}, []),
    "login-no-name": ({"LOGIN_URL": "no-such-name"}, ["W006"]),
    "login-no-path": ({"LOGIN_URL": "/no/such/path"}, ["W006"]),
    "login-elsewhere": ({"LOGIN_URL": "https://sso.example/in"}, []),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_tells(check: Any, name: str) -> None:
    settings, expected = CHECKS[name]
    assert ids(check(**settings)) == expected


def test_a_wrong_setting_is_told_in_its_own_words(check: Any) -> None:
    [error] = check(FLOWAUDIT={"group_ms": "soon"})
    assert "'group_ms' is 'soon'; expected a whole number from 1 to 10000" in error.msg


@pytest.mark.parametrize("setting", ["STATIC_ROOT", "MEDIA_ROOT"])
@pytest.mark.parametrize("name", ["trail", "vault", "key", "spool"])
def test_files_that_anybody_may_download(
    check: Any, tmp_path: Path, setting: str, name: str
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    found = check(**{setting: served, "FLOWAUDIT": {name: served / "x"}})
    assert {message.id for message in found} == {"flowaudit.E002"}
    assert any(f"The {name} " in message.msg for message in found)


@pytest.mark.parametrize("value", [None, ["trail"], "flowaudit.db"])
def test_flowaudit_is_a_dictionary_or_an_audit(project: None, value: object) -> None:
    from flowaudit_django.checks import check_project

    with override_settings(FLOWAUDIT=value):
        assert ids(check_project(None))[0] == "E001"


def test_nothing_is_said_where_the_project_says_nothing(
    project: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    from flowaudit_django.checks import check_project

    monkeypatch.chdir(tmp_path)
    with override_settings():
        del settings.FLOWAUDIT
        assert ids(check_project(None))[0] == "W004"
    assert list(tmp_path.iterdir()) == []


def test_an_audit_of_the_projects_own_is_taken(project: None, audit: FlowAudit) -> None:
    from flowaudit_django.checks import check_project

    with override_settings(FLOWAUDIT={"audit": audit, "service": "x"}):
        assert ids(check_project(None)) == ["E001"]
    with override_settings(FLOWAUDIT={"audit": audit}, LOGIN_URL="/open"):
        assert check_project(None) == []


def test_every_check_has_its_line_in_the_docs() -> None:
    import re

    code = (ROOT / "adapters/flowaudit_django/checks.py").read_text("utf-8")
    page = (ROOT / "docs/django.md").read_text("utf-8")
    numbers = set(re.findall(r'"([EW]\d{3})"', code))
    assert len(numbers) == 8
    for number in numbers:
        assert f"| `flowaudit.{number}` |" in page
