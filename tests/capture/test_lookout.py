"""A client that leaves while an app works on an answer in one piece, over real servers."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.capture.lookout import Lookout

from ..adapters.conformance.servers import served

pytest.importorskip("uvicorn")
pytest.importorskip("httptools")

Events = Callable[..., list[dict[str, Any]]]
HEADERS = [(b"content-length", b"4")]
TIME_LIMIT_S = 10
WORK_S = 0.3
"""How long the app works; a client that leaves does so at once."""


class Slow:
    """An app that works before it answers in one piece, and tells what it read."""

    def __init__(self, *, status: int = 200, reads: bool = False) -> None:
        self.status, self.reads = status, reads
        self.seen: list[bytes] = []
        self.finished = threading.Semaphore(0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.reads:
            await self.read(receive)
        await asyncio.sleep(WORK_S)
        await send({"type": "http.response.start", "status": self.status, "headers": HEADERS})
        if not self.reads:
            await self.read(receive)  # an odd app that reads what it answered already
        await send({"type": "http.response.body", "body": b"done"})
        self.finished.release()

    async def read(self, receive: Any) -> None:
        while True:
            message = await receive()
            self.seen.append(message.get("body", message["type"].encode()))
            if not message.get("more_body", False):
                return

    def wait(self) -> None:
        assert self.finished.acquire(timeout=TIME_LIMIT_S)


def ask(port: int, request: bytes, *, stays: bool) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=TIME_LIMIT_S) as link:
        link.sendall(request)
        if not stays:
            time.sleep(0.05)
            return b""
        answer = b""
        while block := link.recv(65_536):
            answer += block
        return answer


GET = b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"
SERVERS = pytest.mark.parametrize("http", ["h11", "httptools"])


@SERVERS
@pytest.mark.parametrize(
    ("request_bytes", "reads"),
    [(GET, False), (GET, True), (POST, True)],
    ids=["get", "get-read", "post"],
)
@pytest.mark.parametrize(
    ("stays", "status", "expected"),
    [
        (True, 200, (200, "ok")),
        (False, 200, (499, "aborted")),
        (False, 403, (403, "denied")),  # a refusal stays one
        (False, 500, (500, "aborted")),  # what the leaving may have caused
    ],
    ids=["stays", "leaves", "leaves-refused", "leaves-error"],
)
def test_who_left_is_told(
    audit: FlowAudit,
    events: Events,
    http: str,
    request_bytes: bytes,
    reads: bool,
    stays: bool,
    status: int,
    expected: tuple[int, str],
) -> None:
    app = Slow(status=status, reads=reads)
    with served(audit.asgi(app), is_asgi=True, http=http) as port:
        answer = ask(port, request_bytes, stays=stays)
        app.wait()
    audit.flush()
    [event] = events()
    assert (event["status"], event["outcome"]) == expected
    assert answer.endswith(b"done" if stays else b"")
    assert audit.counters["capture_failed"] == 0


@SERVERS
def test_a_body_that_the_app_has_not_read_stays_the_apps(
    audit: FlowAudit, events: Events, http: str
) -> None:
    app = Slow()
    with served(audit.asgi(app), is_asgi=True, http=http) as port:
        assert ask(port, POST, stays=True).endswith(b"done")
        app.wait()
    audit.flush()
    assert app.seen == [b"abc"]
    assert events()[0]["outcome"] == "ok"


@SERVERS
def test_what_was_read_ahead_comes_to_the_app(audit: FlowAudit, http: str) -> None:
    app = Slow()
    with served(audit.asgi(app), is_asgi=True, http=http) as port:
        assert ask(port, GET, stays=True).endswith(b"done")
        app.wait()
    assert app.seen == [b""]


@SERVERS
def test_an_app_that_waits_for_the_client_itself_is_left_to(
    audit: FlowAudit, events: Events, http: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(WORK_S)
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        left.append(waiting.done())
        await send({"type": "http.response.body", "body": b"done"})
        waiting.cancel()
        finished.set()

    left: list[bool] = []
    finished = threading.Event()
    with served(audit.asgi(app), is_asgi=True, http=http) as port:
        ask(port, GET, stays=False)
        assert finished.wait(TIME_LIMIT_S)
    audit.flush()
    assert left == [True]
    assert events()[0]["outcome"] == "aborted"


class Messages:
    """A server's `receive` that gives what it has, and then waits, or raises."""

    def __init__(self, *given: dict[str, Any] | Exception) -> None:
        self.given = list(given)
        self.cancelled = 0

    async def __call__(self) -> dict[str, Any]:
        if not self.given:
            try:
                await asyncio.sleep(TIME_LIMIT_S)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        one = self.given.pop(0)
        if isinstance(one, Exception):
            raise one
        return one


LAST = {"type": "http.request", "body": b"end", "more_body": False}
PART = {"type": "http.request", "body": b"part", "more_body": True}
GONE = {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ([], False),
        ([GONE], True),
        ([LAST, GONE], True),
        ([LAST], False),
        ([PART, GONE], False),  # a body under way is not read ahead
        ([LAST, LAST, GONE], False),
    ],
    ids=["silent", "gone", "gone-after-body", "stays", "in-body", "odd"],
)
def test_no_message_is_lost_by_looking(given: list[dict[str, Any]], left: bool) -> None:
    async def go() -> None:
        lookout = Lookout(Messages(*given))
        assert await lookout.has_left() is left
        assert [await lookout.receive() for _ in given] == given
        lookout.end()

    asyncio.run(go())


def test_a_look_repeated_asks_once_and_an_app_may_give_up_waiting() -> None:
    async def go() -> None:
        server = Messages()
        lookout = Lookout(server)
        assert not await lookout.has_left()
        assert not await lookout.has_left()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(lookout.receive(), 0.01)
        assert server.cancelled == 0
        lookout.end()
        await asyncio.sleep(0.01)
        assert server.cancelled == 1

    asyncio.run(go())


def test_what_a_server_raises_is_the_apps_to_hear() -> None:
    async def go() -> None:
        lookout = Lookout(Messages(ConnectionResetError("gone"), GONE))
        assert not await lookout.has_left()
        with pytest.raises(ConnectionResetError):
            await lookout.receive()
        assert await lookout.receive() == GONE

    asyncio.run(go())


def test_off_asyncio_nobody_looks() -> None:
    async def go() -> bool:
        return await Lookout(Messages(GONE)).has_left()

    with pytest.raises(StopIteration) as stopped:
        go().send(None)  # as another event loop would drive it
    assert stopped.value.value is False
