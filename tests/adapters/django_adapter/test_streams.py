"""Streamed answers: counted block by block, ended once, in whichever way they end."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.test import Client, RequestFactory

from flowaudit import FlowAudit
from flowaudit.testing import recorded_events

from .browser import Browser

# Django itself warns when an app streams in the other way than it is served
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")

# the file in which Django keeps a request's body, where an exception leaves its ASGI handler
LEAVES_A_FILE_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("target", ["/stream", "/stream-async"])
def test_a_stream_is_counted_and_may_speak(browser: Browser, target: str) -> None:
    assert browser.get(target).content == b"onetwo"
    event = browser.last()
    assert (event["outcome"], event["bytes_out"]) == ("ok", 6)
    assert event["data"] == {"said": "between two blocks"}


def test_a_file_goes_out_as_it_is(browser: Browser) -> None:
    answer = browser.get("/file")
    assert browser.last()["bytes_out"] == len(answer.content) > 1_000


@LEAVES_A_FILE_OPEN
def test_a_stream_that_breaks(browser: Browser) -> None:
    with suppress(RuntimeError):
        browser.get("/stream-broken")
    gc.collect()
    assert browser.last()["reason"] == "RuntimeError"


@pytest.mark.parametrize("target", ["/stream", "/file", "/open"])
def test_a_head_request_is_whole_without_a_body(browser: Browser, target: str) -> None:
    browser.ask("HEAD", target)
    assert browser.last()["outcome"] == "ok"


def test_a_stream_that_nobody_reads_has_its_event(audit: FlowAudit) -> None:
    response: Any = Client().get("/stream")
    response.close()
    [event] = recorded_events(audit)
    assert (event["outcome"], event["reason"]) == ("aborted", "client-left")


@pytest.mark.parametrize("answer", [None, object()], ids=["nothing", "no-response"])
def test_what_is_no_response_passes_as_it_is(audit: FlowAudit, answer: object) -> None:
    """A fault of another middleware, which Django is to tell of and not we."""
    from flowaudit_django import FlowAuditMiddleware

    own = FlowAudit(trail=audit.paths.trail.with_name("own.db"))
    middleware = FlowAuditMiddleware(lambda request: answer)
    middleware.audit = own
    assert middleware(RequestFactory().get("/open")) is answer
    assert own.counters["capture_failed"] > 0
    own.close()


@pytest.mark.parametrize("wraps", [False, True], ids=["alone", "wrapped"])
@pytest.mark.parametrize(
    ("target", "starts"), [("/slow", False), ("/slow-stream", True)], ids=["view", "stream"]
)
def test_a_client_that_leaves(
    audit: FlowAudit, scope_of: Callable[[str], Any], wraps: bool, target: str, starts: bool
) -> None:
    pytest.importorskip("django", minversion="5.0")  # which notices that a client has left
    from django.core.handlers.asgi import ASGIHandler

    handler: Any = audit.asgi(ASGIHandler()) if wraps else ASGIHandler()

    async def go() -> list[str]:
        began, sent = asyncio.Event(), []
        asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            for message in asked:
                return message
            if starts:
                await began.wait()
            else:
                await asyncio.sleep(0.1)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message["type"])
            if message["type"] == "http.response.body":
                began.set()

        await asyncio.wait_for(handler(scope_of(target), receive, send), 10)
        return sent

    sent = asyncio.run(go())
    assert ("http.response.start" in sent) == starts
    [event] = recorded_events(audit)
    assert (event["outcome"], event["reason"]) == ("aborted", "client-left")
    assert event["status"] == (200 if starts else 499)


@LEAVES_A_FILE_OPEN
@pytest.mark.parametrize("wraps", [False, True], ids=["alone", "wrapped"])
def test_a_stream_whose_server_fails_to_send(
    audit: FlowAudit, scope_of: Callable[[str], Any], wraps: bool
) -> None:
    """Django closes neither the response nor its iterator then."""
    from django.core.handlers.asgi import ASGIHandler

    handler: Any = audit.asgi(ASGIHandler()) if wraps else ASGIHandler()

    async def go() -> None:
        asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            for message in asked:
                return message
            await asyncio.sleep(10)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                raise OSError("the client has gone")

        with pytest.raises(OSError, match="the client has gone"):
            await handler(scope_of("/stream-async"), receive, send)

    asyncio.run(go())
    gc.collect()
    [event] = recorded_events(audit)
    assert event["route"] == "/stream-async"
    assert event["outcome"] in ("aborted", "error")


@pytest.fixture
def scope_of() -> Callable[[str], Any]:
    return lambda path: {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 9),
        "server": ("testserver", 80),
    }


@pytest.mark.parametrize("streams", ["", "&stream=1"], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("9?", ("error", "incomplete")),
        ("5?", ("ok", None)),
        ("9?status=403", ("denied", "forbidden")),
        ("9?status=204", ("ok", None)),
        ("9?header=X-Sendfile", ("ok", None)),
        ("9?header=x-accel-redirect", ("ok", None)),
    ],
)
def test_an_answer_shorter_than_it_says_is_an_error(
    browser: Browser, target: str, streams: str, expected: tuple[str, str | None]
) -> None:
    browser.get(f"/announced/{target}{streams}")
    event = browser.last()
    assert (event["outcome"], event.get("reason")) == expected
