"""Level `payload`: what is named of bodies and headers is kept."""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowaudit
from flowaudit import FlowAudit
from flowaudit.capture.bodies import Body, Payload
from flowaudit.capture.heads import ASGI_NAMES
from flowaudit.event import clean_map
from flowaudit.policy.named import named_parts

from . import test_asgi as asgi
from . import test_wsgi as wsgi
from .payload_policy import EVERYTHING, JSON, MULTIPART, policy_file

Events = Callable[..., list[dict[str, Any]]]
Run = Callable[..., dict[str, Any]]

KEPT_ID = {"kept": {"/id": 7}, "rest": {"/pw": "string 4"}}


def run_asgi(audit: FlowAudit, chunks: list[bytes], headers: dict[str, str], app: Any) -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        got = b""
        while True:
            message = await receive()
            got += message.get("body", b"")
            if not message.get("more_body", False):
                break
        assert got == b"".join(chunks)
        status, answer_headers, blocks = app()
        raw = [(k.encode(), v.encode()) for k, v in answer_headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        for i, block in enumerate(blocks):
            more = i + 1 < len(blocks)
            await send({"type": "http.response.body", "body": block, "more_body": more})

    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    incoming = [
        {"type": "http.request", "body": chunk, "more_body": i + 1 < len(chunks)}
        for i, chunk in enumerate(chunks)
    ]
    one = asgi.scope(method="POST", path="/o/1", headers=raw)
    sent, error = asgi.call(audit.asgi(inner), one, incoming)
    assert error is None
    assert b"".join(message.get("body", b"") for message in sent) == b"".join(app()[2])


def run_wsgi(audit: FlowAudit, chunks: list[bytes], headers: dict[str, str], app: Any) -> None:
    def inner(environ: Any, start_response: Any) -> Iterable[bytes]:
        length = int(environ["CONTENT_LENGTH"])
        assert environ["wsgi.input"].read(length) == b"".join(chunks)
        status, answer_headers, blocks = app()
        start_response(f"{status} OK", answer_headers)
        yield from blocks

    values = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers.items()}
    values["CONTENT_TYPE"] = values.pop("HTTP_CONTENT_TYPE", "")
    body = b"".join(chunks)
    one = wsgi.environ(REQUEST_METHOD="POST", RAW_URI="/o/1", CONTENT_LENGTH=str(len(body)))
    one["wsgi.input"] = io.BytesIO(body)
    server = wsgi.Server(audit).run(audit.wsgi(inner), one | values)
    assert b"".join(server.sent) == b"".join(app()[2])


@pytest.fixture(params=[run_asgi, run_wsgi], ids=["asgi", "wsgi"])
def run(
    request: pytest.FixtureRequest,
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    events: Events,
) -> Run:
    """Send a body, get an answer, see the event's data."""

    def go(
        chunks: list[bytes],
        headers: dict[str, str],
        answer: tuple[int, list[tuple[str, str]], list[bytes]] = (200, [], []),
        policy: str = EVERYTHING,
    ) -> dict[str, Any]:
        audit = make_audit(policy=policy_file(tmp_path, policy))
        request.param(audit, chunks, headers, lambda: answer)
        audit.flush()
        assert audit.counters == {"lost": 0, "commit_failed": 0, "capture_failed": 0}
        [event] = events()
        data: dict[str, Any] = event.get("data", {})
        return data

    return go


