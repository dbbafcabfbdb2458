"""What a WSGI app's answer comes to: whole, short of what it announced, or never begun."""

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
