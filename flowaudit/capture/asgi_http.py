"""One HTTP request over ASGI: its messages watched, none of them changed."""

import time
from typing import Final

from ..policy.classify import CLIENT_LEFT, INCOMPLETE
from .asgi_exchange import (
    NEVER_ANSWERED,
    ASGIApp,
    AsgiExchange,
    Enrich,
    Message,
    Receive,
    Scope,
    Send,
    with_lasting_headers,
)
from .context import current
from .intake import Intake
from .lookout import Lookout

__all__ = ["HttpExchange"]

LOOK_AFTER_NS: Final = 50_000_000
"""An answer that took longer is preceded by a look whether its client still waits for it."""

_WITHOUT_BODY: Final = frozenset([204, 304])


class HttpExchange(AsgiExchange):
    """One request: its event is made before the last message of its answer goes to the server."""

    __slots__ = ("has_trailers", "is_body_read", "is_late", "is_receiving", "lookout", "unsent")

    def __init__(
        self, audit: Intake, enrich: Enrich | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        super().__init__(audit, enrich, "request", scope, receive, send)
        self.has_trailers = self.is_body_read = self.is_receiving = self.is_late = False
        self.lookout: Lookout | None = None
        self.unsent: Exception | None = None
        """What the server raised for the last message, or since nobody is there for one."""

    async def run(self, app: ASGIApp) -> None:
        """Let the app answer; what it raises passes unchanged."""
        facts = self.facts
        token = current.set(facts)
        try:
            await app(self.scope, self.watched_receive, self.watched_send)
        except BaseException as error:
            if not facts.done:
                self.fail(error)
            elif error is not self.unsent:
                self.audit.hear_failure(facts, error)
            raise
        finally:
            current.reset(token)
            if self.lookout is not None:
                self.lookout.end()
            if not facts.done:
                self._end_unfinished()

    async def watched_receive(self) -> Message:
        """The server's `receive`, watched."""
        facts = self.facts
        self.is_receiving = True
        try:
            message = await (self.receive if self.lookout is None else self.lookout.receive)()
        finally:
            self.is_receiving = False
        try:
            if message["type"] == "http.request":
                facts.bytes_in += len(message.get("body") or b"")
                self.is_body_read = not message.get("more_body", False)
            elif message["type"] == "http.disconnect" and not facts.done:
                facts.disconnected = True
        except Exception as error:  # a message that no server gives
            self.audit.note_failure(error)
        return message

    async def watched_send(self, message: Message) -> None:
        """The server's `send`, watched."""
        facts = self.facts
        message, is_last = self.watch(message)
        if self.is_late and not facts.done:
            await self.look_for_client()
        is_last = is_last and not facts.done and facts.status is not None
        if is_last and not self.finish_at_once():
            await self.audit.finish_async(facts)
        await self.pass_on(message, is_last)

    async def pass_on(self, message: Message, is_last: bool) -> None:
        """Give the server a message."""
        facts = self.facts
        try:
            await self.send(message)
        except Exception as error:
            if isinstance(error, OSError):  # once the client is gone (ASGI, HTTP 2.4)
                facts.disconnected = facts.disconnected or not facts.done
                self.unsent = error
            elif is_last:  # as for an answer that is shorter than its length
                self.unsent = error
            raise

    def watch(self, message: Message) -> tuple[Message, bool]:
        """What a message tells: it, and whether the client has the whole answer with it."""
        facts = self.facts
        is_last = False
        try:
            kind = message["type"]
            if kind == "http.response.body":
                is_last = self._weigh(message)
            elif kind == "http.response.start":
                message, is_last = self._start(message)
                self.is_late = time.perf_counter_ns() - facts.start_ns > LOOK_AFTER_NS
            elif kind == "http.response.trailers":
                is_last = not message.get("more_trailers", False)
            elif kind == "http.response.pathsend":
                facts.bytes_out += self.length or 0
                is_last = not self.has_trailers
            elif kind == "http.response.zerocopysend":
                facts.bytes_out += message.get("count") or self.length or 0
                is_last = not (self.has_trailers or message.get("more_body", False))
        except Exception as error:  # a message that no server would take
            self.audit.note_failure(error)
        return message, is_last

    def _start(self, message: Message) -> tuple[Message, bool]:
        """The answer begins; whether the client has all of it with its head."""
        facts = self.facts
        self.has_trailers = message.get("trailers", False)
        status = message.get("status")
        facts.status = status = status if isinstance(status, int) else None
        headers = message.get("headers") or ()
        if not isinstance(headers, list):
            message, headers = with_lasting_headers(message)
        self.look_at_answer(headers)
        return message, facts.method == "HEAD" or status in _WITHOUT_BODY or self.length == 0

    def _weigh(self, message: Message) -> bool:
        """Count a block; whether the client has the whole answer with it."""
        facts, length = self.facts, self.length
        body = message.get("body")
        if body:
            facts.bytes_out += len(body)
        if message.get("more_body", False):
            return length is not None and length <= facts.bytes_out and not self.has_trailers
        if length is not None and facts.bytes_out < length and not facts.done:
            facts.cause = facts.cause or INCOMPLETE  # the server will find it, after us
        return not self.has_trailers

    async def look_for_client(self) -> None:
        """See once whether the client has left while the app worked on an answer that now begins.

        Servers tell an app that asks, and an app that answers in one piece does not ask.
        """
        self.is_late = False
        if self.is_receiving or not (self.is_body_read or _has_no_body(self.scope)):
            return  # the app asks itself; or to ask would be to take its body
        if self.lookout is None:
            self.lookout = Lookout(self.receive)
        if await self.lookout.has_left():
            facts = self.facts
            facts.disconnected = True
            if facts.status is not None and facts.status < 400:
                facts.status = CLIENT_LEFT

    def _end_unfinished(self) -> None:
        """The app is through, and its answer is not."""
        facts = self.facts
        if facts.status is None:
            facts.status = CLIENT_LEFT if facts.disconnected else NEVER_ANSWERED
        elif facts.exception is None and not facts.disconnected:
            facts.cause = facts.cause or INCOMPLETE
        if not self.finish_at_once():
            self.audit.finish_slowly(facts)


def _has_no_body(scope: Scope) -> bool:
    """Whether a request announces no body (RFC 9112 §6.3)."""
    return not any(
        name in (b"content-length", b"transfer-encoding") and value != b"0"
        for name, value in scope["headers"]
    )