@pytest.mark.parametrize(
    ("chunks", "headers", "expected"),
    [
        ([JSON], {"content-type": "application/json"}, KEPT_ID),
        (
            [JSON[:9], JSON[9:]],
            {"content-type": "application/problem+json; charset=utf-8"},
            KEPT_ID,
        ),
        (
            [b"title=A+day&pw=hush"],
            {"content-type": "application/x-www-form-urlencoded"},
            {"kept": {"title": "A day"}, "rest": {"pw": "string 4"}},
        ),
        (
            [MULTIPART[:50], MULTIPART[50:]],
            {"content-type": "multipart/form-data; boundary=B"},
            {"kept": {"title": "A day"}, "rest": {"scan": "file 11", "note": "string 4"}},
        ),
        ([MULTIPART[:-9]], {"content-type": "multipart/form-data; boundary=B"}, "broken"),
        ([MULTIPART], {"content-type": "multipart/form-data"}, "broken"),
        ([MULTIPART], {"content-type": "multipart/form-data; boundary=C"}, "broken"),
        ([JSON[:-1]], {"content-type": "application/json"}, "broken"),
        ([b'{"id": "%s"}' % (b"x" * 1_991)], {"content-type": "application/json"}, "too-large"),
        (
            [b"&".join([b"a"] * 1_000), b"&a"],
            {"content-type": "application/x-www-form-urlencoded"},
            "too-large",
        ),
        ([b"hush"], {"content-type": "text/plain"}, {}),
        ([b"hush"], {}, {}),
        (
            [gzip.compress(JSON)],
            {"content-type": "application/json", "content-encoding": "gzip"},
            KEPT_ID,
        ),
        (
            [zlib.compress(JSON)],
            {"content-type": "application/json", "content-encoding": "deflate"},
            KEPT_ID,
        ),
        (
            [gzip.compress(b'{"id": "%s"}' % (b"x" * 100_000))],
            {"content-type": "application/json", "content-encoding": "gzip"},
            "too-large",
        ),
        ([JSON], {"content-type": "application/json", "content-encoding": "br"}, "compressed"),
        ([JSON], {"content-type": "application/json", "content-encoding": "gzip"}, "compressed"),
    ],
    ids=[
        "json",
        "json-in-chunks",
        "form",
        "multipart",
        "multipart-cut-off",
        "multipart-without-boundary",
        "multipart-wrong-boundary",
        "broken-json",
        "too-large",
        "form-too-large",
        "text",
        "no-type",
        "gzip",
        "deflate",
        "zip-bomb",
        "brotli",
        "not-really-gzip",
    ],
)
def test_of_a_request_what_is_named_is_kept(
    run: Run, chunks: list[bytes], headers: dict[str, str], expected: Any
) -> None:
    told = run(chunks, headers)["request"]
    assert "hush" not in str(told)
    assert told.pop("bytes") == len(b"".join(chunks))
    assert told.pop("type", None) == (headers.get("content-type", "").split(";")[0] or None)
    told.pop("headers", None)
    assert told == ({"skipped": expected} if isinstance(expected, str) else expected)


@pytest.mark.parametrize(
    ("headers", "blocks", "expected"),
    [
        (
            [("Content-Type", "application/json"), ("Location", "/o/7?token=hush")],
            [b'{"status": "new", ', b'"pw": "hush"}'],
            {
                "type": "application/json",
                "bytes": 31,
                "headers": {"location": "/o/7"},
                "kept": {"/status": "new"},
                "rest": {"/pw": "string 4"},
            },
        ),
        ([("Content-Type", "text/html")], [b"<p>hush"], {"type": "text/html", "bytes": 7}),
        (
            [("Content-Type", "application/json")],
            [b" " * 1_500] * 2,
            {"type": "application/json", "bytes": 3_000, "skipped": "too-large"},
        ),
        ([("Content-Type", "hush hush")], [b"x"], {"type": "other", "bytes": 1}),
        ([], [], None),
    ],
    ids=["json", "html", "too-large", "odd-type", "empty"],
)
def test_of_a_response_what_is_named_is_kept(
    run: Run, headers: list[tuple[str, str]], blocks: list[bytes], expected: Any
) -> None:
    data = run([b"x"], {"content-type": "text/plain"}, (200, headers, blocks))
    assert data.get("response") == expected


def test_named_headers_are_masked_and_others_left_out(run: Run) -> None:
    headers = {"content-type": "text/plain", "x-note": "ann@example.org", "x-other": "hush"}
    told = run([b"x"], headers)["request"]
    assert told["headers"] == {"content-type": "text/plain", "x-note": "[masked:email]"}


