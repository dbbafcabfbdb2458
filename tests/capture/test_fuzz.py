"""Whatever comes in and whatever the app does: one event each, the app's errors as they were.

Ten thousand requests over ASGI in the suite, a hundred thousand in the soak.
"""

import asyncio
from collections.abc import Iterator
from copy import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit import FlowAudit

from .dice import BATCH, POLICIES, Dice, Fuzzed, fuzzed_audit, fuzzing, same_error

ODD_MESSAGES: list[Any] = [
    {"type": "http.response.body"},
    {"type": "http.response.start"},
    {"type": "http.response.start", "status": 200, "headers": None},
    {"type": "http.response.start", "status": 200, "headers": 7},
    {"type": "http.response.start", "status": 200, "headers": [(b"one",)]},
    {"type": "http.response.start", "status": 200, "headers": [("text", 7)]},
    {"type": "http.response.trailers", "headers": []},
    {"type": "http.response.pathsend", "path": "/nowhere"},
    {"type": "http.response.zerocopysend", "file": 3, "count": None},
    {"type": "http.response.push", "path": "/x", "headers": []},
    {"type": "http.response.early_hint", "links": []},
    {"type": "http.response.debug", "info": {}},
    {"type": "no.such.type"},
    {"type": ["http.response.start"]},
    {},
    None,
    7,
]
ODD_INCOMING: list[Any] = [
    {"type": "http.request", "body": 7},
    {"type": "http.request", "body": "text", "more_body": True},
    {"type": "http.request", "body": None},
    {"type": "websocket.receive", "text": "x"},
    {"type": 7},
    {"type": ["http.request"]},
    {},
    None,
]


def asgi_incoming(dice: Dice) -> Any:
    if dice.random() < 0.2:
        return copy(dice.choice(ODD_INCOMING))
    return {"type": "http.request", "body": dice.randbytes(9), "more_body": True}


def asgi_message(dice: Dice) -> Any:
    roll = dice.random()
    if roll < 0.4:
        status = dice.any_of(200, 204, 302, 304, 403, 404, 500, 0, -1, 99999, None, "200", 20.5)
        start = {"type": "http.response.start", "status": status, "headers": dice.headers()}
        return {**start, "trailers": True} if dice.random() < 0.2 else start
    if roll < 0.8:
        block = dice.randbytes(dice.randrange(9))
        odd = dice.any_of(None, "text", 7, [b"x"], {}, bytearray(b"x"), memoryview(b"x"))
        body = odd if dice.random() < 0.2 else block
        more = dice.random() < 0.5
        return {"type": "http.response.body", "body": body, "more_body": more}
    return copy(dice.choice(ODD_MESSAGES))


def asgi_request(dice: Dice) -> dict[str, Any]:
    return {
        "method": dice.method(),
        "path": dice.text(1_000),
        "raw_path": dice.any_of(None, dice.raw()),
        "query": dice.raw(),
        "headers": dice.headers(),
        "client": dice.any_of(("10.0.0.1", 5), None, ["::1", 0], ("", 0), ("no address", 1)),
        "incoming": dice.some(lambda: asgi_incoming(dice), 2),
        "leaves": dice.random() < 0.2,
        "messages": dice.some(lambda: asgi_message(dice), 4),
        "say": dice.say(),
        "error": dice.error(),
    }


@pytest.fixture(scope="module", params=POLICIES)
def fuzzed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fuzzed]:
    with fuzzed_audit(tmp_path_factory.mktemp("fuzz"), request.param) as each:
        yield each


async def _asgi(audit: FlowAudit, one: dict[str, Any]) -> None:
    sent: list[Any] = []
    incoming = list(one["incoming"])
    error = one["error"]

    async def receive() -> Any:
        if incoming:
            return incoming.pop(0)
        return {"type": "http.disconnect" if one["leaves"] else "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        one["say"]()
        for message in one["incoming"]:
            assert await receive() is message
        if one["leaves"]:
            await receive()
        for message in one["messages"]:
            await send(message)
        if error is not None:
            raise error

    scope = {
        "type": "http",
        "method": one["method"],
        "path": one["path"],
        "query_string": one["query"],
        "headers": one["headers"],
        "client": one["client"],
    }
    if one["raw_path"] is not None:
        scope["raw_path"] = one["raw_path"]
    raised: BaseException | None = None
    try:
        await audit.asgi(app)(scope, receive, send)
    except BaseException as found:
        raised = found
    same_error(raised, error)
    assert len(sent) == len(one["messages"])
    assert all(a is b for a, b in zip(sent, one["messages"], strict=True))


@fuzzing
@given(st.integers(0, 2**64))
def test_asgi(fuzzed: Fuzzed, seed: int) -> None:
    audit, expected = fuzzed
    dice = Dice(seed)

    async def all_of_them() -> None:
        for _ in range(BATCH):
            expected[0] += 1
            await _asgi(audit, asgi_request(dice))

    asyncio.run(all_of_them())
