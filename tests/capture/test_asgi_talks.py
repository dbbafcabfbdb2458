"""Websockets: one event when accepted or refused, one when closed."""

import asyncio
from typing import Any

import pytest

from flowaudit import FlowAudit

from .asgi_driver import (
    ACCEPT,
    CONNECT,
    Events,
    Message,
    call,
    scope,
    websocket,
)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([ACCEPT], [("accept", "ok", None), ("close", "ok", None)]),
        ([{"type": "websocket.close"}], [("refuse", "denied", "forbidden")]),
        (
            [ACCEPT, {"type": "websocket.close", "code": 1008}],
            [("accept", "ok", None), ("close", "denied", "forbidden")],
        ),
        (
            [{"type": "websocket.http.response.start", "status": 401, "headers": []}],
            [("refuse", "denied", "login-required")],
        ),
    ],
    ids=["accepted", "refused", "policy", "http-response"],
)
def test_websockets(
    audit: FlowAudit, events: Events, messages: list[Message], expected: list[tuple[Any, ...]]
) -> None:
    one = scope(type="websocket", path="/ws/1")
    del one["method"]
    call(
        audit.asgi(websocket(*messages)),
        one,
        [CONNECT, {"type": "websocket.disconnect", "code": 1000}],
    )
    audit.flush()
    found = [(e["action"], e["outcome"], e.get("reason")) for e in events("websocket")]
    assert found == expected


@pytest.mark.parametrize(
    ("incoming", "raises", "expected"),
    [
        ([], None, (500, "error", "status")),
        ([{"type": "websocket.disconnect", "code": 1006}], None, (499, "aborted", "client-left")),
        ([], ValueError(), (500, "error", "ValueError")),
        ([], PermissionError(), (500, "denied", "forbidden")),
        ([], asyncio.CancelledError(), (499, "aborted", "client-left")),
    ],
    ids=["no-answer", "client-left", "crash", "permission", "cancelled"],
)
def test_a_handshake_that_the_app_never_answers_is_not_ok(
    audit: FlowAudit,
    events: Events,
    incoming: list[Message],
    raises: BaseException | None,
    expected: tuple[Any, ...],
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in (CONNECT, *incoming):
            await receive()
        if raises is not None:
            raise raises

    call(audit.asgi(app), scope(type="websocket"), [CONNECT, *incoming])
    audit.flush()
    [event] = events("websocket")
    assert event["action"] == "refuse"
    assert (event["status"], event["outcome"], event["reason"]) == expected


def test_the_code_that_a_client_left_with_stands(audit: FlowAudit, events: Events) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # nobody hears it any more

    left = {"type": "websocket.disconnect", "code": 1001}
    call(audit.asgi(app), scope(type="websocket"), [left])
    audit.flush()
    close = events("websocket")[-1]
    assert (close["data"]["close_code"], close["outcome"]) == (1001, "ok")
