"""What a WSGI app's answer comes to: whole, short of what it announced, or never begun."""

from collections.abc import Iterator
from typing import Any

import pytest

from flowaudit import FlowAudit

from .test_wsgi import Events, Server, answering, environ

SHAPES: dict[str, Any] = {
    "list": lambda blocks: [*blocks],
    "tuple": tuple,
    "generator": lambda blocks: (block for block in blocks),
    "sized": lambda blocks: dict.fromkeys(blocks),
}


def outcome_of(event: dict[str, Any]) -> tuple[Any, ...]:
    return event.get("status"), event["outcome"], event.get("reason")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("status", "headers", "method", "expected"),
    [
        ("200 OK", {}, "GET", (200, "error", "incomplete")),
        ("206 Part", {}, "POST", (206, "error", "incomplete")),
        ("200 OK", {"content-length": "5"}, "GET", (200, "ok", None)),
        ("200 OK", {"content-length": "4"}, "GET", (200, "ok", None)),
        pytest.param(
            "200 OK", {"content-length": "9" * 9_000}, "GET", (200, "ok", None), id="absurd"
        ),
        ("200 OK", {}, "HEAD", (200, "ok", None)),
        ("204 None", {}, "GET", (204, "ok", None)),
        ("304 Same", {}, "GET", (304, "ok", None)),
        ("302 There", {"location": "/x"}, "GET", (302, "ok", None)),
        ("200 OK", {"X-Sendfile": "/f"}, "GET", (200, "ok", None)),
        ("200 OK", {"X-Accel-Redirect": "/f"}, "GET", (200, "ok", None)),
        ("403 No", {}, "GET", (403, "denied", "forbidden")),
        ("503 Busy", {}, "GET", (503, "error", "status")),
    ],
)
def test_an_answer_shorter_than_it_says_is_an_error(
    audit: FlowAudit,
    events: Events,
    shape: str,
    status: str,
    headers: dict[str, str],
    method: str,
    expected: tuple[Any, ...],
) -> None:
    given = {"content-length": "9", **headers}
    app = answering(SHAPES[shape]([b"he", b"llo"]), status, *given.items())
    Server(audit).run(audit.wsgi(app), environ(REQUEST_METHOD=method))
    audit.flush()
    assert [outcome_of(event) for event in events()] == [expected]
    assert audit.counters["capture_failed"] == 0


def test_what_was_written_counts_as_part_of_an_answer(audit: FlowAudit, events: Events) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Length", "5")])
        write(b"he")
        return [b"llo"] if environ["PATH_INFO"] == "/whole" else []

    for path in ("/whole", "/short"):
        Server(audit).run(audit.wsgi(app), environ(PATH_INFO=path))
    audit.flush()
    assert [outcome_of(event) for event in events()] == [
        (200, "ok", None),
        (200, "error", "incomplete"),
    ]


@pytest.mark.parametrize(
    "body",
    [[], [b""], [b"x"], (b"", b"x"), lambda: iter([]), lambda: iter([b"x", b"y"])],
    ids=["empty", "nothing", "list", "tuple", "no-blocks", "generator"],
)
def test_an_app_that_never_begins_its_answer_is_an_error(
    audit: FlowAudit, events: Events, body: Any
) -> None:
    """As PEP 3333 has it, the server refuses the first byte, closes, and answers with 500."""

    def app(environ: Any, start_response: Any) -> Any:
        return body() if callable(body) else body

    answer: Any = audit.wsgi(app)(environ(), lambda status, headers: None)
    next((block for block in answer if block), None)
    if hasattr(answer, "close"):
        answer.close()
    audit.flush()
    assert [outcome_of(event) for event in events()] == [(500, "error", "status")]


class Boom(Exception):
    pass


@pytest.mark.parametrize(
    ("blocks", "status"), [([], 500), ([b""], 500), ([b"x"], 200)], ids=["none", "empty", "one"]
)
@pytest.mark.parametrize("writes", [True, False], ids=["write", "yield"])
def test_an_exception_before_the_first_byte_is_answered_by_the_server(
    audit: FlowAudit, events: Events, blocks: list[bytes], status: int, writes: bool
) -> None:
    """PEP 3333: it sends no head before the first byte, so it can still answer 500."""

    def written(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [])
        for block in blocks:
            write(block)
        raise Boom

    def given(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from blocks
        raise Boom

    with pytest.raises(Boom):
        Server(audit).run(audit.wsgi(written if writes else given), environ())
    audit.flush()
    assert [outcome_of(event) for event in events()] == [(status, "error", "Boom")]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BrokenPipeError(), (200, "aborted", "client-left")),
        (ConnectionResetError(), (200, "aborted", "client-left")),
        (AssertionError(), (200, "error", "AssertionError")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_client_that_is_gone_when_the_app_writes(
    audit: FlowAudit, events: Events, error: Exception, expected: tuple[Any, ...]
) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Length", "9")])
        write(b"x")
        return [b"x" * 8]

    def failing_write(data: bytes) -> object:
        raise error

    with pytest.raises(type(error)):
        audit.wsgi(app)(environ(), lambda status, headers: failing_write)
    audit.flush()
    assert [outcome_of(event) for event in events()] == [expected]


def ends_by_stop_iteration(environ: Any, start_response: Any) -> Any:
    raise StopIteration


SIGN = object()
HANDED_OVER: dict[str, Any] = {
    "a sign of the server": lambda environ, start_response: SIGN,
    "nothing": lambda environ, start_response: [],
    "no blocks": lambda environ, start_response: iter([]),
    "StopIteration": ends_by_stop_iteration,
}


@pytest.mark.parametrize("app", HANDED_OVER.values(), ids=HANDED_OVER)
@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "h2c", None])
def test_a_websocket_on_the_servers_own_socket_is_no_error(
    audit: FlowAudit, events: Events, app: Any, upgrade: str | None
) -> None:
    """As Flask-Sock does it: nothing passes here, so nothing is known of what was answered."""
    one = environ() | ({"HTTP_UPGRADE": upgrade} if upgrade else {})
    answer: Any = None
    try:
        answer = audit.wsgi(app)(one, lambda status, headers: None)
        if answer is not SIGN:
            assert [*answer] == []
            if hasattr(answer, "close"):
                answer.close()
    except StopIteration:
        assert app is ends_by_stop_iteration
    assert (answer is SIGN) == (app is HANDED_OVER["a sign of the server"])
    audit.flush()
    [event] = events()
    if upgrade in ("websocket", "WebSocket"):
        assert outcome_of(event) == (None, "ok", None)
    else:
        assert (event["status"], event["outcome"]) == (500, "error")


@pytest.mark.parametrize("body", [None, 7, object()], ids=["none", "number", "object"])
def test_what_is_no_answer_reaches_the_server_as_it_is(
    audit: FlowAudit, events: Events, body: Any
) -> None:
    assert audit.wsgi(answering(body))(environ(), lambda status, headers: None) is body
    audit.flush()
    assert [outcome_of(event) for event in events()] == [(500, "error", "TypeError")]
