"""One websocket over ASGI: an event when it is accepted or refused, one when it is closed."""

from asyncio import CancelledError
from typing import Final

from ..policy.classify import CLIENT_LEFT, says_gone
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

__all__ = ["WebsocketExchange"]

CLOSED_BEFORE_ACCEPT: Final = 403
"""What servers answer to a handshake that the app closes before it accepts."""


class WebsocketExchange(AsgiExchange):
    """One websocket: one event when it is accepted or refused, one when an accepted one closes."""

    __slots__ = ("close_code", "is_over", "messages_in", "messages_out", "unsent")

    def __init__(
        self, audit: Intake, enrich: Enrich | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        super().__init__(audit, enrich, "websocket", scope, receive, send)
        self.messages_in = self.messages_out = 0
        self.close_code: int | None = None
        self.is_over = False
        """Either side has closed it, or the client is known to be gone."""
        self.unsent: OSError | None = None
        """What the server raised for a message that nobody was there for."""

    async def run(self, app: ASGIApp) -> None:
        """Let the app talk; what it raises passes unchanged."""
        facts = self.facts
        token = current.set(facts)
        try:
            await app(self.scope, self.watched_receive, self.watched_send)
        except BaseException as error:
            if not self._explains(error):
                if facts.action == "refuse":
                    self.audit.hear_failure(facts, error)
                else:
                    self.fail(error)
            raise
        finally:
            current.reset(token)
            if facts.action != "refuse":
                self._end()

    async def watched_receive(self) -> Message:
        """The server's `receive`, watched."""
        message = await self.receive()
        try:
            kind = message["type"]
            if kind == "websocket.receive":
                self.messages_in += 1
                self.facts.bytes_in += _size(message)
            elif kind == "websocket.disconnect" and not self.is_over:
                self._close(message.get("code", 1005))
                self.facts.disconnected = self.facts.action is None
        except Exception as error:  # a message that no server gives
            self.audit.note_failure(error)
        return message

    async def watched_send(self, message: Message) -> None:
        """The server's `send`, watched."""
        facts = self.facts
        try:
            kind = message["type"]
            if kind == "websocket.send":
                self.messages_out += 1
                facts.bytes_out += _size(message)
            elif kind == "websocket.accept" and facts.action is None:
                await self._tell("accept")
            elif kind == "websocket.close":
                if not self.is_over:  # what the client said when it left stands
                    facts.closed_with = self._close(message.get("code", 1000))
                if facts.action is None:
                    facts.status = facts.status or CLOSED_BEFORE_ACCEPT
                    facts.said.note({"close_code": self.close_code})
                    await self._tell("refuse")
            elif kind == "websocket.http.response.start" and facts.action is None:
                status = message.get("status")
                facts.status = status if isinstance(status, int) else None
                message, headers = with_lasting_headers(message)
                self.look_at_answer(headers)
            elif kind == "websocket.http.response.body" and facts.action is None:
                facts.bytes_out += len(message.get("body") or b"")
                if not message.get("more_body", False):
                    await self._tell("refuse")
        except Exception as error:  # a message that no server would take
            self.audit.note_failure(error)
        try:
            await self.send(message)
        except OSError as error:  # what a server raises once the client is gone (ASGI 2.4)
            self.unsent = error
            if not self.is_over:
                self.is_over = facts.disconnected = True
            raise

    def _close(self, code: object) -> int | None:
        """Take the first close, and give its code."""
        self.is_over = True
        self.close_code = int(code) if isinstance(code, int) else None  # servers give enums too
        return self.close_code

    def _explains(self, error: BaseException) -> bool:
        """Whether the app raised what the end of the talk made it raise, which is no fault."""
        if isinstance(error, BaseExceptionGroup):
            return all(self._explains(each) for each in error.exceptions)
        return self.is_over and (
            error is self.unsent or isinstance(error, CancelledError) or says_gone(error)
        )

    async def _tell(self, action: str) -> None:
        facts = self.facts
        facts.action, facts.done = action, False
        if not self.finish_at_once():
            await self.audit.finish_async(facts)

    def _end(self) -> None:
        """The app is through with a websocket that was not refused."""
        facts = self.facts
        if facts.action is None:
            facts.action = "refuse"
            if facts.status is None:
                facts.status = CLIENT_LEFT if facts.disconnected else NEVER_ANSWERED
        else:
            facts.action = "close"
            facts.said.note(
                {
                    "close_code": self.close_code,
                    "messages_in": self.messages_in,
                    "messages_out": self.messages_out,
                }
            )
        facts.done = False
        if not self.finish_at_once():
            self.audit.finish_slowly(facts)


def _size(message: Message) -> int:
    text = message.get("text")
    return len(text.encode("utf-8", "replace")) if text else len(message.get("bytes") or b"")
