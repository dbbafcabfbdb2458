"""What only Flask has: its session, its extensions, its exceptions."""

from collections.abc import Callable
from typing import Any

import pytest

from flowaudit import FlowAudit

flask = pytest.importorskip("flask")

Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def app(audit: FlowAudit) -> Any:
    from flowaudit_flask import FlowAuditFlask

    app = flask.Flask("test")
    app.secret_key = "only for tests"
    app.logger.disabled = True
    extension = FlowAuditFlask(audit=audit)

    @app.get("/plain")
    def plain() -> str:
        return "x"

    @app.get("/remember/<path:what>")
    def remember(what: str) -> str:
        import flowaudit

        flask.session["what"] = what
        flowaudit.identify("user:1")
        return "x"

    @app.get("/basic-auth/<user>/<passwd>")
    def basic(user: str, passwd: str) -> str:
        return "x"

    @app.get("/permission")
    def permission() -> str:
        raise PermissionError

    extension.init_app(app)
    return app


def test_the_session_is_not_looked_at(app: Any, audit: FlowAudit, events: Events) -> None:
    client = app.test_client()
    client.get("/remember/a")
    response = client.get("/plain")
    assert "Cookie" not in response.headers.get("Vary", "")
    assert "Set-Cookie" not in response.headers
    client.get("/remember/a")
    audit.flush()
    first, anonymous, second = events()
    assert "session" not in first
    assert "session" not in anonymous
    assert len(second["session"]) == 32


def test_the_route_of_a_converter(app: Any, audit: FlowAudit, events: Events) -> None:
    app.test_client().get("/remember/a/b")
    audit.flush()
    assert [event["route"] for event in events()] == ["/remember/{what}"]


def test_a_parameter_that_is_called_a_secret_is_masked(
    app: Any, audit: FlowAudit, events: Events
) -> None:
    app.test_client().get("/basic-auth/ann/pw")
    audit.flush()
    (event,) = events()
    assert event["path"] == "/basic-auth/ann/[masked:value]"
    assert (event["resource"], event["resource_id"]) == ("basic-auth", "[masked:value]")


def test_a_permission_exception_behind_a_500_is_a_refusal(
    app: Any, audit: FlowAudit, events: Events
) -> None:
    assert app.test_client().get("/permission").status_code == 500
    audit.flush()
    assert [(e["status"], e["outcome"], e["reason"]) for e in events()] == [
        (500, "denied", "forbidden")
    ]


def test_the_extension_is_found_where_flask_keeps_them(app: Any) -> None:
    assert "flowaudit" in app.extensions
