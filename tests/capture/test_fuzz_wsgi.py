"""Whatever a WSGI server and an app do: one event each, and both see what they see without us.

Each request is served twice, bare and wrapped: status and headers, blocks and exceptions that reach
the server must be the same objects. Ten thousand requests in the suite, a hundred thousand in the
soak.
"""

import contextvars
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .dice import BATCH, POLICIES, Boom, Dice, Fuzzed, fuzzed_audit, fuzzing, same_error


class Odd:
    """Neither text nor a number, and not even to be asked."""

    def __str__(self) -> str:
        raise RuntimeError("not even a text")

    __repr__ = __bool__ = __len__ = __str__  # type: ignore[assignment]


ODD: list[Any] = [
    None, True, 0, 7, -1, 2**70, 0.5, float("nan"), "", "\udfff\x00", b"", b"\xff", bytearray(b"x"),
    memoryview(b"x"), [], ["x"], (), ("x",), {}, {"x": 1}, {1}, range(3), object(), Odd(), Odd,
]  # fmt: skip


class File(io.BytesIO):
    """As a server whose file wrapper is a class makes it."""


def file_of(data: Any, size: int = 8192) -> Any:
    """As a server whose file wrapper is a function makes it: anything."""
    return io.BytesIO(data)


class Some(list[Any]):
    """A list that is more than one."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


class Failing:
    """Fails as it is closed."""

    def __init__(self, blocks: list[Any], error: BaseException | None) -> None:
        self.blocks, self.error = iter(blocks), error

    def __iter__(self) -> Iterator[Any]:
        return self.blocks

    def close(self) -> None:
        if self.error is not None:
            raise self.error


def wsgi_environ(dice: Dice) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": dice.method(),
        "SCRIPT_NAME": dice.any_of("", "/app", "\xc3\xa4"),
        "PATH_INFO": dice.text(255),
        "QUERY_STRING": dice.raw().decode("latin-1"),
        "REMOTE_ADDR": dice.any_of("10.0.0.1", "::1", "", "no address"),
        "CONTENT_LENGTH": dice.any_of("", "0", "7", "-1", "9" * 40, "x", "٣"),
        "wsgi.file_wrapper": dice.any_of(File, file_of),
    }
    if dice.random() < 0.5:
        environ[dice.any_of("RAW_URI", "REQUEST_URI")] = dice.raw().decode("latin-1")
    for name, value in dice.headers():
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        environ[key] = value.decode("latin-1")
    if dice.random() < 0.1:
        environ["HTTP_UPGRADE"] = dice.any_of("websocket", "WebSocket", "h2c", 7)
    if dice.random() < 0.05:
        environ["wsgi.input"] = dice.choice(ODD)
    while dice.random() < 0.3:
        environ[dice.choice([*environ])] = dice.choice(ODD)
    while environ and dice.random() < 0.2:
        del environ[dice.choice([*environ])]
    return environ


def answer_headers(dice: Dice) -> Callable[[], Any]:
    """Makes the headers of an answer: some can be read but once."""
    names = ("Content-Length", "content-length", "Location", "Set-Cookie", "X-Sendfile", "")
    values = ("", "0", "3", "5", "x", "-1", "²", "9" * 5_000, "/login", "sid=1; Path=/")
    found: list[Any] = dice.some(lambda: (dice.choice(names), dice.choice(values)), 3)
    roll = dice.random()
    if roll < 0.1:
        found.append(dice.any_of(("one",), ("a", 7), (b"Location", b"/x"), None, "ab", (7, "x")))
    if roll < 0.2:
        return dice.any_of(
            lambda: tuple(found),
            lambda: iter(found),
            lambda: (each for each in found),
            lambda: dict(each for each in found if isinstance(each, tuple) and len(each) == 2),
            lambda: None,
            lambda: 7,
        )
    return lambda: found


SHAPES = (
    "list", "tuple", "some", "dict", "generator", "late", "never", "early", "write", "file",
    "twice", "failing", "raises", "value",
)  # fmt: skip


def wsgi_request(dice: Dice) -> dict[str, Any]:
    odd_blocks = dice.random() < 0.2
    return {
        "environ": wsgi_environ(dice),
        "status": dice.choice(ODD)
        if dice.random() < 0.1
        else dice.any_of("200 OK", "204 No", "404", "", "abc", "99999 x", "302 F", "500 E"),
        "headers": answer_headers(dice),
        "blocks": dice.some(
            lambda: dice.choice(ODD) if odd_blocks else dice.randbytes(dice.randrange(5)), 3
        ),
        "shape": dice.choice(SHAPES),
        "value": dice.choice(ODD),
        "reads": dice.randrange(4),
        "stops_after": dice.any_of(None, None, 0, 1),
        "closes": dice.random() < 0.5,
        "say": dice.say(),
        "error": dice.error(),
    }


def app_of(one: dict[str, Any], say: Callable[[], object]) -> Any:
    """The app that does what was drawn."""
    error, shape = one["error"], one["shape"]

    def app(environ: Any, start_response: Any) -> Any:
        say()
        if one["reads"]:
            environ["wsgi.input"].read(one["reads"])
        if shape in ("late", "never", "early"):
            return blocks(start_response)
        write = start_response(one["status"], one["headers"]())
        if shape == "twice":
            try:
                raise Boom
            except Boom:
                start_response("500 again", [], sys.exc_info())
        if shape == "write":
            for block in one["blocks"]:
                write(block)
        if shape in ("write", "raises") and error is not None:
            raise error
        if shape == "file":
            wrapper = environ.get("wsgi.file_wrapper")
            return wrapper(b"file") if callable(wrapper) else []
        made: dict[str, Callable[[], Any]] = {
            "list": lambda: one["blocks"],
            "tuple": lambda: (*one["blocks"],),
            "some": lambda: Some(one["blocks"]),
            "dict": lambda: dict(enumerate(one["blocks"])),
            "failing": lambda: Failing(one["blocks"], error),
            "value": lambda: one["value"],
            "write": lambda: [],
            "raises": lambda: [],
        }
        return made[shape]() if shape in made else blocks(None)

    def blocks(start_response: Any) -> Iterator[Any]:
        if shape == "early":
            yield from one["blocks"]
        if start_response is not None and shape != "never":
            start_response(one["status"], one["headers"]())
        yield from one["blocks"]
        if error is not None:
            raise error

    return app


class Seen:
    """What a server sees of an app."""

    def __init__(self, app: Any, one: dict[str, Any]) -> None:
        self.begun: list[Any] = []
        self.written: list[Any] = []
        self.blocks: list[Any] = []
        self.raised: BaseException | None = None
        self.is_file = False
        environ = {"wsgi.input": io.BytesIO(b'{"a": 1}'), **one["environ"]}
        try:
            self.serve(app(environ, self.start_response), one)
        except BaseException as error:
            self.raised = error

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        given = [*headers] if hasattr(headers, "__iter__") else headers
        self.begun.append((status, given, exc_info and exc_info[0]))
        return self.written.append

    def serve(self, answer: Any, one: dict[str, Any]) -> None:
        stops_after, self.is_file = one["stops_after"], isinstance(answer, (File, io.BytesIO))
        try:
            for i, block in enumerate(answer):
                if i == stops_after:
                    break
                self.blocks.append(block)
        finally:
            if one["closes"] or stops_after is not None:
                getattr(answer, "close", lambda: None)()

    def same_as(self, bare: "Seen", error: BaseException | None) -> None:
        """Whether a server could tell one from the other."""
        assert self.is_file == bare.is_file
        for ours, theirs in ((self.written, bare.written), (self.blocks, bare.blocks)):
            assert len(ours) == len(theirs)
            assert all(a is b or a == b for a, b in zip(ours, theirs, strict=True))
        assert self.begun == bare.begun
        if bare.raised is error:
            same_error(self.raised, error)
        else:  # the server's own, of what no app should give
            assert type(self.raised) is type(bare.raised)
            assert str(self.raised) == str(bare.raised)


@pytest.fixture(scope="module", params=POLICIES)
def fuzzed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fuzzed]:
    with fuzzed_audit(tmp_path_factory.mktemp("fuzz"), request.param) as each:
        yield each


@fuzzing
@given(st.integers(0, 2**64))
def test_wsgi(fuzzed: Fuzzed, seed: int) -> None:
    audit, expected = fuzzed
    dice = Dice(seed)

    def serve_twice(one: dict[str, Any]) -> None:
        bare = Seen(app_of(one, lambda: None), one)
        Seen(audit.wsgi(app_of(one, one["say"])), one).same_as(bare, one["error"])

    for _ in range(BATCH):
        expected[0] += 1
        # a server that does not close an answer leaves its request in the thread
        contextvars.copy_context().run(serve_twice, wsgi_request(dice))
