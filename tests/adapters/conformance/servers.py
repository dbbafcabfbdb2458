"""Real servers on loopback, each in a thread: uvicorn, and Werkzeug's own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from .drivers import TIME_LIMIT_S

__all__ = ["WEBSOCKETS", "served"]

WEBSOCKETS: Final = ("websockets-sansio", "websockets", "wsproto")
"""What uvicorn can be told to serve websockets with."""


@contextmanager
def served(app: Any, *, is_asgi: bool, ws: str = "none", http: str = "auto") -> Iterator[int]:
    """The port of a server on loopback that has the app."""
    with _uvicorn(app, ws, http) if is_asgi else _werkzeug(app) as port:
        yield port


@contextmanager
def _uvicorn(app: Any, ws: str, http: str) -> Iterator[int]:
    import uvicorn

    config = uvicorn.Config(
        app,
        "127.0.0.1",
        0,
        log_config=None,
        lifespan="off",
        proxy_headers=False,
        http=http,
        loop="asyncio",
        ws=ws,  # type: ignore[arg-type]
    )
    config.load()  # here and not in the thread: what is deprecated of it warns
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
