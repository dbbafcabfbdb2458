"""A few scenarios once more through real servers: uvicorn, and Werkzeug's own."""

import http.client
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from .build import BUILDS
from .conftest import Running
from .differences import expected_on, without_pages
from .drivers import TIME_LIMIT_S, Call
from .scenarios import SCENARIOS
from .servers import served

pytest.importorskip("uvicorn")

OVER_THE_WIRE = (
    "number",
    "query-allow-listed",
    "unicode",
    "secret",
    "stream",
    "big",
    "head",
    "created",
    "forbidden",
    "redirect-302",
    "unknown-path",
    "partial",
    "trace",
    "crash",
    "client-left-while-it-works",
    "short",
    "deployment-after-the-answer",
    "sign-in-after-the-answer",
)


def send(port: int, call: Call) -> int | None:
    """Send a call with exactly its own headers, and give the status that the client saw."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIME_LIMIT_S)
    try:
        connection.putrequest(call.method, call.target, skip_host=True, skip_accept_encoding=True)
        for name, value in call.header_list():
            connection.putheader(name, value)
        if call.body:
            connection.putheader("content-length", str(len(call.body)))
        connection.endheaders(call.body or None)
        if call.leaves_after_s is not None:
            time.sleep(call.leaves_after_s)
            return None
        response = connection.getresponse()
        with suppress(http.client.IncompleteRead):
            response.read()
        return response.status
    finally:
        connection.close()


@pytest.mark.parametrize("name", BUILDS)
def test_a_real_server_makes_no_difference(
    running: Callable[..., Running], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = running(name)
    with served(app.build.app, is_asgi=app.build.is_asgi) as port:
        for scenario in OVER_THE_WIRE:
            [call] = SCENARIOS[scenario].calls
            status = send(port, call)
            expected = [event | {"client": "127.0.0.1"} for event in expected_on(name, scenario)]
            expected, found = without_pages(expected, app.await_events(len(expected)))
            assert found == expected, scenario
            [told] = [event["status"] for event in found if event["kind"] == "request"]
            assert status in (told, None), scenario
    assert app.events() == []
