"""The ASGI wrapper: watches the messages of a request or websocket and changes none of them."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import astuple
from typing import Any, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool

from .context import current
from .facts import Facts, set_cookie_value
from .heads import ASGI_NAMES
from .sink import Sink
from .targets import SAFE_IN_PATH

__all__ = ["ASGIApp", "AsgiCapture"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Enrich = Callable[[Scope, Facts], None]

SCOPE_KEY: Final = "flowaudit"
"""Where the outer wrapper leaves the request's facts, so that an inner one only enriches."""

_LOOKED_AT: Final = frozenset(astuple(ASGI_NAMES))

POLICY_VIOLATION: Final = 1008
"""Close code of a websocket that is refused after it was accepted (RFC 6455 §7.4.1)."""

CLOSED_BEFORE_ACCEPT: Final = 403
"""What servers answer to a handshake that the app closes before it accepts."""


class AsgiCapture:
    """An ASGI app whose every request and websocket gives an event.

    Args:
        app: the app inside.
        audit: where the events go.
        enrich: called with the scope when the app has answered: what a framework knows.
    """

    def __init__(self, app: ASGIApp, audit: Sink, enrich: Enrich | None = None) -> None:
        self.app = app
        self.audit = audit
        self._enrich = enrich
        self._reads_cookies = bool(audit.settings["session_cookie"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as the ASGI specification has it."""
        kind = scope["type"]
        if kind == "http" and SCOPE_KEY not in scope:
            await self._http(scope, receive, send)
        elif kind == "websocket" and SCOPE_KEY not in scope:
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        facts = self._begin(scope)
        has_trailers = False

        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                facts.bytes_in = (facts.bytes_in or 0) + len(message.get("body") or b"")
            elif message["type"] == "http.disconnect" and not facts.done:
                facts.disconnected = True
            return message

        async def watched_send(message: Message) -> None:
            nonlocal has_trailers
            kind = message["type"]
            if kind == "http.response.body":
                body = message.get("body")
                if body:
                    facts.bytes_out += len(body)
                if not message.get("more_body", False) and not has_trailers and not facts.done:
                    await self._finish(scope, facts)
            elif kind == "http.response.start":
                has_trailers = message.get("trailers", False)
                facts.status = status = message.get("status")
                if self._reads_cookies or status is None or status >= 300:
                    self._response(facts, message)
            elif kind == "http.response.pathsend" or (
                kind == "http.response.trailers" and not message.get("more_trailers", False)
            ):
                await self._finish(scope, facts)
            elif kind == "http.response.zerocopysend":
                facts.bytes_out += message.get("count") or 0
                if not message.get("more_body", False) and not has_trailers:
                    await self._finish(scope, facts)
            await send(message)

        token = current.set(facts)
        try:
            await self.app(scope, watched_receive, watched_send)
        except BaseException as error:
            if not facts.done:
                facts.exception = error
            raise
        finally:
            current.reset(token)
            if not facts.done:
                if facts.status is None:
                    facts.status = 499 if facts.disconnected else 500
                self._enrich_guarded(scope, facts)
                self.audit.finish(facts)

    def _begin(self, scope: Scope, kind: str = "request") -> Facts:
        audit = self.audit
        facts = Facts(audit.now_us(), scope.get("method", "GET"))
        if kind != "request":
            facts.kind = kind
        scope[SCOPE_KEY] = facts
        client = scope.get("client")
        try:
            if not isinstance(scope["headers"], list):
                scope["headers"] = list(scope["headers"])  # it may be readable only once
            headers = {name: value for name, value in scope["headers"] if name in _LOOKED_AT}
            if ASGI_NAMES.forwarded_for in headers:
                headers[ASGI_NAMES.forwarded_for] = _joined(scope, ASGI_NAMES.forwarded_for)
            raw = scope.get("raw_path")
            audit.look(
                facts,
                headers.get,
                ASGI_NAMES,
                peer=client[0] if client else "",
                target=raw or quote(scope.get("path", ""), safe=SAFE_IN_PATH),
                is_rebuilt=not raw,
            )
            query = scope.get("query_string")
            if query:
                facts.query = query.decode("latin-1")
        except Exception as error:
            audit.note_failure(error)
        if kind == "request":
            audit.begin()
        return facts

    def _response(self, facts: Facts, message: Message) -> None:
        """What the answer's headers tell: where it leads, and a new session."""
        try:
            for name, value in message.get("headers") or ():
                lowered = name.lower()
                if lowered == b"location":
                    facts.location = value.decode("latin-1")
                elif lowered == b"set-cookie" and self._reads_cookies:
                    cookies = self.audit.settings["session_cookie"]
                    session = set_cookie_value(value.decode("latin-1"), cookies)
                    facts.new_session = session or facts.new_session
        except Exception as error:
            self.audit.note_failure(error)

    async def _finish(self, scope: Scope, facts: Facts) -> None:
        """Before the last message: the event is in the spool when this returns."""
        if facts.done:
            return
        self._enrich_guarded(scope, facts)
        if not self.audit.finish_at_once(facts):
            await self.audit.finish_async(facts)

    def _enrich_guarded(self, scope: Scope, facts: Facts) -> None:
        enrich = scope.get("flowaudit.enrich") or self._enrich
        if enrich is not None:
            try:
                enrich(scope, facts)
            except Exception as error:
                self.audit.note_failure(error)

    async def _inner(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Inside another wrapper: only tell it what this framework knows."""
        if self._enrich is not None and SCOPE_KEY in scope:
            scope.setdefault("flowaudit.enrich", self._enrich)
        await self.app(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing_send(message: Message) -> None:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await run_in_threadpool(self.audit.close)
            await send(message)

        await self.app(scope, receive, closing_send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One event when it is accepted or refused, one when an accepted one is closed."""
        facts = self._begin(scope, "websocket")

        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                facts.said.note({"close_code": message.get("code", 1005)})
            elif message["type"] == "websocket.receive":
                facts.bytes_in = (facts.bytes_in or 0) + _size(message)
            return message

        async def watched_send(message: Message) -> None:
            kind = message["type"]
            if kind == "websocket.accept":
                await self._websocket_event(scope, facts, "accept")
            elif kind == "websocket.send":
                facts.bytes_out += _size(message)
            elif kind == "websocket.close":
                code = message.get("code", 1000)
                facts.said.note({"close_code": code})
                if facts.action is None:
                    facts.status = CLOSED_BEFORE_ACCEPT
                    await self._websocket_event(scope, facts, "refuse")
                elif code == POLICY_VIOLATION:
                    facts.cause = facts.cause or "forbidden"
            elif kind == "websocket.http.response.start" and facts.action is None:
                facts.status = message.get("status")
                await self._websocket_event(scope, facts, "refuse")
            await send(message)

        token = current.set(facts)
        try:
            await self.app(scope, watched_receive, watched_send)
        except BaseException as error:
            facts.exception = error
            raise
        finally:
            current.reset(token)
            if facts.action != "refuse":
                facts.action = "close" if facts.action == "accept" else "refuse"
                facts.done = False
                self._enrich_guarded(scope, facts)
                self.audit.finish(facts)

    async def _websocket_event(self, scope: Scope, facts: Facts, action: str) -> None:
        facts.action, facts.done = action, False
        self._enrich_guarded(scope, facts)
        await self.audit.finish_async(facts)


def _joined(scope: Scope, wanted: bytes) -> bytes:
    """A header that may be repeated, as one (RFC 9110 §5.3)."""
    return b", ".join(value for name, value in scope["headers"] if name == wanted)


def _size(message: Message) -> int:
    text = message.get("text")
    return len(text.encode("utf-8", "replace")) if text else len(message.get("bytes") or b"")