@pytest.mark.parametrize(
    ("rule", "is_kept"),
    [
        ('path = "/o/**"', True),
        ('path = "/p/**"', False),
        ('methods = ["GET"]', False),
        ('path = "/o/*"\nactor_kind = "anonymous"', True),
        ('actor_kind = "user"', False),
        ('route = "/o/{id}"', False),
        ('resource = "order"', False),
    ],
)
def test_a_rule_may_be_dropped_when_the_event_is_made(run: Run, rule: str, is_kept: bool) -> None:
    policy = f'[[policy]]\n{rule}\nlevel = "payload"\nrequest_json = ["/id"]\n'
    data = run([JSON], {"content-type": "application/json"}, policy=policy)
    assert ("request" in data) is is_kept


def test_what_the_app_says_decides_a_late_rule(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events
) -> None:
    audit = make_audit(
        policy=policy_file(
            tmp_path,
            '[[policy]]\nresource = "order"\nactor_kind = "service"\nlevel = "payload"\n'
            'request_json = ["/id"]\n[[policy]]\nactor_kind = "service"\nlevel = "none"\n',
        )
    )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] != "/user":
            flowaudit.identify("service:cron", kind="service")
        if scope["path"] == "/order":
            flowaudit.resource("order", 7)
        await send(asgi.START)
        await send(asgi.BODY)

    headers = [(b"content-type", b"application/json")]
    for path in ("/order", "/else", "/user"):
        body = [{"type": "http.request", "body": JSON, "more_body": False}]
        asgi.call(audit.asgi(app), asgi.scope(path=path, headers=headers), body)
    audit.flush()
    first, second = events()
    assert (first["path"], first["data"]["request"]["kept"]) == ("/order", {"/id": 7})
    assert (second["path"], "data" in second) == ("/user", False)


def test_what_is_kept_stands_beside_what_the_app_notes(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events
) -> None:
    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))

    def app(environ: Any, start_response: Any) -> list[bytes]:
        flowaudit.note(ward="B", long=["x" * 8_000] * 14)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"status": "ok"}']

    wsgi.Server(audit).run(audit.wsgi(app), wsgi.environ())
    audit.flush()
    [event] = events()
    assert event["data"]["ward"] == "B"
    assert event["data"]["response"] == {"skipped": "no-room"}


def test_without_a_tap_the_event_says_so(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events
) -> None:
    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))
    audit.finish(audit.begin("request", "GET", {}.get, ASGI_NAMES, "", "/p", False))
    audit.flush()
    [event] = events()
    assert event["data"]["request"] == {"skipped": "not-seen"}


def test_a_fault_of_ours_costs_only_the_payload(
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> Any:
        raise UnicodeDecodeError("utf-8", b"hush", 0, 1, "as parsers quote what they are given")

    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))
    monkeypatch.setattr(Payload, "told", fail)
    one = wsgi.environ()
    server = wsgi.Server(audit).run(audit.wsgi(wsgi.answering([b"x"])), one)
    assert server.sent == [b"x"]
    audit.flush()
    assert [event["path"] for event in events()] == ["/p/1"]
    assert audit.counters["capture_failed"] == 1
    assert "hush" not in "".join(capfd.readouterr())
    monkeypatch.setattr(Body, "take", lambda *_: 1 / 0)
    server = wsgi.Server(audit).run(audit.wsgi(wsgi.answering([b"x"])), wsgi.environ())
    assert server.sent == [b"x"]
    assert audit.counters["capture_failed"] == 3


@given(
    st.lists(st.binary(max_size=200), max_size=6),
    st.sampled_from(["application/json", "multipart/form-data; boundary=B", "a/b", "\xff", ""]),
    st.sampled_from(["", "gzip", "deflate", "gzip, br"]),
    st.booleans(),
)
def test_no_body_makes_a_tap_raise(
    chunks: list[bytes], content_type: str, coding: str, is_whole: bool
) -> None:
    part = named_parts("policy[0]", {"request_json": ["/a"], "request_form": ["a"]}).request
    body = Body(500)
    body.set_headers([("content-type", content_type), (b"content-encoding", coding.encode())])
    for chunk in chunks:
        body.take(chunk)
    body.is_whole = is_whole
    told = body.told(part, 500)
    assert clean_map(told) == told
    assert json.dumps(told)
