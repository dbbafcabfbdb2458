"""One HTTP request over ASGI that is recorded strictly: durable before it runs and is answered."""

import asyncio
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from .asgi_exchange import ASGIApp, Enrich, Message, Receive, Scope, Send
from .asgi_http import HttpExchange
from .strict import NOT_DONE, NOT_TOLD, WAIT_S, Refusal
from .strict_intake import StrictIntake

__all__ = ["StrictHttpExchange"]


class StrictHttpExchange(HttpExchange):
    """As `HttpExchange`; what the policy wants strict is on the disk before anything comes of it.

    The intent is durable before the app runs, status and outcome before the answer begins. Of the
    answer one message is held, its start; no body ever is.
    """

    __slots__ = ("is_refused", "is_strict")
    audit: StrictIntake

    def __init__(
        self, audit: StrictIntake, enrich: Enrich | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        super().__init__(audit, enrich, scope, receive, send)
        self.is_strict = audit.is_strict(self.facts)
        self.is_refused = False
        """The client has our own refusal; what the app still sends goes nowhere."""

    async def run(self, app: ASGIApp) -> None:
        """Let the app answer, once the intent is durable."""
        if not self.is_strict:
            await super().run(app)
            return
        n = self.audit.intend_at_once(self.facts)
        if n is None:  # a person's first event
            n = await run_in_threadpool(self.audit.intend, self.facts)
        if not await self._is_durable(n):
            await self._refuse(NOT_DONE)
            self.finish_at_once()
            return
        try:
            await super().run(app)
        except Exception:
            await self._is_durable(self.facts.told_n)  # the server will answer it with a 500
            raise

    async def watched_send(self, message: Message) -> None:
        """The server's `send`, watched; the answer's start waits for the disk."""
        if not self.is_strict:
            await super().watched_send(message)
            return
        if self.is_refused:
            return
        message, is_last = self.watch(message)
        facts = self.facts
        if self.is_late:
            await self.look_for_client()
        is_due = facts.status is not None and not facts.is_told
        if is_due and not await self._is_durable(await self._tell_async()):
            await self._refuse(NOT_TOLD)
            self.finish_at_once()
            return
        if is_last and facts.is_told and not facts.done:
            self.finish_at_once()
        await self.pass_on(message, is_last)

    def finish_at_once(self) -> bool:
        """The request is over: its last event, and before it its own, if it has none yet."""
        if not self.is_strict:
            return super().finish_at_once()
        self.tell()
        self.audit.end(self.facts)
        return True

    def tell(self) -> None:
        """Make the request's own event, once."""
        if not self.facts.is_told:
            self.add_enrichment()
            self.audit.answer(self.facts)

    async def _tell_async(self) -> int:
        """As `tell`, off the event loop where it may wait for a file; the event's number."""
        self.add_enrichment()
        n = self.audit.answer_at_once(self.facts)
        return n if n is not None else await run_in_threadpool(self.audit.answer, self.facts)

    async def _refuse(self, refusal: Refusal) -> None:
        """Answer in the app's place."""
        self.is_refused = True
        self.facts.status = refusal.status
        headers = [(name.encode(), value.encode()) for name, value in refusal.headers]
        await self.send(
            {"type": "http.response.start", "status": refusal.status, "headers": headers}
        )
        await self.send({"type": "http.response.body", "body": refusal.body})

    async def _is_durable(self, n: int) -> bool:
        """Whether event `n` reaches the disk, in time."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # another kind of event loop
            return await run_in_threadpool(self.audit.is_durable, n)
        told: asyncio.Future[bool] = loop.create_future()

        def tell(is_durable: bool) -> None:
            with suppress(RuntimeError):  # nobody waits on a loop that was closed meanwhile
                loop.call_soon_threadsafe(_settle, told, is_durable)

        self.audit.when_durable(n, tell)
        timer = loop.call_later(WAIT_S, _settle, told, False)
        try:
            return await told
        finally:
            timer.cancel()


def _settle(told: "asyncio.Future[bool]", is_durable: bool) -> None:
    if not told.done():
        told.set_result(is_durable)
