"""How a websocket ends: who closes it, with which code, and what the app makes of that."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowaudit import FlowAudit

Events = Callable[..., list[dict[str, Any]]]
Message = dict[str, Any]
Told = tuple[Any, ...]

SCOPE = {"type": "websocket", "path": "/ws", "headers": [], "client": ("10.0.0.1", 5)}
CONNECT: Message = {"type": "websocket.connect"}
ACCEPT: Message = {"type": "websocket.accept"}
SEND: Message = {"type": "websocket.send", "text": "abc"}


class WebSocketDisconnect(Exception):
    __module__ = "starlette.websockets"


class ClientGone(OSError):
    """As a server tells that a message cannot be sent."""


def closed(code: object) -> Message:
    return {"type": "websocket.close", "code": code}


def left(code: object) -> Message:
    return {"type": "websocket.disconnect", "code": code}


def run(
    audit: FlowAudit,
    *steps: Any,
    gone_at: str | None = None,
) -> BaseException | None:
    """Go through an app's steps: a message is sent, a `left` received, an exception raised.

    With `gone_at`, the server raises at the first message of that type.
    """
    incoming = [CONNECT, *(s for s in steps if isinstance(s, dict) and "disconnect" in s["type"])]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            if "disconnect" in step["type"]:
                await receive()
            else:
                await send(step)

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        if message["type"] == gone_at:
            raise ClientGone

    async def go() -> None:
        await audit.asgi(app)(dict(SCOPE), receive, send)

    try:
        asyncio.run(go())
    except BaseException as error:
        return error
    return None


def told(audit: FlowAudit, events: Events) -> list[Told]:
    assert audit.flush()
    assert audit.counters == {"lost": 0, "commit_failed": 0, "capture_failed": 0}
    return [
        (e["action"], e.get("status"), e["outcome"], e.get("reason"), *_data(e))
        for e in events("websocket")
    ]


def _data(event: dict[str, Any]) -> list[Any]:
    data = event.get("data", {})
    return [data[name] for name in ("close_code", "messages_out") if name in data]


ACCEPTED: Told = ("accept", None, "ok", None)


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (1000, "ok", None),
        (1001, "ok", None),
        (1003, "invalid", "bad-request"),
        (1008, "denied", "forbidden"),
        (1009, "invalid", "too-large"),
        (1011, "error", "status"),
        (1012, "ok", None),
        (1013, "throttled", "rate-limit"),
        (4000, "ok", None),
        (4401, "denied", "login-required"),
        (4403, "denied", "forbidden"),
        (4429, "throttled", "rate-limit"),
        (4500, "error", "status"),
    ],
)
def test_the_code_that_an_app_closes_with_is_a_verdict(
    audit: FlowAudit, events: Events, code: int, outcome: str, reason: str | None
) -> None:
    run(audit, ACCEPT, closed(code))
    assert told(audit, events) == [ACCEPTED, ("close", None, outcome, reason, code, 0)]


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1008, 1011, 1012, 4403])
def test_the_code_that_a_client_leaves_with_is_none(
    audit: FlowAudit, events: Events, code: int
) -> None:
    run(audit, ACCEPT, left(code), closed(1011))
    assert told(audit, events) == [ACCEPTED, ("close", None, "ok", None, code, 0)]


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (1000, "denied", "forbidden"),
        (1008, "denied", "forbidden"),
        (1011, "error", "status"),
        (1013, "throttled", "rate-limit"),
        (4401, "denied", "login-required"),
    ],
)
def test_a_code_before_the_accept_tells_why_it_is_refused(
    audit: FlowAudit, events: Events, code: int, outcome: str, reason: str
) -> None:
    run(audit, closed(code))
    assert told(audit, events) == [("refuse", 403, outcome, reason, code)]


START: Message = {"type": "websocket.http.response.start", "status": 401, "headers": []}
BODY: Message = {"type": "websocket.http.response.body", "body": b"never"}


@pytest.mark.parametrize(
    ("steps", "status", "reason", "size"),
    [
        ([START, BODY, left(1006)], 401, "login-required", 5),
        ([START, BODY | {"more_body": True}, BODY], 401, "login-required", 10),
        ([START, BODY, BODY], 401, "login-required", 5),
        ([START], 401, "login-required", None),
        ([START, KeyError()], 401, "KeyError", None),
        ([START, BODY, KeyError()], 401, "login-required", 5),
    ],
    ids=["whole", "in-blocks", "twice", "no-body", "crash-before-the-body", "crash-after-it"],
)
def test_a_refusal_with_an_answer_has_its_length(
    audit: FlowAudit,
    events: Events,
    steps: list[Any],
    status: int,
    reason: str,
    size: int | None,
) -> None:
    run(audit, *steps)
    [event] = told(audit, events)
    assert (event[0], event[1], event[3]) == ("refuse", status, reason)
    assert events("websocket")[0].get("bytes_out") == size


GONE = WebSocketDisconnect()


@pytest.mark.parametrize(
    ("steps", "gone_at", "expected"),
    [
        ([left(1001), GONE], None, ("ok", None, 1001, 0)),
        ([left(1001), ExceptionGroup("tasks", [GONE, GONE])], None, ("ok", None, 1001, 0)),
        ([left(1000), asyncio.CancelledError()], None, ("ok", None, 1000, 0)),
        ([left(1000), SEND], "websocket.send", ("ok", None, 1000, 1)),
        ([SEND], "websocket.send", ("aborted", "client-left", 1)),
        ([SEND], "websocket.accept", ("aborted", "client-left", 0)),
        ([closed(4403)], "websocket.close", ("denied", "forbidden", 4403, 0)),
        ([closed(4403), GONE], None, ("denied", "forbidden", 4403, 0)),
        ([asyncio.CancelledError()], None, ("aborted", "client-left", 0)),
        ([GONE], None, ("error", "WebSocketDisconnect", 0)),
        ([left(1000), KeyError()], None, ("error", "KeyError", 1000, 0)),
        (
            [left(1000), ExceptionGroup("tasks", [GONE, KeyError()])],
            None,
            ("error", "ExceptionGroup", 1000, 0),
        ),
    ],
    ids=[
        "left",
        "left-in-a-group",
        "left-and-cancelled",
        "left-and-still-sent-to",
        "gone-at-a-message",
        "gone-at-the-accept",
        "gone-at-the-close",
        "closed-and-read-again",
        "cancelled",
        "raised-by-the-app-itself",
        "left-and-crashed",
        "left-and-crashed-in-a-group",
    ],
)
def test_what_the_end_makes_an_app_raise_is_no_fault_of_it(
    audit: FlowAudit, events: Events, steps: list[Any], gone_at: str | None, expected: Told
) -> None:
    raised = run(audit, ACCEPT, *steps, gone_at=gone_at)
    assert raised is None or raised in steps or isinstance(raised, ClientGone)
    accepted, (_, _, *close) = told(audit, events)
    assert accepted == ACCEPTED
    assert tuple(close) == expected


def test_an_accept_that_comes_twice_is_one(audit: FlowAudit, events: Events) -> None:
    run(audit, ACCEPT, ACCEPT, closed(1000), closed(1011))
    assert told(audit, events) == [ACCEPTED, ("close", None, "ok", None, 1000, 0)]
