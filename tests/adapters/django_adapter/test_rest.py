"""What Django REST framework says no with, and who acts when it found the user."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rest_framework")

from django.test import override_settings

from .browser import Browser

Open = Callable[[], Browser]


def basic(password: str) -> dict[str, Any]:
    return {"auth": ("amy", password)}


def token(key: str) -> dict[str, Any]:
    return {"headers": {"authorization": f"Token {key}"}}


REFUSALS: dict[str, tuple[str, str, dict[str, Any], tuple[int, str, str | None]]] = {
    "no-credentials-401": ("GET", "basic", {}, (401, "denied", "login-required")),
    "no-credentials-403": ("GET", "session", {}, (403, "denied", "login-required")),
    "wrong-password": ("GET", "basic", basic("no"), (401, "denied", "bad-credentials")),
    "wrong-token": ("GET", "token", token("none"), (401, "denied", "bad-credentials")),
    "expired-token": ("GET", "expired", {}, (401, "denied", "bad-credentials")),
    "right-password": ("GET", "basic", basic("pw"), (200, "ok", None)),
    "permission": ("GET", "staff", token("amy"), (403, "denied", "forbidden")),
    "validation": (
        "POST",
        "validated",
        {"json": {"number": "x"}},
        (400, "invalid", "validation"),
    ),
    "valid": ("POST", "validated", {"json": {"number": 1}}, (200, "ok", None)),
    "parse-error": (
        "POST",
        "validated",
        {"content": b"{", "headers": {"content-type": "application/json"}},
        (400, "invalid", "bad-request"),
    ),
    "media-type": (
        "POST",
        "validated",
        {"content": b"<", "headers": {"content-type": "text/xml"}},
        (415, "invalid", "bad-request"),
    ),
    "method": ("DELETE", "validated", {}, (405, "denied", "method")),
    "not-found": ("GET", "users/0/", {}, (404, "missing", "not-found")),
}


@pytest.fixture
def keys(project: None, key_of: Callable[[str], Any]) -> None:
    from rest_framework.authtoken.models import Token

    for name in ("amy", "bea"):
        Token.objects.get_or_create(user_id=key_of(name), defaults={"key": name})


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_told_with_its_reason(browser: Browser, keys: None, name: str) -> None:
    method, target, options, expected = REFUSALS[name]
    assert browser.ask(method, f"/api/{target}", **options).status_code == expected[0]
    event = browser.last()
    assert (event["status"], event["outcome"], event.get("reason")) == expected


def test_a_throttled_request(browser: Browser) -> None:
    assert [browser.get("/api/throttled").status_code for _ in range(2)] == [200, 429]
    assert [event["outcome"] for event in browser.events()] == ["ok", "throttled"]


@pytest.mark.parametrize("origin", ["", "https://evil.example"], ids=["csrf", "origin"])
def test_the_csrf_check_of_session_authentication(browser: Browser, origin: str) -> None:
    browser.sign_in("amy")
    headers = {"origin": origin} if origin else {}
    assert browser.post("/api/session", headers=headers).status_code == 403
    assert browser.last()["reason"] == ("origin" if origin else "csrf")


def plain_codes(error: Any, context: Any) -> Any:
    """An exception handler that reshapes what the framework says."""
    from rest_framework.views import exception_handler

    response = exception_handler(error, context)
    response.data = {"problem": "no"}
    return response


@pytest.mark.parametrize(
    ("target", "expected"),
    [("basic", "login-required"), ("throttled", "rate-limit"), ("session", "forbidden")],
)
def test_a_reshaped_answer_is_judged_by_its_status(
    open_browser: Open, target: str, expected: str
) -> None:
    from rest_framework.settings import api_settings

    with override_settings(REST_FRAMEWORK={"EXCEPTION_HANDLER": f"{__name__}.plain_codes"}):
        browser = open_browser()
        browser.get("/api/throttled")
        browser.get(f"/api/{target}")
    api_settings.reload()
    assert browser.last()["reason"] == expected


def test_the_user_of_a_token_acts(
    browser: Browser, keys: None, key_of: Callable[[str], Any]
) -> None:
    browser.get("/api/token", **token("bea"))
    event = browser.last()
    assert event["actor"] == browser.who(f"user:{key_of('bea')}")
    assert event["roles"] == ["staff"]


def test_a_routers_regular_expression_is_a_template_and_names_the_resource(
    browser: Browser, key_of: Callable[[str], Any]
) -> None:
    key = key_of("amy")
    assert browser.get(f"/api/users/{key}/").status_code == 200
    event = browser.last()
    assert event["route"] == "/api/users/{pk}/"
    assert (event["resource"], event["resource_id"]) == ("users", str(key))
