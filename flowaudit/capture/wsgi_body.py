"""An app's iterable on its way to a WSGI server: each block is seen before it goes, and the end."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from .facts import Facts

__all__ = ["SizedBody", "WatchedBody"]


class Watcher(Protocol):
    """Who is told what passes: the exchange that the answer belongs to."""

    facts: Facts

    def count(self, data: bytes) -> None:
        """A block is about to go to the server."""

    def end(self) -> None:
        """The app has no more blocks."""

    def fail(self, error: BaseException) -> None:
        """The app raised."""

    def abandon(self) -> None:
        """The server has closed the answer."""

    def leave(self) -> None:
        """The request is over in this thread."""


class WatchedBody:
    """An app's iterable, watched."""

    __slots__ = ("_body", "_exchange", "_iterator")

    def __init__(self, body: Iterable[bytes], exchange: Watcher) -> None:
        self._body = body
        self._exchange = exchange
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            block = next(self._iterator)
        except StopIteration:
            self._exchange.end()
            raise
        except BaseException as error:
            self._exchange.fail(error)
            raise
        self._exchange.count(block)
        return block

    def close(self) -> None:
        """Close the app's iterable, if it can be; the request is over then."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            if self._exchange.facts.done:
                self._exchange.fail(error)
            raise
        finally:
            self._exchange.abandon()
            self._exchange.leave()


class SizedBody(WatchedBody):
    """As `WatchedBody`, for an iterable whose length servers may ask for."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]
