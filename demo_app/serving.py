"""The portal on a real HTTP server, in a thread of its own."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn

from flowaudit import FlowAudit

from .clinic import make_app
from .store import Clinic

__all__ = ["POLICY", "serve"]

POLICY: Final = Path(__file__).with_name("flowaudit.toml")

START_S: Final = 20.0
"""Seconds in which the server must be up."""


@contextmanager
def serve(
    clinic: Clinic, trail: Path, clock: Callable[[], float]
) -> Iterator[tuple[int, FlowAudit]]:
    """The portal, served on a free port of 127.0.0.1 for as long as the block runs."""
    audit = FlowAudit(
        trail=trail,
        service="clinic",
        version=clinic.version,
        policy=POLICY,
        clock=clock,
        trusted_proxies=["127.0.0.0/8"],
        session_cookie=["clinic_session"],
        login_paths=["/login"],
    )
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(clinic, audit),
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=600,
        )
    )
    # asyncio sends small answers at once only on sockets that name their protocol
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],), name="clinic", daemon=True)
    thread.start()
    try:
        _wait_for(server, thread)
        yield listener.getsockname()[1], audit
    finally:
        server.should_exit = True
        thread.join(START_S)
        listener.close()
        audit.close()


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    end = time.monotonic() + START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise RuntimeError("the clinic's server did not start")
        time.sleep(0.01)
