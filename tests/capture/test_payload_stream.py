"""Level `payload`: the messages, blocks and files of a request pass as they are."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

from flowaudit import FlowAudit
from flowaudit.capture.bodies import Payload

from . import test_asgi as asgi
from . import test_wsgi as wsgi
from .payload_policy import EVERYTHING, JSON, policy_file

Events = Callable[..., list[dict[str, Any]]]


def test_of_a_body_that_is_not_read_only_that_is_told(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events
) -> None:
    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))
    one = wsgi.environ(CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(JSON)))
    one["wsgi.input"] = io.BytesIO(JSON)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["RAW_URI"] == "/some":
            environ["wsgi.input"].read(5)
        start_response("200 OK", [])
        return []

    for uri in ("/none", "/some"):
        wsgi.Server(audit).run(audit.wsgi(app), one | {"RAW_URI": uri})
    audit.flush()
    told = [event["data"]["request"] for event in events()]
    assert [each["skipped"] for each in told] == ["not-whole", "not-whole"]
    assert [each.get("bytes") for each in told] == [None, 5]


def test_what_is_read_after_the_event_is_not_held(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events
) -> None:
    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))
    held: list[Payload | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(asgi.START)
        await send(asgi.BODY)
        await receive()
        held.append(scope["flowaudit"].payload)

    body = [{"type": "http.request", "body": JSON, "more_body": False}]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"23")]
    asgi.call(audit.asgi(app), asgi.scope(headers=headers), body)
    audit.flush()
    [event] = events()
    assert event["data"]["request"]["skipped"] == "not-whole"
    assert held[0] is not None
    assert not held[0].request.is_held


def test_a_file_reaches_the_server_as_it_is(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events
) -> None:
    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))
    wrapped = FileWrapper(io.BytesIO(b"hello"))
    app = wsgi.answering(wrapped, "200 OK", ("Content-Type", "text/plain"), ("Content-Length", "5"))
    one = wsgi.environ(**{"wsgi.file_wrapper": FileWrapper})
    assert audit.wsgi(app)(one, lambda *a: None) is wrapped
    sent = {"type": "http.response.pathsend", "path": "/x"}
    messages, _ = asgi.call(audit.asgi(asgi.answering(asgi.START, sent)), asgi.scope())
    assert messages[1] is sent
    audit.flush()
    assert [event["data"]["response"]["skipped"] for event in events()] == ["file", "file"]


def test_each_message_passes_as_it_is(make_audit: Callable[..., FlowAudit], tmp_path: Path) -> None:
    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))
    messages = [asgi.START, asgi.BODY | {"more_body": True}, asgi.BODY]
    sent, _ = asgi.call(audit.asgi(asgi.answering(*messages)), asgi.scope())
    assert [id(message) for message in sent] == [id(message) for message in messages]


def test_headers_that_can_be_read_once_reach_the_server(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events
) -> None:
    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))
    headers = [(b"content-type", b"application/json")]
    start = asgi.START | {"headers": iter(headers)}
    body = asgi.BODY | {"body": b'{"status": 1}'}
    sent, _ = asgi.call(audit.asgi(asgi.answering(start, body)), asgi.scope())
    assert sent[0]["headers"] == headers
    audit.flush()
    assert events()[0]["data"]["response"]["kept"] == {"/status": 1}


def test_without_rules_for_bodies_nothing_stands_between(audit: FlowAudit) -> None:
    app = asgi.answering()
    assert audit.asgi(app).app is app
    assert audit.wsgi(app).app is app


def test_the_taps_keep_to_pep_3333_on_both_sides(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events
) -> None:
    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))

    def app(environ: Any, start_response: Any) -> Any:
        stream = environ["wsgi.input"]
        assert stream.read(4) + stream.readline(6) + b"".join(stream.readlines(4)) == JSON
        start_response("200 OK", [("Content-Type", "application/json")])
        yield b'{"status": "ok"}'

    one = wsgi.environ(
        REQUEST_METHOD="POST", CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(JSON))
    )
    del one["RAW_URI"]
    one["wsgi.input"] = io.BytesIO(JSON)
    body = validator(audit.wsgi(validator(app)))(one, lambda *a: lambda data: None)
    assert b"".join(body) == b'{"status": "ok"}'
    body.close()  # type: ignore[attr-defined]
    audit.flush()
    data = events()[0]["data"]
    assert data["request"]["kept"] == {"/id": 7}
    assert data["response"]["kept"] == {"/status": "ok"}
