"""How requests over ASGI end: every message passed on as it was, each end told as what it is."""

import asyncio
from typing import Any

import pytest

from flowaudit import FlowAudit

from .asgi_driver import (
    BODY,
    CONNECT,
    START,
    Events,
    Message,
    answering,
    call,
    scope,
)


def test_the_event_is_spooled_before_the_last_message_leaves(audit: FlowAudit) -> None:
    recorder = audit._recorder
    seen = []

    async def go() -> None:
        async def send(message: Message) -> None:
            source = recorder.live
            assert source is not None
            seen.append((message["type"], source.last_n))

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send({**BODY, "more_body": True})
            await send(BODY)

        await audit.asgi(app)(scope(), None, send)  # type: ignore[arg-type]

    asyncio.run(go())
    assert [n for _, n in seen] == [1, 1, 2]


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        pytest.param("HEAD", 200, [(b"content-length", b"5")], id="head"),
        pytest.param("GET", 204, [], id="no-content"),
        pytest.param("GET", 304, [], id="not-modified"),
        pytest.param("GET", 302, [(b"content-length", b"0")], id="empty"),
        pytest.param("GET", 200, [(b"Content-Length", b"0")], id="empty-with-capitals"),
    ],
)
def test_the_event_is_spooled_before_the_head_of_an_answer_without_body(
    audit: FlowAudit, events: Events, method: str, status: int, headers: list[Any]
) -> None:
    """A server sends the head at once, and a client then has the whole answer."""
    recorder = audit._recorder
    seen = []

    async def send(message: Message) -> None:
        assert recorder.live is not None
        seen.append(recorder.live.last_n)

    app = audit.asgi(answering({**START, "status": status, "headers": headers}, BODY))
    asyncio.run(app(scope(method=method), None, send))  # type: ignore[arg-type]
    assert seen == [2, 2]
    audit.flush()
    [event] = events()
    assert (event["status"], event["outcome"]) == (status, "ok")
    assert "bytes_out" not in event


@pytest.mark.parametrize(
    "messages",
    [
        [START, BODY],
        [START, {**BODY, "more_body": True}, {"type": "http.response.body"}],
        [{**START, "trailers": True}, BODY, {"type": "http.response.trailers", "headers": []}],
        [{"type": "http.response.push", "path": "/x", "headers": []}, START, BODY],
        [{"type": "http.response.early_hint", "links": []}, START, BODY],
        [START, {"type": "http.response.pathsend", "path": "/etc/hostname"}],
        [START, {"type": "http.response.zerocopysend", "file": 3, "count": 5}],
    ],
    ids=["plain", "streamed", "trailers", "push", "early-hint", "pathsend", "zerocopy"],
)
def test_the_stream_passes_unchanged(
    audit: FlowAudit, events: Events, messages: list[Message]
) -> None:
    copies = [dict(message) for message in messages]
    sent, error = call(audit.asgi(answering(*messages)), scope())
    assert error is None
    assert all(a is b for a, b in zip(sent, messages, strict=True))
    assert [dict(message) for message in sent] == copies
    audit.flush()
    assert [event["outcome"] for event in events()] == ["ok"]


class Boom(Exception):
    pass


@pytest.mark.parametrize(
    ("before", "error", "status", "outcome", "reason"),
    [
        ([], Boom("x"), 500, "error", "Boom"),
        ([START], Boom("x"), 200, "error", "Boom"),
        ([], PermissionError("x"), 500, "denied", "forbidden"),
        # a server cancels an app when its client leaves
        ([], asyncio.CancelledError(), 499, "aborted", "client-left"),
        ([START], asyncio.CancelledError(), 200, "aborted", "client-left"),
        ([], SystemExit(1), 500, "error", "SystemExit"),
        ([START, BODY], Boom("late"), 200, "ok", None),
    ],
    ids=["before", "after-start", "permission", "cancelled", "cancelled-late", "exit", "after-end"],
)
def test_the_apps_own_exception_passes_and_is_named(
    audit: FlowAudit,
    events: Events,
    before: list[Message],
    error: BaseException,
    status: int,
    outcome: str,
    reason: str | None,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)
        raise error

    assert call(audit.asgi(app), scope())[1] is error
    audit.flush()
    [event] = events("request")
    assert (event["status"], event["outcome"], event.get("reason")) == (status, outcome, reason)


@pytest.mark.parametrize(("before", "status"), [([], 499), ([START], 200)])
def test_a_client_that_leaves_is_told(
    audit: FlowAudit, events: Events, before: list[Message], status: int
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)
        while (await receive())["type"] != "http.disconnect":
            pass

    call(audit.asgi(app), scope())
    audit.flush()
    [event] = events()
    assert (event["status"], event["outcome"], event["reason"]) == (
        status,
        "aborted",
        "client-left",
    )


