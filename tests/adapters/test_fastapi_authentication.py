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
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

from flowaudit_fastapi import FlowAuditMiddleware

from .fastapi_app import Events, Get, getter, ok, serve, told


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


class Around(BaseHTTPMiddleware):
    """Runs what is inside in a task of its own; may refuse by itself."""

    async def dispatch(self, request: Any, call_next: Any) -> Any:
        if request.url.path == "/no":
            return PlainTextResponse("no", 400)
        return await call_next(request)


AROUND = {
    "nothing": [],
    "base": [Middleware(Around)],
    "base-twice": [Middleware(Around), Middleware(Around)],
    "gzip": [Middleware(GZipMiddleware)],
    "session": [Middleware(SessionMiddleware, secret_key="only for tests")],
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("on_error", [None, lambda conn, error: PlainTextResponse("no", 401)])
@pytest.mark.parametrize("outer", [False, True], ids=["alone", "with-a-wrapper-outside"])
def test_refused_credentials_are_known_whatever_stands_around(
    audit: FlowAudit, events: Events, around: list[Any], on_error: Any, outer: bool
) -> None:
    inner = Middleware(AuthenticationMiddleware, backend=Backend(), on_error=on_error)
    app = Starlette(routes=[Route("/a", ok)], middleware=[*around, inner])
    app.add_middleware(FlowAuditMiddleware, audit=audit)
    get = getter(audit.asgi(app) if outer else app)
    assert get("/a", authorization="bad").status == (401 if on_error else 400)
    get("/a", authorization="clerk")
    get("/no")
    audit.flush()
    is_own = any(each.cls is Around for each in around)
    assert told(events, "status", "outcome", "reason") == [
        (401 if on_error else 400, "denied", "bad-credentials"),
        (200, "ok", None),
        (400, "invalid", "bad-request") if is_own else (404, "missing", "not-found"),
    ]


def test_refused_credentials_of_an_app_that_is_wrapped_whole(
    audit: FlowAudit, events: Events
) -> None:
    """Its middlewares are made at its first request."""
    around = [Middleware(Around), Middleware(AuthenticationMiddleware, backend=Backend())]
    app = Starlette(routes=[Route("/a", ok)], middleware=around)
    get = getter(FlowAuditMiddleware(app, audit=audit))
    for token in ("clerk", "bad"):
        get("/a", authorization=token)
    audit.flush()
    assert told(events, "reason") == [(None,), ("bad-credentials",)]


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
