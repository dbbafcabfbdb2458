"""Fixtures that the tests of several adapters use."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def to_wsgi() -> Iterator[Callable[[Any], Any]]:
    """Makes a WSGI app of an ASGI app, on a loop that ends with the test."""
    a2wsgi = pytest.importorskip("a2wsgi")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield lambda app: a2wsgi.ASGIMiddleware(app, wait_time=5.0, loop=loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
