"""Websockets over the wire: a real client, and each implementation that uvicorn has."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from flowaudit.event import flat_event
from flowaudit.trail.reader import TrailReader

from .conftest import Running
from .differences import expected_on
from .drivers import TIME_LIMIT_S, Call
from .scenarios import SCENARIOS

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")
pytest.importorskip("wsproto")

from websockets.exceptions import ConnectionClosedError

from .servers import WEBSOCKETS, served
from .talks import shaken, talk, talking

Running_ = Callable[..., Running]

SOCKETS = [name for name, scenario in SCENARIOS.items() if scenario.is_websocket]
STAY_S = 0.05
SOCKET_BUILDS = ("starlette", "fastapi", "raw-asgi")

pytestmark = [
    # uvicorn keeps its first implementation, of which many apps still run an older version
    pytest.mark.filterwarnings("ignore:The `websockets` implementation is deprecated"),
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:websockets\.legacy"),
]


def expected_over(ws: str, build: str, scenario: str) -> list[dict[str, Any]]:
    """The events of a scenario; of who vanishes, uvicorn's newer implementations tell 1005."""
    events = [event | {"client": "127.0.0.1"} for event in expected_on(build, scenario)]
    if scenario == "websocket-vanished" and ws != "websockets":
        events[-1]["data"] = events[-1]["data"] | {"close_code": 1005}
    return events


@pytest.mark.parametrize("ws", WEBSOCKETS)
@pytest.mark.parametrize("name", SOCKET_BUILDS)
def test_a_websocket_over_the_wire_makes_no_difference(
    running: Running_, name: str, ws: str
) -> None:
    app = running(name)
    with served(app.build.app, is_asgi=True, ws=ws) as port:
        for scenario in SOCKETS:
            [call] = SCENARIOS[scenario].calls
            answer = talk(port, call)
            expected = expected_over(ws, name, scenario)
            found = app.await_events(len(expected))
            assert found == expected, scenario
            assert answer.is_accepted == (found[0]["action"] == "accept"), scenario
            assert answer.status == found[0].get("status"), scenario
            assert answer.received == list(call.sends or ()), scenario
            if call.closes is None and "close_code" in found[-1]["data"]:
                assert answer.close_code == found[-1]["data"]["close_code"], scenario
    assert app.events() == []
    assert app.audit.counters == {"lost": 0, "commit_failed": 0, "capture_failed": 0}


def ends(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """How each event ended, without what depends on when that was."""
    return [
        (e["action"], e["outcome"], e.get("reason"), e.get("data", {}).get("close_code"))
        for e in events
    ]


ACCEPTED = ("accept", "ok", None, None)
LEFT = ("close", "aborted", "client-left", None)


@pytest.mark.parametrize("ws", WEBSOCKETS)
@pytest.mark.parametrize("name", SOCKET_BUILDS)
def test_a_client_that_is_gone_while_the_app_sends(running: Running_, name: str, ws: str) -> None:
    app = running(name)
    with served(app.build.app, is_asgi=True, ws=ws) as port:
        with talking(port, Call("GET", "/ws/stream")) as connection:
            connection.recv(TIME_LIMIT_S)
        with shaken(port, Call("GET", "/ws/stream")) as (wire, _):
            assert b"tick" in b"".join(wire.recv(1_000) for _ in range(3))
        found = app.await_events(4)
    assert sorted(ends(found)) == [ACCEPTED, ACCEPTED, LEFT, LEFT]
    assert all(e["data"]["messages_out"] > 0 for e in found if e["action"] == "close")
    assert app.audit.counters["capture_failed"] == 0


@pytest.mark.parametrize("ws", WEBSOCKETS)
@pytest.mark.parametrize("name", SOCKET_BUILDS)
def test_a_client_that_is_gone_before_it_is_accepted(running: Running_, name: str, ws: str) -> None:
    app = running(name)
    with served(app.build.app, is_asgi=True, ws=ws) as port:
        with shaken(port, Call("GET", "/ws/slow")):
            pass
        found = app.await_events(2)
    # uvicorn's first implementation notices only when it is asked for the next message
    assert ends(found) == [ACCEPTED, LEFT if ws != "websockets" else ("close", "ok", None, 1006)]


@pytest.mark.parametrize("ws", WEBSOCKETS)
@pytest.mark.parametrize("name", SOCKET_BUILDS)
def test_a_server_that_shuts_down(running: Running_, name: str, ws: str) -> None:
    app = running(name)
    serving = served(app.build.app, is_asgi=True, ws=ws)
    with ExitStack() as stack:
        stop = stack.enter_context(ExitStack())
        port = stop.enter_context(serving)
        connection = stack.enter_context(talking(port, Call("GET", "/ws/echo")))
        connection.send("a")
        connection.recv(TIME_LIMIT_S)
        stop.close()
        with pytest.raises(ConnectionClosedError) as closed:
            connection.recv(TIME_LIMIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert ends(app.await_events(2)) == [ACCEPTED, ("close", "ok", None, 1012)]


def test_the_last_event_has_the_whole_duration(running: Running_) -> None:
    app = running("raw-asgi")
    with served(app.build.app, is_asgi=True, ws="wsproto") as port:
        began = time.monotonic()
        with talking(port, Call("GET", "/ws/echo")):
            time.sleep(STAY_S)
        app.await_events(2)
        took_s = time.monotonic() - began
    with TrailReader(app.audit.paths.trail) as reader:
        accept, close = [flat_event(entry) for entry in reader.entries()][-2:]
    assert [accept["action"], close["action"]] == ["accept", "close"]
    assert accept["ts"] == close["ts"]
    assert 0 < accept["duration_us"] < STAY_S * 1_000_000 <= close["duration_us"]
    assert close["duration_us"] < took_s * 1_000_000
