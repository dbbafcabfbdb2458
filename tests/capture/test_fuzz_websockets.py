"""Whatever goes over a websocket: one event or two, and the app's errors as they were.

Ten thousand websockets in the suite, a hundred thousand in the soak.
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

CODES = (1000, 1001, 1006, 1008, 1011, 4000, 4401, 99_999, -1, 0, 2**80)
ODD_CODES = (None, "1000", 10.5, [1000], True, b"1000")

ODD_OUTGOING: list[Any] = [
    {"type": "websocket.accept", "headers": 7, "subprotocol": object()},
    {"type": "websocket.send"},
    {"type": "websocket.send", "text": 7},
    {"type": "websocket.send", "text": b"x", "bytes": "x"},
    {"type": "websocket.send", "bytes": [1]},
    {"type": "websocket.http.response.start"},
    {"type": "websocket.http.response.start", "status": "401", "headers": 7},
    {"type": "websocket.http.response.start", "status": 401, "headers": [(b"one",)]},
    {"type": "websocket.http.response.body", "body": "text"},
    {"type": "websocket.http.response.body", "body": 7, "more_body": "no"},
    {"type": "websocket.receive", "text": "x"},
    {"type": "http.response.start", "status": 200, "headers": []},
    {"type": "no.such.type"},
    {"type": ["websocket.accept"]},
    {"type": None},
    {},
    None,
    7,
]
ODD_INCOMING: list[Any] = [
    {"type": "websocket.connect"},
    {"type": "websocket.receive"},
    {"type": "websocket.receive", "text": 7},
    {"type": "websocket.receive", "bytes": "x", "text": None},
    {"type": "websocket.receive", "bytes": [1]},
    {"type": "websocket.disconnect"},
    {"type": "http.request", "body": b""},
    {"type": ["websocket.receive"]},
    {"type": None},
    {},
    None,
    7,
]


def outgoing(dice: Dice, *, is_odd: bool) -> Any:
    """What an app sends, in no order at all."""
    roll = dice.random()
    if is_odd and roll < 0.3:
        return copy(dice.choice(ODD_OUTGOING))
    if roll < 0.5:
        return {"type": "websocket.accept", "headers": dice.headers()}
    if roll < 0.7:
        return dice.any_of(
            {"type": "websocket.send", "text": dice.text(1_000)},
            {"type": "websocket.send", "bytes": dice.randbytes(9), "text": None},
        )
    if roll < 0.8:
        codes = CODES + ODD_CODES if is_odd else CODES
        return dice.any_of(
            {"type": "websocket.close"}, {"type": "websocket.close", "code": dice.choice(codes)}
        )
    if roll < 0.9:
        status = dice.any_of(200, 401, 403, 429, 500, 99_999, -1)
        return {
            "type": "websocket.http.response.start",
            "status": status,
            "headers": dice.headers(),
        }
    more = dice.random() < 0.5
    return {"type": "websocket.http.response.body", "body": dice.randbytes(9), "more_body": more}


def incoming(dice: Dice, *, is_odd: bool) -> Any:
    """What a server gives."""
    roll = dice.random()
    if is_odd and roll < 0.3:
        return copy(dice.choice(ODD_INCOMING))
    if roll < 0.8:
        return dice.any_of(
            {"type": "websocket.receive", "text": dice.text(1_000)},
            {"type": "websocket.receive", "bytes": dice.randbytes(9), "text": None},
        )
    codes = CODES + ODD_CODES if is_odd else CODES
    return {"type": "websocket.disconnect", "code": dice.choice(codes)}


def talk(dice: Dice) -> dict[str, Any]:
    """A websocket: what both sides do, step by step, and where it breaks off."""
    is_odd = dice.random() < 0.5
    steps = dice.some(
        lambda: dice.any_of(
            ("send", outgoing(dice, is_odd=is_odd)), ("receive", incoming(dice, is_odd=is_odd))
        ),
        6,
    )
    error = dice.error()
    if error is not None:
        steps.insert(dice.randint(0, len(steps)), ("raise", error))
    if dice.random() < 0.2:
        steps.insert(dice.randint(0, len(steps)), ("cancelled", None))
    return {
        "is_odd": is_odd,
        "path": dice.text(1_000),
        "raw_path": dice.any_of(None, dice.raw()),
        "headers": dice.headers(),
        "client": dice.any_of(("10.0.0.1", 5), None, ["::1", 0]),
        "steps": steps,
        "refuses": dice.error() if dice.random() < 0.3 else None,
        "goes_on": dice.random() < 0.5,
        "say": dice.say(),
    }


@pytest.fixture(scope="module", params=POLICIES)
def fuzzed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fuzzed]:
    with fuzzed_audit(tmp_path_factory.mktemp("fuzz"), request.param) as each:
        yield each


async def _talk(audit: FlowAudit, one: dict[str, Any]) -> None:
    passed: list[Any] = []
    given: list[BaseException] = []  # what the app raised, or let through

    async def receive() -> Any:
        if not passed:
            passed.append({"type": "websocket.connect"})
        return passed[-1]

    async def send(message: Any) -> None:
        assert message is passed[-1]
        if one["refuses"] is not None:
            raise one["refuses"]

    async def step(what: str, message: Any, receive: Any, send: Any) -> None:
        if what == "raise":
            raise message
        if what == "cancelled":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        passed.append(message)
        if what == "receive":
            assert await receive() is message
        elif what == "send":
            await send(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        one["say"]()
        for what, message in one["steps"]:
            try:
                await step(what, message, receive, send)
            except Exception as error:
                if not one["goes_on"]:
                    given.append(error)
                    raise
            except BaseException as error:
                given.append(error)
                raise

    scope = {"type": "websocket", "path": one["path"], "headers": one["headers"]}
    scope |= {"client": one["client"], "query_string": b""}
    if one["raw_path"] is not None:
        scope["raw_path"] = one["raw_path"]
    before = audit.capture_failures
    raised: BaseException | None = None
    try:
        await audit.asgi(app)(scope, receive, send)
    except BaseException as error:
        raised = error
    same_error(raised, given[0] if given else None)
    assert one["is_odd"] or audit.capture_failures == before


@fuzzing
@given(st.integers(0, 2**64))
def test_websockets(fuzzed: Fuzzed, seed: int) -> None:
    audit, expected = fuzzed
    dice = Dice(seed)

    async def all_of_them() -> None:
        for _ in range(BATCH):
            expected[0] += 1
            await asyncio.create_task(_talk(audit, talk(dice)))

    asyncio.run(all_of_them())
