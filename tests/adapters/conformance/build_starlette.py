"""The app in Starlette: its authentication, hosts, mounts, files, websockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, requires
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.routing import Route as StarletteRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

import flowaudit
from flowaudit import FlowAudit
from flowaudit_fastapi import FlowAuditMiddleware

from .app import (
    LOGIN,
    PAUSE_S,
    ROUTES,
    SLOW_S,
    Ask,
    Barred,
    Raise,
    Reply,
    Route,
    Swallowed,
    roles_of_token,
)
from .build import Build
from .sessions import COOKIE, Sessions

__all__ = ["answer", "build", "refuse_form", "socket_routes", "swallowing", "view_of"]

STATIC = Path(__file__).parent / "static"
_ERRORS = {"not-found": 404, "forbidden": 403, "unauthenticated": 401}


def answer(reply: Reply | Raise) -> Response:
    """A reply as Starlette sends it; raises what is to be raised."""
    if isinstance(reply, Raise):
        if isinstance(reply.what, Exception):
            raise reply.what
        raise HTTPException(_ERRORS[reply.what])
    task = BackgroundTask(reply.later) if reply.later is not None else None
    if reply.stream is not None:
        return StreamingResponse(_blocks(reply), reply.status, reply.headers)
    return Response(reply.body, reply.status, reply.headers, background=task)


async def _blocks(reply: Reply) -> AsyncIterator[bytes]:
    for block in reply.stream or ():
        yield block
    if reply.fails:
        raise RuntimeError("boom")


def view_of(route: Route) -> Callable[[Request], Any]:
    """A route of the table as an endpoint."""

    async def view(request: Request) -> Response:
        ask = Ask(request.method, request.path_params, await request.body())
        if route.pause_s:
            await asyncio.sleep(route.pause_s)
        return answer(route.do(ask))

    return view


def refuse_form(request: Request) -> Response | None:
    """Starlette has no CSRF check of its own: the app says what it found."""
    if "x-csrf" not in request.headers:
        is_foreign = "origin" in request.headers
        flowaudit.deny("origin" if is_foreign else "csrf")
        return Response(b"no", 403)
    return None


class Backend(AuthenticationBackend):
    """People by session or bearer token."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    async def authenticate(self, conn: Any) -> Any:
        """Starlette's credentials and user."""
        token = roles_of_token(conn.headers.get("authorization", ""))
        if token is not None:
            name, roles = token
            return AuthCredentials(["authenticated", *roles]), SimpleUser(name)
        name = self.sessions.people.get(conn.cookies.get(COOKIE, "")) or ""
        return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None


async def broken(request: Request, error: Exception) -> Response:
    """A handler that fails while it answers."""
    raise RuntimeError("the handler is broken")


async def swallowing(request: Request, error: Exception) -> Response:
    """A handler that makes a refusal look like a fault."""
    return Response(b"no", 500)


def socket_routes() -> list[BaseRoute]:
    """The websockets, for Starlette and FastAPI."""

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        while (message := await socket.receive())["type"] == "websocket.receive":
            message["type"] = "websocket.send"
            await socket.send(message)

    def asked(socket: WebSocket) -> int:
        return int(socket.url.query.partition("=")[2])

    async def refuse(socket: WebSocket) -> None:
        await socket.close(asked(socket))

    async def told(socket: WebSocket) -> None:
        flowaudit.deny("not-yours")
        await socket.close()

    async def close(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(asked(socket))

    async def answered(socket: WebSocket) -> None:
        await socket.send_denial_response(Response(b"later", asked(socket)))

    async def slow(socket: WebSocket) -> None:
        await asyncio.sleep(SLOW_S)
        await socket.accept()
        await socket.receive()

    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.send_text("tick")
            await asyncio.sleep(PAUSE_S)

    async def silent(socket: WebSocket) -> None: ...

    async def crash_before(socket: WebSocket) -> None:
        raise RuntimeError("boom")

    async def crash(socket: WebSocket) -> None:
        await socket.accept()
        raise RuntimeError("boom")

    views = {
        "echo": echo,
        "refuse": refuse,
        "told": told,
        "close": close,
        "answer": answered,
        "slow": slow,
        "stream": stream,
        "silent": silent,
        "crash/before": crash_before,
        "crash": crash,
    }
    return [WebSocketRoute(f"/ws/{name}", view) for name, view in views.items()]


def _own_routes(sessions: Sessions) -> list[BaseRoute]:
    async def sign_in(request: Request) -> Response:
        return answer(sessions.sign_in(await request.body()))

    async def sign_out(request: Request) -> Response:
        return answer(sessions.sign_out(request.cookies.get(COOKIE)))

    async def cart(request: Request) -> Response:
        return answer(Reply(headers=sessions.begin(None)))

    async def mine(request: Request) -> Response:
        return Response(b"ok" if request.user.is_authenticated else b"who?")

    async def members(request: Request) -> Response:
        return Response(b"ok")

    async def form(request: Request) -> Response:
        await request.body()
        return refuse_form(request) or Response(b"ok")

    async def upload(request: Request) -> Response:
        async with request.form() as form:
            file: Any = form["file"]
            return Response(str(len(await file.read())).encode(), 201)

    async def item(request: Request) -> Response:
        return Response(b"ok")

    return [
        StarletteRoute("/sign-in", sign_in, methods=["POST"]),
        StarletteRoute("/sign-out", sign_out, methods=["POST"]),
        StarletteRoute("/cart", cart),
        StarletteRoute("/mine", mine),
        StarletteRoute("/api/mine", mine),
        StarletteRoute("/members", requires("authenticated", redirect="login")(members)),
        StarletteRoute("/form", form, methods=["POST"]),
        StarletteRoute("/upload", upload, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
        Mount("/shop", Starlette(routes=[StarletteRoute("/items/{id:int}", item)])),
        *socket_routes(),
    ]


def build(audit: FlowAudit) -> Build:
    """The app, wrapped in Starlette's idiom."""
    sessions = Sessions()
    app = Starlette(
        routes=[
            *(
                StarletteRoute(
                    route.path,
                    view_of(route),
                    methods=route.methods,
                    name="login" if route.path == LOGIN else None,
                )
                for route in ROUTES
            ),
            *_own_routes(sessions),
        ],
        exception_handlers={Barred: broken, Swallowed: swallowing},
    )
    app.add_middleware(AuthenticationMiddleware, backend=Backend(sessions))
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["testserver"])
    app.add_middleware(FlowAuditMiddleware, audit=audit)
    return Build(app, is_asgi=True)
