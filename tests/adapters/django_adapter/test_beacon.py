"""The beacon under Django: answered by the middleware, alone or with a wrapper outside."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from flowaudit import FlowAudit
from flowaudit.testing import recorded_events

from ..django_project import MIDDLEWARE, fresh_audit
from .browser import KINDS, Browser

SAME = {"sec-fetch-site": "same-origin", "content-type": "text/plain;charset=UTF-8"}
VIEW = b'{"view": "/products/7"}'
CLICK = b'{"click": "add-to-cart", "path": "/products/7"}'
OWN = {"route": "/_flow", "path": "/_flow"}
BEACON = "flowaudit-beacon"

TOLD: dict[str, tuple[str, str, dict[str, str], bytes, int, dict[str, Any]]] = {
    "view": (
        "POST",
        "/_flow",
        SAME,
        VIEW,
        204,
        {
            "method": "GET",
            "status": 200,
            "outcome": "ok",
            "path": "/products/7",
            "nav": "page",
            "resource": BEACON,
            "route": None,
        },
    ),
    "click": (
        "POST",
        "/_flow",
        SAME,
        CLICK,
        204,
        {"status": 204, "route": "click:add-to-cart", "path": "/products/7", "resource": BEACON},
    ),
    "script": ("GET", "/_flow.js", {}, b"", 200, {"status": 200, "route": "/_flow.js"}),
    "bad": (
        *("POST", "/_flow", SAME, b"{", 400),
        {"status": 400, "outcome": "invalid", "reason": "bad-request", "resource": None, **OWN},
    ),
    "too-large": (
        *("POST", "/_flow", SAME, VIEW + b" " * 3_000, 400),
        {"status": 400, "outcome": "invalid", **OWN},
    ),
    "foreign": (
        *("POST", "/_flow", {**SAME, "sec-fetch-site": "cross-site"}, VIEW, 403),
        {"status": 403, "outcome": "denied", "reason": "origin", **OWN},
    ),
    "method": (
        *("GET", "/_flow", {}, b"", 405),
        {"status": 405, "outcome": "denied", "reason": "method", **OWN},
    ),
    "another-path": ("GET", "/_flow/", {}, b"", 404, {"status": 404, "outcome": "missing"}),
}


@pytest.fixture
def with_beacon(audit: FlowAudit, make_audit: Callable[..., FlowAudit]) -> FlowAudit:
    """An audit that the project uses, with the beacon on."""
    audit.close()
    own = make_audit(beacon="/_flow")
    fresh_audit(own)
    return own


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TOLD)
def test_it_is_answered_and_told_as_under_a_wrapper(
    with_beacon: FlowAudit, kind: str, name: str
) -> None:
    method, target, headers, body, status, expected = TOLD[name]
    browser = Browser(with_beacon, kind)
    answer = browser.ask(method, target, headers=headers, content=body)
    assert answer.status_code == status
    [event] = browser.events()
    assert {key: event.get(key) for key in expected} == expected
    assert with_beacon.counters["capture_failed"] == 0
    if name == "script":
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert b"sendBeacon" in answer.content
        assert event["bytes_out"] == len(answer.content)
    elif name == "view":
        assert not {"content-type", "set-cookie", "vary"} & set(answer.headers)


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_what_it_tells_is_of_djangos_session(with_beacon: FlowAudit, kind: str) -> None:
    browser = Browser(with_beacon, kind)
    browser.sign_in("amy")
    browser.get("/login-required")
    answer = browser.post("/_flow", content=VIEW, headers=SAME)
    assert answer.status_code == 204
    page, told = browser.events("request")[-2:]
    assert told["path"] == "/products/7"
    assert told["session"] == page["session"]


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_nothing_of_the_project_stands_before_it(with_beacon: FlowAudit, kind: str) -> None:
    def actor(request: Any) -> str:
        return f"user:{request.user.pk}"

    security = "django.middleware.security.SecurityMiddleware"
    with override_settings(
        MIDDLEWARE=[MIDDLEWARE[0], security, *MIDDLEWARE[1:]],
        SECURE_SSL_REDIRECT=True,
        FLOWAUDIT={"audit": with_beacon, "actor": actor},
    ):
        browser = Browser(with_beacon, kind)
        assert browser.post("/_flow", content=VIEW, headers=SAME).status_code == 204
        assert browser.get("/open").status_code == 301
    assert [event["path"] for event in browser.events()] == ["/products/7", "/open"]


@pytest.mark.parametrize("kind", ["wrapped-wsgi", "wrapped-asgi"])
@pytest.mark.parametrize("is_same_trail", [True, False], ids=["same-trail", "other-trail"])
def test_a_wrapper_without_it_records_what_it_becomes(
    audit: FlowAudit,
    make_audit: Callable[..., FlowAudit],
    tmp_path: Any,
    kind: str,
    is_same_trail: bool,
) -> None:
    trail = audit.paths.trail if is_same_trail else tmp_path / "inner.db"
    inner = FlowAudit(trail=trail, beacon="/_flow")
    fresh_audit(inner)
    browser = Browser(audit, kind)
    assert browser.post("/_flow", content=VIEW, headers=SAME).status_code == 204
    inner.close()
    for each in {audit, inner} if not is_same_trail else {audit}:
        [event] = recorded_events(each)
        assert (event["method"], event["status"], event["path"]) == ("GET", 200, "/products/7")
        assert event["resource"] == BEACON


def test_it_is_off_unless_it_is_asked_for(browser: Browser) -> None:
    assert browser.get("/_flow.js").status_code == 404
    assert browser.last()["outcome"] == "missing"
