"""What a WSGI app reads and gives, with a body that takes note of each piece as it passes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from .bodies import Body
from .intake import Intake

__all__ = ["Blocks", "Guard", "Input", "SizedBlocks", "has_blocks"]

_READS: Final = frozenset(["read", "read1", "readall", "readline"])
_READS_INTO: Final = frozenset(["readinto", "readinto1"])


def has_blocks(body: object) -> bool:
    """Whether what an app gives can be iterated; else it is for the server to know or refuse."""
    return hasattr(body, "__iter__") or hasattr(body, "__getitem__")


class Guard:
    """Calls what is ours; a fault of it is counted and goes no further."""

    __slots__ = ("_audit",)

    def __init__(self, audit: Intake) -> None:
        self._audit = audit

    def __call__(self, function: Callable[[Any], object], value: Any) -> None:
        """Call a function with one value."""
        try:
            function(value)
        except Exception as error:
            self._audit.note_failure(error)


class Blocks:
    """An app's iterable, with a body that takes each block as it passes."""

    __slots__ = ("_blocks", "_body", "_guard", "_iterator")

    def __init__(self, blocks: Iterable[bytes], body: Body, guard: Guard) -> None:
        self._blocks, self._body, self._guard = blocks, body, guard
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._iterator is None:
            self._iterator = iter(self._blocks)
        try:
            block = next(self._iterator)
        except StopIteration:
            self._body.is_whole = True
            raise
        self._guard(self._body.take, block)
        return block

    def close(self) -> None:
        """Close the app's iterable, if it can be."""
        close = getattr(self._blocks, "close", None)
        if close is not None:
            close()


class SizedBlocks(Blocks):
    """As `Blocks`, for an iterable whose length servers may ask for."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._blocks)  # type: ignore[arg-type]


class Input:
    """A `wsgi.input`, whatever else it offers, with a body that takes what is read of it."""

    __slots__ = ("_body", "_guard", "_stream")

    def __init__(self, stream: Any, body: Body, guard: Guard) -> None:
        for name, value in (("_stream", stream), ("_body", body), ("_guard", guard)):
            object.__setattr__(self, name, value)

    def read(self, *args: Any, **kwargs: Any) -> Any:
        """As the stream's own."""
        return self._took(self._stream.read(*args, **kwargs), (*args, *kwargs.values()))

    def readline(self, *args: Any, **kwargs: Any) -> Any:
        """As the stream's own."""
        return self._took(self._stream.readline(*args, **kwargs), args or (1,))

    def readlines(self, *args: Any, **kwargs: Any) -> Any:
        """As the stream's own."""
        lines = self._stream.readlines(*args, **kwargs)
        self._guard(self._take_all, lines)
        if not args and not kwargs:
            self._body.is_whole = True
        return lines

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            self._guard(self._body.take, line)
            yield line
        self._body.is_whole = True

    def __next__(self) -> Any:
        return self._took(next(self._stream), (1,))

    def __enter__(self) -> "Input":
        self._stream.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> Any:
        return self._stream.__exit__(*exc_info)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        if name in _READS:
            return lambda *args: self._took(found(*args), args)
        if name in _READS_INTO:
            return lambda buffer: self._took_into(buffer, found(buffer))
        if name == "seek":
            return lambda *args: self._sought(found(*args))
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._stream, name, value)

    def _took(self, data: Any, args: tuple[Any, ...]) -> Any:
        """Take what a read gave; nothing, though something was asked for, is the end."""
        self._guard(self._body.take, data or b"")
        asked = args[0] if args else -1
        if asked is None or asked < 0 or (asked and not data):
            self._body.is_whole = True
        return data

    def _take_all(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self._body.take(line)

    def _took_into(self, buffer: Any, count: Any) -> Any:
        self._guard(lambda n: self._body.take(bytes(memoryview(buffer)[: n or 0])), count)
        if count == 0 and len(buffer):
            self._body.is_whole = True
        return count

    def _sought(self, place: Any) -> Any:
        """Whoever goes back to the start reads it again; from elsewhere nothing can be told."""
        if self._body.is_whole:
            object.__setattr__(self, "_body", Body(0))  # what was read is known already
        elif place == 0:
            self._body.begin_anew()
        else:
            self._body.lose_track()
        return place
