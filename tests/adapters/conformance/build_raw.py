"""The app without a framework, around which `audit.asgi` or `audit.wsgi` stands alone.

What a framework's adapter would know, it says itself; only the route it has no word for.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from typing import Any

import flowaudit
from flowaudit import FlowAudit

from .app import (
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
from .build_starlette import STATIC
from .sessions import COOKIE, Sessions

__all__ = ["build_asgi", "build_wsgi"]

_KINDS = {None: "[^/]+", "int": "[0-9]+", "path": ".+"}
_ERRORS = {"not-found": 404, "forbidden": 403, "unauthenticated": 401}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        re.sub(r"\{(\w+)(?::(\w+))?\}", lambda m: f"(?P<{m[1]}>{_KINDS[m[2]]})", path)
    )


_TABLE = [(_pattern(route.path), route) for route in ROUTES]


@dataclass
class Request:
    """A request, the same for WSGI and ASGI."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def cookie(self) -> str | None:
        """The session's cookie."""
        match = re.search(rf"{COOKIE}=([^;]+)", self.headers.get("cookie", ""))
        return match[1] if match else None


def _form(request: Request) -> Reply:
    if "x-csrf" in request.headers:
        return Reply()
    flowaudit.deny("origin" if "origin" in request.headers else "csrf")
    return Reply(403, b"no")


def _token(request: Request) -> Reply:
    found = roles_of_token(request.headers.get("authorization", ""))
    if found is None:
        return Reply(body=b"who?")
    flowaudit.identify(f"user:{found[0]}", roles=found[1])
    return Reply()


def _upload(request: Request) -> Reply:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    [part] = message_from_bytes(head + request.body).get_payload()  # type: ignore[misc]
    content: Any = part.get_payload(decode=True)  # type: ignore[union-attr]
    return Reply(201, str(len(content)).encode())


def _item(request: Request) -> Reply:
    flowaudit.resource("items", request.path.rpartition("/")[2])
    return Reply()


def _own(sessions: Sessions) -> dict[str, Callable[[Request], Reply]]:
    def mine(request: Request) -> Reply:
        return Reply(body=b"ok" if sessions.who(request.cookie()) else b"who?")

    def members(request: Request) -> Reply:
        return Reply() if sessions.who(request.cookie()) else Reply(401, b"no")

    css = (STATIC / "site.css").read_bytes()
    return {
        "POST /sign-in": lambda request: sessions.sign_in(request.body),
        "POST /sign-out": lambda request: sessions.sign_out(request.cookie()),
        "GET /cart": lambda request: Reply(headers=sessions.begin(None)),
        "GET /mine": mine,
        "GET /api/mine": _token,
        "GET /members": members,
        "POST /form": _form,
        "POST /upload": _upload,
        "GET /static/site.css": lambda request: Reply(body=css),
        "GET /shop/items/7": _item,
    }


class App:
    """The app between both protocols: a request in, a reply out."""

    def __init__(self) -> None:
        self.own = _own(Sessions())

    def reply(self, request: Request) -> Reply:
        """What to answer; raises what an app would."""
        if request.headers.get("host") != "testserver":
            flowaudit.deny("bad-host")
            return Reply(400, b"no")
        own = self.own.get(f"{request.method} {request.path}")
        if own is not None:
            return own(request)
        found = route_of(request.path)
        if found is None:
            return Reply(404, b"no")
        route, params = found
        touched = route.resource_of(params)
        if touched is not None:
            flowaudit.resource(*touched)
        if request.method.replace("HEAD", "GET") not in route.methods:
            return Reply(405, b"no")
        return _raised(route.do(Ask(request.method, params, request.body)))


def route_of(path: str) -> tuple[Route, dict[str, Any]] | None:
    """The route of a path, with its parameters."""
    for pattern, route in _TABLE:
        match = pattern.fullmatch(path)
        if match is not None:
            return route, match.groupdict()
    return None


def _raised(reply: Reply | Raise) -> Reply:
    if isinstance(reply, Reply):
        return reply
    if isinstance(reply.what, str):
        return Reply(_ERRORS[reply.what], b"no")
    try:
        raise reply.what
    except Barred as error:
        raise RuntimeError("the handler is broken") from error
    except Swallowed:
        flowaudit.deny("forbidden")
        return Reply(500, b"no")


def _headers(reply: Reply) -> list[tuple[str, str]]:
    headers = [(name, value) for name, value in reply.headers.items()]
    is_told = "content-length" in reply.headers
    if reply.stream is None and reply.status not in (204, 304) and not is_told:
        headers.append(("content-length", str(len(reply.body))))
    return headers


def _blocks(reply: Reply) -> Iterator[bytes]:
    yield from reply.stream if reply.stream is not None else (reply.body,)
    if reply.fails:
        raise RuntimeError("boom")


class _Body:
    """A WSGI answer with work after it."""

    def __init__(self, blocks: Iterable[bytes], later: Callable[[], None] | None) -> None:
        self._blocks, self._later = iter(blocks), later

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks

    def close(self) -> None:
        """What a server calls at the end."""
        if self._later is not None:
            self._later()


def build_wsgi(audit: FlowAudit) -> Build:
    """A plain WSGI app under `audit.wsgi`."""
    inner = App()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = {
            name[5:].replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        is_ended = environ.get("wsgi.input_terminated")
        length = -1 if is_ended else int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        route = route_of(path)
        if route is not None and route[0].pause_s:
            time.sleep(route[0].pause_s)
        reply = inner.reply(Request(environ["REQUEST_METHOD"], path, headers, body))
        start_response(f"{reply.status} X", _headers(reply))
        return _Body(_blocks(reply), reply.later)

    return Build(audit.wsgi(app), is_asgi=False)


async def _read(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def build_asgi(audit: FlowAudit) -> Build:
    """A plain ASGI app under `audit.asgi`."""
    inner = App()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await _websocket(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        route = route_of(scope["path"])
        if route is not None and route[0].pause_s:
            await asyncio.sleep(route[0].pause_s)
        request = Request(scope["method"], scope["path"], headers, await _read(receive))
        reply = inner.reply(request)
        start = [(name.encode(), value.encode("latin-1")) for name, value in _headers(reply)]
        await send({"type": "http.response.start", "status": reply.status, "headers": start})
        is_stream = reply.stream is not None
        for block in _blocks(reply):
            await send({"type": "http.response.body", "body": block, "more_body": is_stream})
        if is_stream:
            await send({"type": "http.response.body"})
        if reply.later is not None:
            reply.later()

    return Build(audit.asgi(app), is_asgi=True)


async def _websocket(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    name = scope["path"].removeprefix("/ws/")
    if name == "slow":
        await asyncio.sleep(SLOW_S)
    asked = int(scope["query_string"].partition(b"=")[2] or 1000)
    if name in ("echo", "close", "crash", "slow", "stream"):
        await send({"type": "websocket.accept"})
    match name:
        case "echo":
            while (message := await receive())["type"] == "websocket.receive":
                await send({**message, "type": "websocket.send"})
        case "slow":
            await receive()
        case "stream":
            while True:
                await send({"type": "websocket.send", "text": "tick"})
                await asyncio.sleep(PAUSE_S)
        case "close":
            await send({"type": "websocket.close", "code": asked})
        case "crash" | "crash/before":
            raise RuntimeError("boom")
        case "answer":
            start = {"type": "websocket.http.response.start", "status": asked, "headers": []}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": b"later"})
        case "silent":
            pass
        case _:
            if name == "told":
                flowaudit.deny("not-yours")
            await send({"type": "websocket.close", "code": asked})
