"""A streamed answer on its way: its blocks are counted, its end makes the request's event."""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flowaudit import FlowAudit
from flowaudit.capture.context import current
from flowaudit.capture.facts import Facts
from flowaudit.capture.heads import MAX_LENGTH_DIGITS
from flowaudit.capture.short import note_shortness
from flowaudit.capture.streams import Guard

__all__ = ["note_end", "watch"]


def watch(response: Any, facts: Facts, audit: FlowAudit) -> None:
    """Let a streaming response make the event when its last block has gone, or when it is closed.

    A `FileResponse` stays as it is, so that the server can use sendfile; its event is made now.
    """
    if getattr(response, "file_to_stream", None) is not None:
        length = str(response.headers.get("Content-Length") or "")
        facts.bytes_out = int(length) if length.isdigit() else 0
        audit.finish(facts)
        return
    kind = _AsyncBlocks if response.is_async else _Blocks
    response.streaming_content = kind(response.streaming_content, facts, audit, response.headers)


def note_end(facts: Facts, headers: Mapping[str, str]) -> None:
    """Take note of an answer that the app has ended: it may be less than it announced."""
    length = str(headers.get("Content-Length") or "")
    if length.isdecimal() and len(length) < MAX_LENGTH_DIGITS:
        note_shortness(facts, int(length), headers)


class _Watched:
    """What both kinds of streams share. Closing ends it too: a server may never have begun."""

    content: Any

    def __init__(
        self, content: Any, facts: Facts, audit: FlowAudit, headers: Mapping[str, str]
    ) -> None:
        self.content = content
        self.facts = facts
        self.audit = audit
        self.guard = Guard(audit)
        self.headers = headers

    def pass_on(self, block: bytes) -> bytes:
        """Take note of a block."""
        self.facts.bytes_out += len(block)
        if self.facts.payload is not None:
            self.guard(self.facts.payload.response.take, block)
        return block

    def end(self) -> None:
        """Take note of the end."""
        self.guard(lambda headers: note_end(self.facts, headers), self.headers)
        if self.facts.payload is not None:
            self.facts.payload.response.is_whole = True

    def close(self) -> None:
        if not self.facts.done:
            self.facts.disconnected = self.facts.method != "HEAD"
            self.audit.finish(self.facts)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """While the app makes one block, what it says belongs to the request."""
        token = current.set(self.facts)
        try:
            yield
        except CancelledError:
            self.close()
            raise
        except BaseException as error:
            self.facts.exception = error
            self.audit.finish(self.facts)
            raise
        finally:
            current.reset(token)


class _Blocks(_Watched):
    """A class and no generator: one that nobody has begun would not notice that it is closed."""

    content: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block: bytes | None = None
        with self.speaking():
            block = next(self.content, None)
        if block is None:
            self.end()
            self.audit.finish(self.facts)
            raise StopIteration
        return self.pass_on(block)


class _AsyncBlocks(_Watched):
    """Makes a generator: where sending fails Django closes nothing, but the event loop ends it."""

    content: AsyncIterator[bytes]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                block: bytes | None = None
                with self.speaking():
                    block = await anext(self.content, None)
                if block is None:
                    self.end()
                    await self.audit.finish_async(self.facts)
                    return
                yield self.pass_on(block)
        finally:
            self.close()
