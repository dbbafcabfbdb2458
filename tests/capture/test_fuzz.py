"""Whatever comes in and whatever the app does: one event each, the app's errors as they were.

Ten thousand requests of each protocol in the suite, a hundred thousand in the soak.
"""

import asyncio
import contextvars
import io
import os
import random
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flowaudit
from flowaudit import FlowAudit
from flowaudit.event import flat_event
from flowaudit.trail.check import verify_trail
from flowaudit.trail.reader import TrailReader

BATCH = 50
"""Requests drawn from one seed."""

EXAMPLES = 2_000 if os.environ.get("FLOWAUDIT_SOAK") else 200

fuzzing = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


class Boom(Exception):
    pass


class Rude(BaseException):
    """As some libraries raise to stop a worker."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even a text")

    __repr__ = __str__


ERRORS: list[Callable[[], BaseException]] = [
    Boom,
    Rude,
    Unprintable,
    PermissionError,
    asyncio.CancelledError,
    SystemExit,
    GeneratorExit,
    KeyboardInterrupt,
    RecursionError,
    MemoryError,
    UnicodeError,
]


class Dice(random.Random):
    """Draws requests from a seed: much faster than a strategy for each part of them."""

    def any_of(self, *some: Any) -> Any:
        return self.choice(some)

    def raw(self) -> bytes:
        """Mostly what is seen, sometimes anything at all."""
        roll = self.random()
        if roll < 0.5:
            return self.any_of(
                b"", b"/", b"/items/7", b"text/html", b"\xff\x00", b"\r\n", b"%00%2e"
            )
        if roll < 0.97:
            return self.randbytes(self.randrange(24))
        return self.randbytes(self.randint(1, 2)) * self.randrange(9_000)

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(self.choice(HEADERS), self.raw()) for _ in range(self.randrange(6))]

    def method(self) -> str:
        return self.any_of("GET", "POST", "HEAD", "M-SEARCH", "get", "", "ÄÖ", "G" * 300, "\x00")

    def text(self, most: int) -> str:
        return "".join(chr(self.randint(0, most)) for _ in range(self.randrange(9)))

    def some(self, draw: Callable[[], Any], most: int) -> list[Any]:
        return [draw() for _ in range(self.randrange(most + 1))]

    def error(self) -> BaseException | None:
        return self.choice(ERRORS)() if self.random() < 0.3 else None

    def say(self) -> Callable[[], object]:
        return self.choice(SPEECH) if self.random() < 0.5 else lambda: None


HEADERS = [
    b"host",
    b"user-agent",
    b"accept",
    b"cookie",
    b"referer",
    b"x-forwarded-for",
    b"forwarded",
    b"x-request-id",
    b"traceparent",
    b"origin",
    b"x-original-url",
    b"x-http-method-override",
    b"content-length",
    b"content-type",
    b"purpose",
    b"hx-request",
    b"sec-fetch-dest",
    b"\xff",
    b"",
]
SPEECH: list[Callable[[], object]] = [
    lambda: flowaudit.identify("user:1", roles=["\ud800", None, 3], kind="king"),  # type: ignore[list-item]
    lambda: flowaudit.identify(None),  # type: ignore[arg-type]
    lambda: flowaudit.identify("\ud800" * 4_000, via="x"),
    lambda: flowaudit.resource("\x00", object(), rows=-1),
    lambda: flowaudit.deny("\ud800 ALL caps!"),
    lambda: flowaudit.hide(),
    lambda: flowaudit.note(**{"a": float("nan"), "b": {"c": [object()]}, "\xff": 1}),
    lambda: flowaudit.note(big="x" * 9_000),
    lambda: flowaudit.step("", ""),
    lambda: flowaudit.record("no such kind"),
    lambda: flowaudit.login("user:\udfff", name="\x00"),
    lambda: flowaudit.login_failed(None),
    lambda: flowaudit.logout(),
]
ODD_MESSAGES: list[dict[str, Any]] = [
    {"type": "http.response.body"},
    {"type": "http.response.start"},
    {"type": "http.response.start", "status": 200, "headers": None},
    {"type": "http.response.start", "status": 200, "headers": [(b"one",)]},
    {"type": "http.response.start", "status": 200, "headers": [("text", 7)]},
    {"type": "http.response.trailers", "headers": []},
    {"type": "http.response.pathsend", "path": "/nowhere"},
    {"type": "http.response.zerocopysend", "file": 3, "count": None},
    {"type": "http.response.push", "path": "/x", "headers": []},
    {"type": "http.response.early_hint", "links": []},
    {"type": "http.response.debug", "info": {}},
    {"type": "no.such.type"},
]


def asgi_message(dice: Dice) -> dict[str, Any]:
    roll = dice.random()
    if roll < 0.4:
        status = dice.any_of(200, 204, 302, 304, 403, 404, 500, 0, -1, 99999, None, "200", 20.5)
        start = {"type": "http.response.start", "status": status, "headers": dice.headers()}
        return {**start, "trailers": True} if dice.random() < 0.2 else start
    if roll < 0.8:
        body = dice.any_of(dice.randbytes(dice.randrange(9)), None)
        more = dice.random() < 0.5
        return {"type": "http.response.body", "body": body, "more_body": more}
    return dict(dice.choice(ODD_MESSAGES))


def asgi_request(dice: Dice) -> dict[str, Any]:
    return {
        "method": dice.method(),
        "path": dice.text(1_000),
        "raw_path": dice.any_of(None, dice.raw()),
        "query": dice.raw(),
        "headers": dice.headers(),
        "client": dice.any_of(("10.0.0.1", 5), None, ["::1", 0], ("", 0), ("no address", 1)),
        "incoming": dice.some(lambda: dice.randbytes(9), 2),
        "leaves": dice.random() < 0.2,
        "messages": dice.some(lambda: asgi_message(dice), 4),
        "say": dice.say(),
        "error": dice.error(),
    }


def wsgi_request(dice: Dice) -> dict[str, Any]:
    return {
        "method": dice.method(),
        "path": dice.text(255),
        "target": dice.any_of(None, dice.raw().decode("latin-1")),
        "query": dice.raw().decode("latin-1"),
        "headers": dice.headers(),
        "length": dice.any_of("", "0", "7", "-1", "9" * 40, "x", "٣"),
        "status": dice.any_of("200 OK", "204 No", "404", "", "abc", "99999 x", "302 F"),
        "answer_headers": dice.some(
            lambda: (
                dice.any_of("Content-Length", "Location", "Set-Cookie", ""),
                dice.any_of("", "0", "3", "x", "-1", "²", "/login", "sid=1; Path=/"),
            ),
            3,
        ),
        "blocks": dice.some(lambda: dice.randbytes(dice.randrange(5)), 3),
        "shape": dice.any_of("list", "tuple", "generator", "late", "write", "file", "twice"),
        "reads": dice.randrange(4),
        "closes": dice.random() < 0.5,
        "say": dice.say(),
        "error": dice.error(),
    }


@pytest.fixture(scope="module", params=["default", "payload"])
def fuzzed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FlowAudit, list[int]]]:
    """An audit, and how many requests it should have by now."""
    folder = tmp_path_factory.mktemp("fuzz")
    policy = folder / "flowaudit.toml"
    policy.write_text(
        '[[policy]]\npath = "/**"\nlevel = "payload"\nrequest_json = ["/a"]\nrequest_form = ["b"]\n'
        'response_json = ["/c"]\nmax_bytes = 1000\n'
        if request.param == "payload"
        else ""
    )
    audit = FlowAudit(
        trail=folder / "t.db",
        policy=policy,
        session_cookie=["sid"],
        query_keys=["q"],
        login_paths=["/login"],
        trusted_proxies=["10.0.0.0/8"],
    )
    expected = [0]
    yield audit, expected
    audit.close()
    assert audit.counters["lost"] == 0
    with TrailReader(folder / "t.db") as reader:
        events = [flat_event(entry) for entry in reader.entries()]
    assert sum(event["kind"] == "request" for event in events) == expected[0]
    assert not [event for event in events if event["kind"] == "gap"]
    found = verify_trail(folder / "t.db")
    assert found.ok, found.problems


async def _asgi(audit: FlowAudit, one: dict[str, Any]) -> None:
    sent: list[Any] = []
    incoming = [
        {"type": "http.request", "body": body, "more_body": True} for body in one["incoming"]
    ]
    error = one["error"]

    async def receive() -> Any:
        if incoming:
            return incoming.pop(0)
        return {"type": "http.disconnect" if one["leaves"] else "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        one["say"]()
        for _ in range(len(one["incoming"]) + one["leaves"]):
            await receive()
        for message in one["messages"]:
            await send(message)
        if error is not None:
            raise error

    scope = {
        "type": "http",
        "method": one["method"],
        "path": one["path"],
        "query_string": one["query"],
        "headers": one["headers"],
        "client": one["client"],
    }
    if one["raw_path"] is not None:
        scope["raw_path"] = one["raw_path"]
    raised: BaseException | None = None
    try:
        await audit.asgi(app)(scope, receive, send)
    except BaseException as found:
        raised = found
    _same_error(raised, error)
    assert len(sent) == len(one["messages"])
    assert all(a is b for a, b in zip(sent, one["messages"], strict=True))


def _same_error(raised: BaseException | None, error: BaseException | None) -> None:
    """The app's own, unchanged, and its traceback leads into the app."""
    assert raised is error, (raised.__class__, error.__class__)
    if raised is not None:
        assert raised.__cause__ is None
        assert traceback.extract_tb(raised.__traceback__)[-1].name in ("app", "blocks", "__next__")


