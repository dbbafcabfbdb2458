"""A few scenarios once more through real servers: uvicorn, and Werkzeug's own."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .build import BUILDS
from .conftest import Running
from .differences import expected_on, without_pages
from .drivers import TIME_LIMIT_S, Call
from .scenarios import SCENARIOS

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
)


@contextmanager
def served(app: Any, *, is_asgi: bool) -> Iterator[int]:
    """The port of a server on loopback that has the app."""
    with (_uvicorn if is_asgi else _werkzeug)(app) as port:
        yield port


@contextmanager
def _uvicorn(app: Any) -> Iterator[int]:
    import uvicorn

    config = uvicorn.Config(
        app, "127.0.0.1", 0, log_config=None, lifespan="off", proxy_headers=False, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + TIME_LIMIT_S
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    assert server.started
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(TIME_LIMIT_S)
        assert not thread.is_alive()


@contextmanager
def _werkzeug(app: Any) -> Iterator[int]:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None: ...

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join(TIME_LIMIT_S)
        server.server_close()
        assert not thread.is_alive()


def send(port: int, call: Call) -> int:
    """Send a call with exactly its own headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIME_LIMIT_S)
    try:
        connection.putrequest(call.method, call.target, skip_host=True, skip_accept_encoding=True)
        for name, value in call.header_list():
            connection.putheader(name, value)
        if call.body:
            connection.putheader("content-length", str(len(call.body)))
        connection.endheaders(call.body or None)
        response = connection.getresponse()
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
            expected, found = without_pages(expected, app.events())
            assert found == expected, scenario
            assert status == found[-1]["status"]
