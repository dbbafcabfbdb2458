"""A request as data, and what sends it into an app at the level of its protocol."""

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote_to_bytes

__all__ = ["Answer", "Call", "Client", "asgi_client", "wsgi_client"]

USUAL = (("host", "testserver"), ("user-agent", "test"), ("accept", "text/html"))
"""Headers of every call that does not say otherwise; `None` as a value leaves one out."""

TIME_LIMIT_S = 10.0
"""Seconds that an app may take for one call."""

CLIENT = ("10.0.0.1", 5)


@dataclass(frozen=True)
class Call:
    """One request, or one websocket with what is sent over it."""

    method: str
    target: str
    headers: tuple[tuple[str, str | None], ...] = ()
    body: bytes = b""
    chunks: tuple[bytes, ...] = ()
    """The body in pieces, without a Content-Length."""
    leaves: bool = False
    """The client goes away after the first block of the answer."""
    leaves_after_s: float | None = None
    """The client goes away while the app works."""
    sends: tuple[str | bytes, ...] | None = None
    """Messages over a websocket; `None` makes it a plain request."""
    closes: int | None = 1000
    """The code that the client closes a websocket with, once each message has an answer; with
    `None` the client waits until the app closes it.
    """
    vanishes: bool = False
    """The client of a websocket goes away without a word."""

    @property
    def ends_with(self) -> int:
        """The code that an app is told at the end."""
        if self.vanishes:
            return 1006
        return self.closes if self.closes is not None else 1005

    def header_list(self) -> list[tuple[str, str]]:
        """The headers as they are sent."""
        given = dict(USUAL) | dict(self.headers)
        return [(name, value) for name, value in given.items() if value is not None]

    def with_headers(self, **more: str) -> "Call":
        """The same call with a few more headers."""
        added = tuple((name.replace("_", "-"), value) for name, value in more.items())
        return replace(self, headers=self.headers + added)


@dataclass
class Answer:
    """What the client got."""

    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    received: list[str | bytes] = field(default_factory=list)
    close_code: int | None = None
    is_accepted: bool = False
    error: BaseException | None = None
    """What came out of the app, as a server would log it."""

    def cookies(self) -> dict[str, str]:
        """Names and values of the cookies that were set."""
        set_ = [value.partition(";")[0] for name, value in self.headers if name == "set-cookie"]
        return dict(each.split("=", 1) for each in set_)


Client = Callable[[Call], Answer]


def asgi_client(app: Any) -> Client:
    """What sends calls into an ASGI app, each in an event loop of its own."""

    def send(call: Call) -> Answer:
        answer = Answer()
        asyncio.run(asyncio.wait_for(asgi_call(app, call, answer), TIME_LIMIT_S))
        return answer

    return send


async def asgi_call(app: Any, call: Call, answer: Answer) -> None:
    """Send one call into an ASGI app, as a server would."""
    exchange = _websocket if call.sends is not None else _http
    try:
        await exchange(app, call, answer)
    except Exception as error:
        answer.error = error


def _scope(call: Call) -> dict[str, Any]:
    path, _, query = call.target.partition("?")
    return {
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode("latin-1")) for name, value in call.header_list()
        ],
        "client": CLIENT,
        "server": ("testserver", 80),
        "state": {},
    }


async def _http(app: Any, call: Call, answer: Answer) -> None:
    scope = {"type": "http", "method": call.method, **_scope(call)}
    blocks = list(call.chunks or (call.body,))
    if call.body:
        scope["headers"].append((b"content-length", str(len(call.body)).encode()))
    elif call.chunks:
        scope["headers"].append((b"transfer-encoding", b"chunked"))
    gone = asyncio.Event()
    if call.leaves_after_s is not None:
        asyncio.get_running_loop().call_later(call.leaves_after_s, gone.set)

    async def receive() -> Any:
        if blocks:
            block = blocks.pop(0)
            return {"type": "http.request", "body": block, "more_body": bool(blocks)}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if call.leaves_after_s is not None and gone.is_set():
            return  # as uvicorn does
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [
                (n.decode().lower(), v.decode("latin-1")) for n, v in message["headers"]
            ]
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")
            if call.leaves:
                gone.set()
                raise OSError("the client has gone")
            if not message.get("more_body"):
                gone.set()

    await app(scope, receive, send)


async def _websocket(app: Any, call: Call, answer: Answer) -> None:
    scope = {"type": "websocket", "subprotocols": [], **_scope(call)}
    scope["extensions"] = {"websocket.http.response": {}}
    scope["scheme"] = "ws"
    waiting: list[Any] = [{"type": "websocket.connect"}]
    for each in call.sends or ():
        name = "text" if isinstance(each, str) else "bytes"
        waiting.append({"type": "websocket.receive", name: each})
    waiting.append({"type": "websocket.disconnect", "code": call.ends_with})

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        match message["type"]:
            case "websocket.accept":
                answer.is_accepted = True
            case "websocket.send":
                answer.received.append(message.get("text") or message.get("bytes"))
            case "websocket.close":
                answer.close_code = message.get("code", 1000)
            case "websocket.http.response.start":
                if answer.is_accepted:  # as servers do
                    raise RuntimeError("it is a websocket already")
                answer.status = message["status"]
            case "websocket.http.response.body":
                answer.body += message["body"]

    await app(scope, receive, send)


def wsgi_client(app: Any) -> Client:
    """What sends calls into a WSGI app, in the thread of the test."""

    def send(call: Call) -> Answer:
        answer = Answer()
        if call.sends is not None:
            answer.error = NotImplementedError("WSGI has no websockets")
            return answer
        try:
            _wsgi(app, call, answer)
        except Exception as error:
            answer.error = error
        return answer

    return send


def environ_of(call: Call) -> dict[str, Any]:
    """A call as PEP 3333 hands it to an app, with the target as sent beside it."""
    path, _, query = call.target.partition("?")
    body = b"".join(call.chunks) or call.body
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": call.target,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": CLIENT[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": bool(call.chunks),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in call.header_list():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    if call.body:
        environ["CONTENT_LENGTH"] = str(len(call.body))
    if "HTTP_CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
    if call.chunks:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    return environ


def _wsgi(app: Any, call: Call, answer: Answer) -> None:
    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        answer.status = int(status[:3])
        answer.headers = [(name.lower(), value) for name, value in headers]
        return lambda data: None

    blocks = app(environ_of(call), start_response)
    try:
        for block in blocks:
            answer.body += block
            if call.leaves and block:
                break
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
