"""Why FastAPI and Starlette refuse: security classes, exceptions, hosts, throttles."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowaudit import FlowAudit

pytest.importorskip("fastapi")

import fastapi
from fastapi import Depends, HTTPException, Request, WebSocket, WebSocketException
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBasic, HTTPBearer
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from .fastapi_app import Events, getter, ok, serve, told


class OldBearer(HTTPBearer):  # type: ignore[misc]
    """As FastAPI before 0.122, and as its documentation says how to keep it."""

    def make_not_authenticated_error(self) -> Any:
        return HTTPException(403, "Not authenticated")


async def to_sign_in(request: Request, exc: Exception) -> Any:
    return RedirectResponse("/sign-in", 302)


async def broken(request: Request, exc: Exception) -> Any:
    raise RuntimeError("the handler is broken")


async def swallowed(request: Request, exc: Exception) -> Any:
    return JSONResponse({}, 500)


async def bad_request(request: Request, exc: Exception) -> Any:
    return JSONResponse({}, 400)


def fail(error: BaseException) -> Callable[[], Any]:
    def view() -> None:
        raise error

    return view


REFUSALS: dict[str, tuple[Any, Any, Any, tuple[int, str, str]]] = {
    "bearer": (HTTPBearer(), None, None, (401, "denied", "login-required")),
    "bearer-before-0.122": (OldBearer(), None, None, (403, "denied", "login-required")),
    "basic": (HTTPBasic(), None, None, (401, "denied", "login-required")),
    "403": (fail(HTTPException(403, "not yours")), None, None, (403, "denied", "forbidden")),
    "401-redirected": (
        fail(HTTPException(401)),
        HTTPException,
        to_sign_in,
        (302, "denied", "login-required"),
    ),
    "403-behind-a-handler-that-fails": (
        fail(HTTPException(403)),
        HTTPException,
        broken,
        (500, "denied", "forbidden"),
    ),
    "403-made-500": (fail(HTTPException(403)), 403, swallowed, (500, "denied", "forbidden")),
    "permission-made-500": (
        fail(PermissionError()),
        PermissionError,
        swallowed,
        (500, "denied", "forbidden"),
    ),
    "permission": (fail(PermissionError()), None, None, (500, "denied", "forbidden")),
    "error-made-500": (fail(KeyError()), KeyError, swallowed, (500, "error", "KeyError")),
    "error": (fail(KeyError()), None, None, (500, "error", "KeyError")),
    "error-page": (fail(KeyError()), Exception, swallowed, (500, "error", "KeyError")),
    "500-told": (fail(HTTPException(500)), None, None, (500, "error", "status")),
    "validation": (lambda needed: None, None, None, (422, "invalid", "validation")),
    "validation-made-400": (
        lambda needed: None,
        RequestValidationError,
        bad_request,
        (400, "invalid", "validation"),
    ),
}


def with_needed(needed: int) -> None: ...


@pytest.mark.parametrize("is_outside", [False, True], ids=["inside", "wrapped-too"])
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal(audit: FlowAudit, events: Events, name: str, is_outside: bool) -> None:
    dependency, exception, handler, expected = REFUSALS[name]
    app = fastapi.FastAPI()
    dependency = with_needed if name.startswith("validation") else dependency
    app.get("/a", dependencies=[Depends(dependency)])(lambda: "a")
    if handler is not None:
        app.add_exception_handler(exception, handler)
    get = serve(app, audit)
    if is_outside:
        get = getter(audit.asgi(app))
    get("/a")
    audit.flush()
    assert told(events, "status", "outcome", "reason") == [expected]


async def closing(websocket: WebSocket) -> None:
    await websocket.accept()
    raise WebSocketException(4403)


async def refusing_late(websocket: WebSocket) -> None:
    await websocket.accept()
    raise HTTPException(403)


async def reading(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.receive_text()


async def tasks_reading(websocket: WebSocket) -> None:
    await websocket.accept()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(websocket.receive_text())


@pytest.mark.parametrize(
    ("view", "dependency", "expected"),
    [
        pytest.param(reading, with_needed, (403, "invalid", "validation"), id="validation"),
        pytest.param(
            reading, fail(HTTPException(403)), (403, "denied", "forbidden"), id="403-before"
        ),
        pytest.param(
            reading, fail(HTTPException(401)), (401, "denied", "login-required"), id="401-before"
        ),
        pytest.param(
            reading,
            fail(WebSocketException(4401)),
            (403, "denied", "login-required"),
            id="4401-before",
        ),
        pytest.param(
            reading, fail(PermissionError()), (500, "denied", "forbidden"), id="permission"
        ),
        pytest.param(closing, None, (None, "denied", "forbidden"), id="4403-after"),
        pytest.param(refusing_late, None, (None, "denied", "forbidden"), id="403-after"),
        pytest.param(reading, None, (None, "ok", None), id="client-left"),
        pytest.param(tasks_reading, None, (None, "ok", None), id="client-left-in-a-task"),
    ],
)
def test_how_a_websocket_ends(
    audit: FlowAudit,
    events: Events,
    view: Any,
    dependency: Any,
    expected: tuple[int | None, str, str | None],
) -> None:
    app = fastapi.FastAPI()
    needs = [Depends(dependency)] if dependency is not None else []
    app.websocket("/ws", dependencies=needs)(view)
    serve(app, audit)("/ws", is_socket=True)
    audit.flush()
    assert told(events, "status", "outcome", "reason")[-1] == expected
    assert [action for (action,) in told(events, "action")] == (
        ["refuse"] if dependency else ["accept", "close"]
    )
    assert audit.counters["capture_failed"] == 0


@pytest.mark.parametrize(
    ("host", "path", "status", "reason"),
    [
        pytest.param("good.example", "/a", 200, None, id="named"),
        pytest.param("good.example:8000", "/a", 200, None, id="with-port"),
        pytest.param("a.wild.example", "/a", 200, None, id="wildcard"),
        pytest.param("evil.example", "/a", 400, "bad-host", id="other"),
        pytest.param("good.example", "/bad", 400, "bad-request", id="a-400-of-the-apps-own"),
    ],
)
def test_a_host_that_is_not_allowed(
    audit: FlowAudit, events: Events, host: str, path: str, status: int, reason: str | None
) -> None:
    async def bad(request: Any) -> Any:
        return PlainTextResponse("no", 400)

    app = Starlette(routes=[Route("/a", ok), Route("/bad", bad)])
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["good.example", "*.wild.example"])
    serve(app, audit)(path, host=host)
    audit.flush()
    assert told(events, "status", "reason") == [(status, reason)]


def test_a_throttle(audit: FlowAudit, events: Events) -> None:
    slowapi = pytest.importorskip("slowapi")
    app = fastapi.FastAPI()
    limiter = slowapi.Limiter(key_func=lambda: "all")
    app.state.limiter = limiter
    app.add_exception_handler(
        slowapi.errors.RateLimitExceeded, slowapi._rate_limit_exceeded_handler
    )

    @app.get("/a")
    @limiter.limit("1/hour")
    def view(request: Request) -> str:
        return "a"

    get = serve(app, audit)
    assert [get("/a").status for _ in range(2)] == [200, 429]
    audit.flush()
    assert told(events, "outcome", "reason") == [("ok", None), ("throttled", "rate-limit")]
