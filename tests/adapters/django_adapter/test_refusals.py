"""How Django says no: every way gives one outcome and reason, whatever its status."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from flowaudit import FlowAudit
from flowaudit.testing import recorded_events

from ..django_project import MIDDLEWARE
from .browser import Browser

Open = Callable[[], Browser]
LOGIN = "/accounts/login/"
MESSAGE = {"number": "one"}

# who asks (None: nobody has signed in), how, and what the event says
REFUSALS: dict[str, tuple[str | None, str, str, dict[str, Any], tuple[int, str, str | None]]] = {
    "login_required": (None, "GET", "/login-required", {}, (302, "denied", "login-required")),
    "login_required-passed": ("amy", "GET", "/login-required", {}, (200, "ok", None)),
    "login_required-elsewhere": (None, "GET", "/elsewhere", {}, (302, "ok", None)),
    "user_passes_test": ("amy", "GET", "/tested", {}, (302, "denied", "login-required")),
    "permission_required": ("amy", "GET", "/permission", {}, (302, "denied", "login-required")),
    "permission_required-403": ("amy", "GET", "/permission-403", {}, (403, "denied", "forbidden")),
    "permission_required-passed": ("root", "GET", "/permission-403", {}, (200, "ok", None)),
    "mixin-anonymous": (None, "GET", "/mixin", {}, (302, "denied", "login-required")),
    "mixin-signed-in": ("amy", "GET", "/permission-mixin", {}, (403, "denied", "forbidden")),
    "admin-anonymous": (None, "GET", "/admin/", {}, (302, "denied", "login-required")),
    "admin-not-staff": ("amy", "GET", "/admin/", {}, (302, "denied", "login-required")),
    "admin-no-permission": ("bea", "GET", "/admin/auth/user/", {}, (403, "denied", "forbidden")),
    "redirect-by-hand": (None, "GET", "/by-hand", {}, (302, "denied", "login-required")),
    "sign-up-leads-to-sign-in": (None, "POST", "/sign-up", {}, (302, "ok", None)),
    "sign-out-leads-to-sign-in": ("amy", "POST", "/sign-out", {}, (302, "ok", None)),
    "within-sign-in": (None, "GET", "/accounts/login/again", {}, (302, "ok", None)),
    "sign-in-page": (None, "GET", LOGIN, {}, (200, "ok", None)),
    "wrong-password": (
        None,
        "POST",
        "/sign-in",
        {"data": {"name": "amy", "pw": "no"}},
        (200, "denied", "bad-credentials"),
    ),
    "PermissionDenied": (None, "GET", "/forbidden", {}, (403, "denied", "forbidden")),
    "permission-behind-a-500": (None, "GET", "/broken", {}, (500, "denied", "forbidden")),
    "told-by-the-app": (None, "GET", "/told", {}, (403, "denied", "not-my-patient")),
    "told-behind-a-200": (None, "GET", "/graph", {}, (200, "denied", "forbidden")),
    "hidden": (None, "GET", "/hidden", {}, (404, "hidden", "hidden")),
    "csrf": (None, "POST", "/checked-form", {}, (403, "denied", "csrf")),
    "origin": (
        None,
        "POST",
        "/checked-form",
        {"headers": {"origin": "https://evil.example"}},
        (403, "denied", "origin"),
    ),
    "bad-host": (
        None,
        "GET",
        "/open",
        {"headers": {"host": "evil.example"}},
        (400, "denied", "bad-host"),
    ),
    "method": (None, "GET", "/post-only", {}, (405, "denied", "method")),
    "too-large": (None, "POST", "/upload", {"content": b"x" * 200}, (400, "invalid", "too-large")),
    "too-many-fields": (
        None,
        "POST",
        "/form",
        {"data": {str(n): "" for n in range(9)}},
        (400, "invalid", "too-large"),
    ),
    "suspicious": (None, "GET", "/suspicious", {}, (400, "invalid", "bad-request")),
    "unauthorised": (None, "GET", "/status/401", {}, (401, "denied", "login-required")),
    "locked": (None, "GET", "/status/423", {}, (423, "denied", "locked")),
    "throttled": (None, "GET", "/status/429", {}, (429, "throttled", "rate-limit")),
    "invalid": (None, "GET", "/status/422", {}, (422, "invalid", "validation")),
    "gone": (None, "GET", "/status/410", {}, (410, "missing", "not-found")),
    "not-implemented": (None, "GET", "/status/501", {}, (501, "denied", "method")),
    "unavailable": (None, "GET", "/status/503", {}, (503, "error", "status")),
    "missing": (None, "GET", "/nothing/here", {}, (404, "missing", "not-found")),
    "crash": (None, "GET", "/boom", {}, (500, "error", "RuntimeError")),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_told_with_its_reason(open_browser: Open, name: str) -> None:
    who, method, target, options, expected = REFUSALS[name]
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100, DATA_UPLOAD_MAX_NUMBER_FIELDS=5):
        browser = open_browser()
        if who is not None:
            browser.sign_in(who)
        assert browser.ask(method, target, **options).status_code == expected[0]
    event = browser.last()
    assert (event["status"], event["outcome"], event.get("reason")) == expected


def test_a_sign_in_page_of_another_site_is_one_if_it_is_the_login_url(open_browser: Open) -> None:
    with override_settings(LOGIN_URL="https://sso.example/in"):
        browser = open_browser()
        assert browser.get("/elsewhere").status_code == 302
    assert browser.last()["reason"] == "login-required"


def test_a_middleware_that_wants_everybody_signed_in(open_browser: Open) -> None:
    pytest.importorskip("django", minversion="5.1")
    required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    with override_settings(MIDDLEWARE=[*MIDDLEWARE, required]):
        browser = open_browser()
        assert browser.post("/post-only").status_code == 302
    assert browser.last()["reason"] == "login-required"


def test_a_body_too_large_for_the_csrf_check_is_named(open_browser: Open) -> None:
    """No view is reached, no hook of a view is called: only the security log tells."""
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100):
        browser = open_browser()
        browser.get(LOGIN)  # it sets the CSRF cookie
        assert browser.post("/checked-form", data={"a": "x" * 200}).status_code == 400
    assert browser.last()["reason"] == "too-large"


@pytest.mark.parametrize("disables", [False, True], ids=["kept", "disabled"])
def test_refusals_are_named_when_logging_was_configured_anew(
    open_browser: Open, disables: bool
) -> None:
    """As `runserver` does: it sets Django up twice, which drops every handler."""
    import logging.config

    loggers = {"django.security.csrf": {"handlers": []}}
    config: dict[str, Any] = {"version": 1, "disable_existing_loggers": disables}
    browser = open_browser()
    logging.config.dictConfig(config if disables else {**config, "loggers": loggers})
    try:
        assert browser.post("/checked-form").status_code == 403
        assert browser.get("/open", headers={"host": "evil.example"}).status_code == 400
        assert browser.get("/forbidden").status_code == 403
    finally:
        for name in logging.root.manager.loggerDict:
            logging.getLogger(name).disabled = False
    assert [event["reason"] for event in browser.events()] == ["csrf", "bad-host", "forbidden"]


def test_the_projects_log_lines_go_where_they_went(open_browser: Open, caplog: Any) -> None:
    import logging

    assert open_browser().post("/checked-form").status_code == 403
    assert logging.getLogger("django.security.csrf").handlers == []
    assert any("CSRF" in line for line in caplog.messages)


def test_what_fails_before_djangos_middleware_is_seen_from_outside(audit: FlowAudit) -> None:
    app = audit.wsgi(WSGIHandler())
    transport = httpx.WSGITransport(app, script_name="/\xff")  # no UTF-8: no request for Django
    client = httpx.Client(transport=transport, base_url="http://testserver")
    with client, pytest.raises(UnicodeDecodeError):
        client.get("/open")
    [event] = recorded_events(audit)
    assert (event["outcome"], event["reason"]) == ("error", "UnicodeDecodeError")


@pytest.mark.parametrize("target", ["/limited", "/limited-by-view"])
def test_django_ratelimit_throttles(open_browser: Open, target: str) -> None:
    pytest.importorskip("django_ratelimit")
    browser = open_browser()
    assert browser.get(target).status_code == 200
    assert browser.get(target).status_code in (403, 429)
    first, second = browser.events("request")
    assert first["outcome"] == "ok"
    assert (second["outcome"], second["reason"]) == ("throttled", "rate-limit")


def test_django_axes_locks_out(open_browser: Open) -> None:
    axes = pytest.importorskip("axes.utils")
    with override_settings(
        AXES_ENABLED=True,
        AXES_FAILURE_LIMIT=2,
        AXES_LOCKOUT_PARAMETERS=["username"],
        AUTHENTICATION_BACKENDS=[
            "axes.backends.AxesStandaloneBackend",
            "django.contrib.auth.backends.ModelBackend",
        ],
        MIDDLEWARE=[*MIDDLEWARE, "axes.middleware.AxesMiddleware"],
    ):
        axes.reset()
        browser = open_browser()
        statuses = [browser.sign_in("amy", "no").status_code for _ in range(3)]
        statuses.append(browser.sign_in("amy").status_code)
        axes.reset()
    assert statuses == [200, 429, 429, 429]
    requests, failed = browser.events("request"), browser.events("auth")
    reasons = ["bad-credentials", "locked", "locked", "locked"]
    assert [(event["outcome"], event["reason"]) for event in requests] == [
        ("denied", reason) for reason in reasons
    ]
    assert [(event["action"], event["reason"]) for event in failed] == [
        ("login-failed", reason) for reason in reasons
    ]
    assert failed[0]["data"] == {"login_known": True}
