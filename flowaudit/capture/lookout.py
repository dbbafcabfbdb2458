"""A look at whether a client still waits, without taking a message from the app."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final

from .asgi_exchange import Message, Receive

__all__ = ["Lookout"]

LOOP_TURNS: Final = 2
"""Turns of the event loop in which a server gives a message that it has already."""

MAX_AHEAD: Final = 2
"""Messages read ahead of the app at most: the end of the request, and the client's leaving."""


class Lookout:
    """Asks a server ahead of its app; every message that comes is the app's, in its order.

    A message that is asked for and does not come stays asked for: nothing that a server has
    begun to give is thrown away while the app runs.
    """

    __slots__ = ("_ahead", "_asked", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ahead: deque[Message] = deque()
        self._asked: asyncio.Future[Message] | None = None

    async def has_left(self) -> bool:
        """Whether the server says now that the client is gone. Never raises but for cancellation.

        False where it can't be known: on another event loop than asyncio's.
        """
        if not _is_asyncio():
            return False
        for _ in range(MAX_AHEAD):
            if self._asked is None:
                self._asked = asyncio.ensure_future(_asking(self._receive))
            asked = self._asked
            for _ in range(LOOP_TURNS):
                await asyncio.sleep(0)
            if not asked.done() or asked.cancelled() or asked.exception() is not None:
                return False  # what was raised is for the app, when it asks
            message = asked.result()
            self._ahead.append(message)
            self._asked = None
            kind = message.get("type") if isinstance(message, Mapping) else None
            if kind == "http.disconnect":
                return True
            if kind != "http.request" or message.get("more_body", False):
                return False
        return False

    async def receive(self) -> Message:
        """The server's next message."""
        if self._ahead:
            return self._ahead.popleft()
        if self._asked is None:
            return await self._receive()
        try:
            # an app that gives up waiting must not end what the server has begun to give
            message = await asyncio.shield(self._asked)
        except BaseException:
            if self._asked.done():
                self._asked = None
            raise
        self._asked = None
        return message

    def end(self) -> None:
        """The app is through: nobody waits for a message any more."""
        if self._asked is not None:
            self._asked.cancel()


async def _asking(receive: Receive) -> Message:
    return await receive()


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