def test_a_client_that_is_gone_when_a_block_is_sent_is_told(
    audit: FlowAudit, events: Events
) -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client has gone")

    app = audit.asgi(answering(START, {**BODY, "more_body": True}, BODY))
    with pytest.raises(OSError, match="gone"):
        asyncio.run(app(scope(), None, send))  # type: ignore[arg-type]
    audit.flush()
    assert [(event["outcome"], event["reason"]) for event in events()] == [
        ("aborted", "client-left")
    ]


def test_an_app_that_answers_nothing_is_an_error(audit: FlowAudit, events: Events) -> None:
    call(audit.asgi(answering()), scope())
    audit.flush()
    assert [(e["status"], e["outcome"]) for e in events()] == [(500, "error")]


def test_bytes_are_counted_both_ways(audit: FlowAudit, events: Events) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send(START)
        await send(BODY)

    incoming = [
        {"type": "http.request", "body": b"x" * 10, "more_body": True},
        {"type": "http.request", "body": b"x" * 7, "more_body": False},
    ]
    call(audit.asgi(app), scope(method="POST"), incoming)
    audit.flush()
    [event] = events()
    assert (event["bytes_in"], event["bytes_out"]) == (17, 5)


@pytest.mark.parametrize("kind", ["http", "websocket", "lifespan"])
@pytest.mark.parametrize(
    "message",
    [
        None,
        {"no": "type"},
        {"type": ["list"]},
        {"type": "websocket.send", "text": 7},
        {"type": "websocket.send", "bytes": 7},
        {"type": "websocket.close", "code": [1]},
        {"type": "websocket.http.response.start", "status": "no", "headers": 7},
    ],
    ids=str,
)
def test_a_message_that_no_server_takes_is_the_servers_to_refuse(
    audit: FlowAudit, events: Events, kind: str, message: Any
) -> None:
    refused = TypeError("the server's own")

    async def receive() -> Message:
        return CONNECT

    async def send(message: Message) -> None:
        raise refused

    with pytest.raises(TypeError) as caught:
        asyncio.run(audit.asgi(answering(message))(scope(type=kind), receive, send))
    assert caught.value is refused
    audit.flush()
    assert audit.counters["lost"] == 0
    assert kind == "lifespan" or len(events("request", "websocket")) == 1


@pytest.mark.parametrize("trailers", [False, True])
def test_the_event_is_spooled_before_the_block_that_makes_the_answer_whole(
    audit: FlowAudit, trailers: bool
) -> None:
    at: list[int] = []

    async def send(message: Message) -> None:
        source = audit._recorder.live
        at.append(source.last_n if source else 0)

    start = {**START, "headers": [(b"content-length", b"10")], "trailers": trailers}
    more = {**BODY, "more_body": True}
    end: Message = {"type": "http.response.body", "body": b""}
    messages = [start, more, more, end, {"type": "http.response.trailers", "headers": []}]
    asyncio.run(audit.asgi(answering(*messages))(scope(), None, send))
    assert [after - at[0] for after in at] == ([0, 0, 0, 0, 1] if trailers else [0, 0, 1, 1, 1])


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_headers_that_can_be_read_once_reach_the_server(
    audit: FlowAudit, events: Events, kind: str
) -> None:
    prefix = "websocket.http" if kind == "websocket" else "http"
    pairs = [(b"location", b"/there"), (b"x", b"y")]
    start = {"type": f"{prefix}.response.start", "status": 302, "headers": iter(pairs)}
    end = {"type": f"{prefix}.response.body", "body": b""}
    sent, _ = call(audit.asgi(answering(start, end)), scope(type=kind))
    assert list(sent[0]["headers"]) == pairs


ABSURD: Message = {**START, "headers": [(b"content-length", b"9" * 9_000)]}


LONGER: Message = {**START, "headers": [(b"Content-Length", b"9")]}


MORE: Message = {**BODY, "more_body": True}


@pytest.mark.parametrize(
    ("messages", "status", "outcome", "reason"),
    [
        ([START, MORE], 200, "error", "incomplete"),
        ([START], 200, "error", "incomplete"),
        ([LONGER, BODY], 200, "error", "incomplete"),
        ([LONGER, MORE, BODY], 200, "ok", None),
        ([ABSURD, BODY], 200, "ok", None),
        ([{**START, "status": 403}, MORE], 403, "denied", "forbidden"),
        ([BODY], 500, "error", "status"),
        ([], 500, "error", "status"),
    ],
    ids=[
        "no-end",
        "no-body",
        "too-short",
        "whole",
        "absurd-length",
        "refusal",
        "no-start",
        "nothing",
    ],
)
def test_an_answer_that_is_not_whole_is_an_error(
    audit: FlowAudit,
    events: Events,
    messages: list[Message],
    status: int,
    outcome: str,
    reason: str | None,
) -> None:
    call(audit.asgi(answering(*messages)), scope())
    audit.flush()
    [event] = events()
    assert (event["status"], event["outcome"], event.get("reason")) == (status, outcome, reason)
    assert audit.counters["capture_failed"] == 0
