"""Who Starlette's authentication lets in, and the option `actor`."""

from typing import Any

import pytest

from flowaudit import Actor, FlowAudit
from flowaudit.vault.tokens import Vault

pytest.importorskip("fastapi")

from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    SimpleUser,
    requires,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import Route, WebSocketRoute

from .fastapi_app import Events, Get, ok, serve, told


class Backend(AuthenticationBackend):
    async def authenticate(self, conn: Any) -> Any:
        token = conn.headers.get("authorization", "")
        if token == "bad":
            raise AuthenticationError("no such token")
        if not token:
            return None
        return AuthCredentials(["authenticated", *token.split()]), SimpleUser("ann")


async def socket_ok(websocket: Any) -> None:
    await websocket.accept()
    await websocket.close()


@pytest.fixture
def protected(audit: FlowAudit) -> Get:
    """A Starlette app whose parts need a scope."""
    app = Starlette(
        routes=[
            Route("/open", ok),
            Route("/sign-in", ok, name="sign-in"),
            Route("/admin", requires("admin")(ok)),
            Route("/admin-404", requires("admin", status_code=404)(ok)),
            Route("/admin-redirect", requires("admin", redirect="sign-in")(ok)),
            WebSocketRoute("/ws", requires("admin")(socket_ok)),
        ]
    )
    app.add_middleware(AuthenticationMiddleware, backend=Backend())
    return serve(app, audit)


@pytest.mark.parametrize(
    ("path", "token", "expected"),
    [
        pytest.param("/open", "admin", (200, "ok", None, ["admin"]), id="roles"),
        pytest.param("/open", "", (200, "ok", None, None), id="nobody"),
        pytest.param("/open", "bad", (400, "denied", "bad-credentials", None), id="bad"),
        pytest.param("/admin", "clerk", (403, "denied", "forbidden", ["clerk"]), id="requires"),
        pytest.param(
            "/admin-404", "clerk", (404, "missing", "not-found", ["clerk"]), id="requires-404"
        ),
        pytest.param(
            "/admin-redirect?a=1",
            "clerk",
            (303, "denied", "login-required", ["clerk"]),
            id="requires-redirect",
        ),
    ],
)
def test_scopes_are_roles_and_requires_is_a_refusal(
    protected: Get,
    audit: FlowAudit,
    events: Events,
    path: str,
    token: str,
    expected: tuple[Any, ...],
) -> None:
    protected(path, **({"authorization": token} if token else {}))
    audit.flush()
    assert told(events, "status", "outcome", "reason", "roles") == [expected]


@pytest.mark.parametrize(
    ("path", "token", "reason"),
    [
        pytest.param("/ws", "clerk", "forbidden", id="requires"),
        pytest.param("/ws", "bad", "bad-credentials", id="closed-1000-before-accept"),
        pytest.param("/nothing", "admin", "forbidden", id="no-such-route"),
    ],
)
def test_a_websocket_that_is_refused(
    protected: Get, audit: FlowAudit, events: Events, path: str, token: str, reason: str
) -> None:
    assert not protected(path, is_socket=True, authorization=token).is_accepted
    audit.flush()
    assert told(events, "action", "outcome", "reason") == [("refuse", "denied", reason)]


def test_the_actor_option_is_given_the_connection(audit: FlowAudit, events: Events) -> None:
    app = Starlette(routes=[Route("/items/{id:int}", ok)])
    get = serve(
        app, audit, actor=lambda request: Actor(f"user:{request.headers['x-who']}", ["nurse"])
    )
    get("/items/3", x_who="5")
    get("/items/3")  # the function fails
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert told(events, "actor", "roles", "route", "resource", "resource_id") == [
            (vault.find("user:5"), ["nurse"], "/items/{id}", "items", "3"),
            (None, None, "/items/{id}", "items", "3"),
        ]
    assert audit.counters["capture_failed"] == 1
