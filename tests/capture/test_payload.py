"""Level `payload`: what is named of bodies and headers is kept, and the stream stays as it is."""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowaudit
from flowaudit import FlowAudit
from flowaudit.capture.bodies import Body, Payload
from flowaudit.capture.heads import ASGI_NAMES
from flowaudit.capture.streams import Guard, Input
from flowaudit.event import clean_map
from flowaudit.policy.named import named_parts

from . import test_asgi as asgi
from . import test_wsgi as wsgi

Events = Callable[..., list[dict[str, Any]]]
Run = Callable[..., dict[str, Any]]

EVERYTHING = """
[[policy]]
level = "payload"
max_bytes = 2000
request_json = ["/id", "/items/*/sku"]
request_form = ["title"]
request_headers = ["content-type", "x-note"]
response_json = ["/status"]
response_headers = ["location"]
"""

MULTIPART = (
    b'--B\r\nContent-Disposition: form-data; name="title"\r\n\r\nA day\r\n'
    b'--B\r\nContent-Disposition: form-data; name="scan"; filename="ann.pdf"\r\n'
    b"Content-Type: application/pdf\r\n\r\n%PDF-secret\r\n"
    b'--B\r\nContent-Disposition: form-data; name="note"\r\n\r\nhush\r\n--B--\r\n'
)
KEPT_ID = {"kept": {"/id": 7}, "rest": {"/pw": "string 4"}}
JSON = b'{"id": 7, "pw": "hush"}'


def policy_file(folder: Path, text: str) -> Path:
    file = folder / "policy.toml"
    file.write_text(text)
    return file


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


# -- the stream stays as it is ------------------------------------------------------------------


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


CALLS = st.lists(
    st.sampled_from(
        [
            ("read", ()),
            ("read", (3,)),
            ("read", (0,)),
            ("read", (-1,)),
            ("read1", (4,)),
            ("readline", ()),
            ("readline", (2,)),
            ("readlines", ()),
            ("readlines", (3,)),
            ("readinto", (5,)),
            ("next", ()),
            ("list", ()),
            ("seek", (0,)),
            ("seek", (2,)),
            ("tell", ()),
            ("closed", ()),
            ("nothing", ()),
        ]
    ),
    max_size=8,
)


def perform(stream: Any, name: str, args: tuple[int, ...]) -> Any:
    try:
        if name == "next":
            return next(stream)
        if name == "list":
            return list(stream)
        if name == "readinto":
            buffer = bytearray(args[0])
            return stream.readinto(buffer), bytes(buffer)
        found = getattr(stream, name)
        return found(*args) if callable(found) else found
    except (StopIteration, AttributeError) as error:
        return type(error)


@given(st.binary(max_size=30).map(lambda raw: raw.replace(b"\x00", b"\n")), CALLS)
def test_an_input_does_what_it_did(
    content: bytes, calls: list[tuple[str, tuple[int, ...]]]
) -> None:
    body, plain = Body(1_000), io.BytesIO(content)
    tapped = Input(io.BytesIO(content), body, Guard(None))  # type: ignore[arg-type]
    taken = 0
    for name, args in calls:
        before = plain.tell()
        assert perform(tapped, name, args) == perform(plain, name, args)
        if name != "seek":
            taken += plain.tell() - before
        elif not body.is_whole:
            taken = 0 if args == (0,) else -1_000
        if body.is_whole:
            break
    if taken >= 0:
        assert body.size == taken
        assert b"".join(body._chunks or []) == content[:taken]
    if body.is_whole and taken >= 0:
        assert taken == len(content)


def test_who_reads_again_from_the_start_is_followed() -> None:
    body = Body(100)
    stream: Any = Input(io.BytesIO(b"abcdef"), body, Guard(None))  # type: ignore[arg-type]
    stream.read(3)
    stream.seek(0)
    assert stream.read() == b"abcdef"
    stream.seek(0)
    assert stream.read(2) == b"ab"
    assert (body.size, body.is_whole, body._chunks) == (6, True, [b"abcdef"])


@pytest.mark.parametrize(
    ("seeks", "told"),
    [
        ([(0, 2), (0,)], {"kept": {"/id": 7}}),
        ([(3,)], "not-whole"),
        ([(3,), (0,)], {"kept": {"/id": 7}}),
    ],
    ids=["to-the-end-and-back", "to-the-middle", "to-the-middle-and-back"],
)
def test_who_looks_for_the_size_first_is_followed(
    seeks: list[tuple[int, ...]], told: dict[str, Any] | str
) -> None:
    body = Body(100)
    body.set_headers([("content-type", "application/json")])
    stream: Any = Input(io.BytesIO(b'{"id": 7}'), body, Guard(None))  # type: ignore[arg-type]
    for args in seeks:
        stream.seek(*args)
    stream.read()
    found = body.told(named_parts("policy[0]", {"request_json": ["/id"]}).request, 100)
    assert {k: found[k] for k in ("kept", "skipped") if k in found} == (
        {"skipped": told} if isinstance(told, str) else told
    )


def test_an_input_lets_its_server_set_what_it_wants() -> None:
    class Stream(io.BytesIO):
        hint = 1

    stream = Stream(b"abc")
    tapped: Any = Input(stream, Body(10), Guard(None))  # type: ignore[arg-type]
    tapped.hint = 2
    assert (stream.hint, tapped.hint, tapped.getvalue()) == (2, 2, b"abc")
    with tapped as entered:
        assert entered is tapped
    assert stream.closed


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