@fuzzing
@given(st.integers(0, 2**64))
def test_asgi(fuzzed: tuple[FlowAudit, list[int]], seed: int) -> None:
    audit, expected = fuzzed
    dice = Dice(seed)

    async def all_of_them() -> None:
        for _ in range(BATCH):
            expected[0] += 1
            await _asgi(audit, asgi_request(dice))

    asyncio.run(all_of_them())


class _File(io.BytesIO):
    pass


def _wsgi(audit: FlowAudit, one: dict[str, Any]) -> None:
    error = one["error"]

    def app(environ: Any, start_response: Any) -> Any:
        one["say"]()
        if one["reads"]:
            environ["wsgi.input"].read(one["reads"])
        if one["shape"] == "late":
            return blocks(start_response)
        write = start_response(one["status"], one["answer_headers"])
        if one["shape"] == "twice":
            try:
                raise Boom
            except Boom:
                import sys

                start_response("500 again", [], sys.exc_info())
        if one["shape"] == "write":
            for block in one["blocks"]:
                write(block)
            if error is not None:
                raise error
            return []
        if one["shape"] == "file":
            return environ["wsgi.file_wrapper"](b"".join(one["blocks"]))
        if one["shape"] == "list":
            return list(one["blocks"])
        if one["shape"] == "tuple":
            return tuple(one["blocks"])
        return blocks(None)

    def blocks(start_response: Any) -> Iterator[bytes]:
        if start_response is not None:
            start_response(one["status"], one["answer_headers"])
        yield from one["blocks"]
        if error is not None:
            raise error

    environ: dict[str, Any] = {
        "REQUEST_METHOD": one["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": one["path"],
        "QUERY_STRING": one["query"],
        "REMOTE_ADDR": "10.0.0.1",
        "CONTENT_LENGTH": one["length"],
        "wsgi.input": io.BytesIO(b'{"a": 1}'),
        "wsgi.file_wrapper": _File,
    }
    if one["target"] is not None:
        environ["RAW_URI"] = one["target"]
    for name, value in one["headers"]:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        environ[key] = value.decode("latin-1")
    written: list[bytes] = []
    raised: BaseException | None = None
    try:
        answer = audit.wsgi(app)(environ, lambda status, given, exc_info=None: written.append)
        try:
            assert isinstance(answer, _File) == (one["shape"] == "file")
            for block in answer:
                written.append(block)
        finally:
            if one["closes"] or one["error"] is None:
                getattr(answer, "close", lambda: None)()
    except BaseException as found:
        raised = found
    raises = one["shape"] in ("generator", "late", "write", "twice")
    if isinstance(raised, RuntimeError) and isinstance(raised.__cause__, StopIteration):
        return
    _same_error(raised, error if raises else None)
    assert b"".join(written) == b"".join(one["blocks"])


@fuzzing
@given(st.integers(0, 2**64))
def test_wsgi(fuzzed: tuple[FlowAudit, list[int]], seed: int) -> None:
    audit, expected = fuzzed
    dice = Dice(seed)
    for _ in range(BATCH):
        expected[0] += 1
        # a server that does not close an answer leaves its request in the thread
        contextvars.copy_context().run(_wsgi, audit, wsgi_request(dice))
