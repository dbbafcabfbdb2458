"""An ASGI app asked in this process: an event loop of its own, lifespan, HTTP, websockets."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, Final
from urllib.parse import unquote

from .asking import Answer, Question, named

__all__ = ["AsgiAsker"]

LEAVE_S: Final = 2.0
"""Seconds after which the client of an answer that has no end is gone."""

GRACE_S: Final = 2.0
"""Seconds that a cancelled app has to come to its end."""

Message = dict[str, Any]


class AsgiAsker:
    """Puts questions to an ASGI app that has been started as a server would start it."""

    def __init__(self, app: Any, probe_s: float) -> None:
        self._app, self._probe_s = app, probe_s
        self.is_stuck = False
        self._state: dict[str, Any] = {}
        self._loop = _new_loop()
        lifespan = _Lifespan(app, self._state)
        self._lifespan: _Lifespan | None = lifespan
        """Its end belongs to the loop that it was started in."""
        self._run(lifespan.start(probe_s))

    def ask(self, question: Question) -> Answer:
        """Ask once."""
        asked = _Connection(self._app, question, self._state)
        return self._run(asked.run(self._probe_s)) or Answer(
            asked.status, f"no answer in {self._probe_s:g} s"
        )

    def close(self) -> None:
        """Shut the app down as a server would."""
        if self._lifespan is not None:
            self._run(self._lifespan.stop(self._probe_s))
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, work: Coroutine[Any, Any, Answer | None]) -> Answer | None:
        """Its result; `None` if the loop itself is held up, in which case a new one goes on."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(self._probe_s + 2 * GRACE_S)
        except TimeoutError:
            self.is_stuck = True
            self._loop, self._lifespan = _new_loop(), None
            return None


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    threading.Thread(target=run, daemon=True, name="flowaudit-coverage").start()
    return loop


class _Lifespan:
    """The app's start and end; one that knows of none is none the worse."""

    def __init__(self, app: Any, state: dict[str, Any]) -> None:
        self._app, self._state = app, state
        self._task: asyncio.Task[None] | None = None

    async def start(self, limit_s: float) -> None:
        self._orders: asyncio.Queue[Message] = asyncio.Queue()
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
        self._task = asyncio.ensure_future(
            _quiet(self._app(scope, self._orders.get, self._told.put))
        )
        await self._order("lifespan.startup", limit_s)

    async def stop(self, limit_s: float) -> None:
        if self._task is not None and not self._task.done():
            await self._order("lifespan.shutdown", limit_s)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=GRACE_S)

    async def _order(self, kind: str, limit_s: float) -> None:
        assert self._task is not None
        self._orders.put_nowait({"type": kind})
        told = asyncio.ensure_future(self._told.get())
        await asyncio.wait([told, self._task], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()


async def _quiet(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        return


class _Connection:
    """One request or websocket."""

    def __init__(self, app: Any, question: Question, state: dict[str, Any]) -> None:
        self._app, self._question, self._state = app, question, state
        self.status: int | None = None
        self._is_begun = False

    async def run(self, limit_s: float) -> Answer:
        self._is_over = asyncio.Event()
        work = asyncio.ensure_future(self._app(self._scope(), self._receive, self._send))
        await asyncio.wait([work], timeout=limit_s)
        if not work.done():
            work.cancel()
            await asyncio.wait([work], timeout=GRACE_S)
            return Answer(self.status, f"no answer in {limit_s:g} s")
        error = None if work.cancelled() else work.exception()
        return Answer(self.status, named(error) if error is not None else None)

    async def _receive(self) -> Message:
        is_websocket = self._question.is_websocket
        if not self._is_begun:
            self._is_begun = True
            if is_websocket:
                return {"type": "websocket.connect"}
            return {"type": "http.request", "body": b"", "more_body": False}
        if is_websocket:
            return {"type": "websocket.disconnect", "code": 1000}
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_over.wait(), LEAVE_S)
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
        elif kind == "websocket.accept":
            self.status = 101
        elif kind == "websocket.close" and self.status is None:
            self.status = 403
        elif kind == "http.response.body" and not message.get("more_body", False):
            self._is_over.set()

    def _scope(self) -> dict[str, Any]:
        question = self._question
        headers = {
            "host": question.host,
            "accept": "*/*",
            "user-agent": "flowaudit-coverage",
            "x-request-id": question.request_id,
        }
        scope: dict[str, Any] = {
            "type": "websocket" if question.is_websocket else "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "ws" if question.is_websocket else "http",
            "path": unquote(question.path),
            "raw_path": question.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": (question.host, 80),
            "state": dict(self._state),
        }
        return (
            {**scope, "subprotocols": []}
            if question.is_websocket
            else {**scope, "method": question.method}
        )
