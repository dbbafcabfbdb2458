"""The ASGI wrapper: each request one event, every message passed on as it was."""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flowaudit
from flowaudit import FlowAudit
from flowaudit.testing import recorded_events

Events = Callable[..., list[dict[str, Any]]]
Message = dict[str, Any]

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
BODY: Message = {"type": "http.response.body", "body": b"hello"}


def scope(**values: Any) -> dict[str, Any]:
    path = values.get("path", "/p/1")
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"example.org"), (b"user-agent", b"test"), (b"accept", b"*/*")],
        "client": ("10.0.0.1", 5),
        **values,
    }


def call(
    app: Any, one: dict[str, Any], incoming: list[Message] | None = None
) -> tuple[list[Message], BaseException | None]:
    """Run an app once; the messages it sent, and what it raised."""
    sent: list[Message] = []
    waiting = list(incoming or [{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def go() -> BaseException | None:
        try:
            await app(one, receive, send)
        except BaseException as error:
            return error
        return None

    return sent, asyncio.run(go())


def answering(*messages: Message) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


def test_a_request_gives_one_event_with_both_parts(audit: FlowAudit, events: Events) -> None:
    one = scope(
        path="/p/1",
        query_string=b"password=x",
        headers=[
            (b"host", b"Example.org:8000"),
            (b"user-agent", b"Mozilla/5.0"),
            (b"accept", b"text/html"),
            (b"referer", b"https://example.org/a?b=c"),
            (b"x-request-id", b"req-1"),
            (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            (b"authorization", b"Bearer secret"),
            (b"cookie", b"sid=secret"),
        ],
    )
    call(audit.asgi(answering(START, BODY)), one)
    audit.flush()
    [event] = events()
    assert event.pop("duration_us") >= 0
    assert event.pop("ts") > 1_700_000_000_000_000
    assert len(event.pop("source")) == 26
    assert event == {
        "v": 1,
        "seq": 1,
        "n": 2,
        "kind": "request",
        "method": "GET",
        "host": "example.org:8000",
        "nav": "page",
        "status": 200,
        "outcome": "ok",
        "actor_kind": "anonymous",
        "bytes_out": 5,
        "request": "req-1",
        "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
        "client": "10.0.0.1",
        "ua": "Mozilla/5.0",
        "path": "/p/1",
        "referer": "https://example.org/a",
    }


def test_the_event_is_spooled_before_the_last_message_leaves(audit: FlowAudit) -> None:
    recorder = audit._recorder
    seen = []

    async def go() -> None:
        async def send(message: Message) -> None:
            source = recorder.live
            assert source is not None
            seen.append((message["type"], source.last_n))

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send({**BODY, "more_body": True})
            await send(BODY)

        await audit.asgi(app)(scope(), None, send)  # type: ignore[arg-type]

    asyncio.run(go())
    assert [n for _, n in seen] == [1, 1, 2]


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        pytest.param("HEAD", 200, [(b"content-length", b"5")], id="head"),
        pytest.param("GET", 204, [], id="no-content"),
        pytest.param("GET", 304, [], id="not-modified"),
        pytest.param("GET", 302, [(b"content-length", b"0")], id="empty"),
        pytest.param("GET", 200, [(b"Content-Length", b"0")], id="empty-with-capitals"),
    ],
)
def test_the_event_is_spooled_before_the_head_of_an_answer_without_body(
    audit: FlowAudit, events: Events, method: str, status: int, headers: list[Any]
) -> None:
    """A server sends the head at once, and a client then has the whole answer."""
    recorder = audit._recorder
    seen = []

    async def send(message: Message) -> None:
        assert recorder.live is not None
        seen.append(recorder.live.last_n)

    app = audit.asgi(answering({**START, "status": status, "headers": headers}, BODY))
    asyncio.run(app(scope(method=method), None, send))  # type: ignore[arg-type]
    assert seen == [2, 2]
    audit.flush()
    [event] = events()
    assert (event["status"], event["outcome"]) == (status, "ok")
    assert "bytes_out" not in event


@pytest.mark.parametrize(
    "messages",
    [
        [START, BODY],
        [START, {**BODY, "more_body": True}, {"type": "http.response.body"}],
        [{**START, "trailers": True}, BODY, {"type": "http.response.trailers", "headers": []}],
        [{"type": "http.response.push", "path": "/x", "headers": []}, START, BODY],
        [{"type": "http.response.early_hint", "links": []}, START, BODY],
        [START, {"type": "http.response.pathsend", "path": "/etc/hostname"}],
        [START, {"type": "http.response.zerocopysend", "file": 3, "count": 5}],
    ],
    ids=["plain", "streamed", "trailers", "push", "early-hint", "pathsend", "zerocopy"],
)
def test_the_stream_passes_unchanged(
    audit: FlowAudit, events: Events, messages: list[Message]
) -> None:
    copies = [dict(message) for message in messages]
    sent, error = call(audit.asgi(answering(*messages)), scope())
    assert error is None
    assert all(a is b for a, b in zip(sent, messages, strict=True))
    assert [dict(message) for message in sent] == copies
    audit.flush()
    assert [event["outcome"] for event in events()] == ["ok"]


class Boom(Exception):
    pass


@pytest.mark.parametrize(
    ("before", "error", "status", "outcome", "reason"),
    [
        ([], Boom("x"), 500, "error", "Boom"),
        ([START], Boom("x"), 200, "error", "Boom"),
        ([], PermissionError("x"), 500, "denied", "forbidden"),
        # a server cancels an app when its client leaves
        ([], asyncio.CancelledError(), 499, "aborted", "client-left"),
        ([START], asyncio.CancelledError(), 200, "aborted", "client-left"),
        ([], SystemExit(1), 500, "error", "SystemExit"),
        ([START, BODY], Boom("late"), 200, "ok", None),
    ],
    ids=["before", "after-start", "permission", "cancelled", "cancelled-late", "exit", "after-end"],
)
def test_the_apps_own_exception_passes_and_is_named(
    audit: FlowAudit,
    events: Events,
    before: list[Message],
    error: BaseException,
    status: int,
    outcome: str,
    reason: str | None,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)
        raise error

    assert call(audit.asgi(app), scope())[1] is error
    audit.flush()
    [event] = events("request")
    assert (event["status"], event["outcome"], event.get("reason")) == (status, outcome, reason)


@pytest.mark.parametrize(("before", "status"), [([], 499), ([START], 200)])
def test_a_client_that_leaves_is_told(
    audit: FlowAudit, events: Events, before: list[Message], status: int
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)
        while (await receive())["type"] != "http.disconnect":
            pass

    call(audit.asgi(app), scope())
    audit.flush()
    [event] = events()
    assert (event["status"], event["outcome"], event["reason"]) == (
        status,
        "aborted",
        "client-left",
    )


def test_a_client_that_is_gone_when_a_block_is_sent_is_told(
    audit: FlowAudit, events: Events
) -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client has gone")

    app = audit.asgi(answering(START, {**BODY, "more_body": True}, BODY))
    with pytest.raises(OSError, match="gone"):
        asyncio.run(app(scope(), None, send))  # type: ignore[arg-type]
    audit.flush()
    assert [(event["outcome"], event["reason"]) for event in events()] == [
        ("aborted", "client-left")
    ]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_first_request_of_a_process_makes_no_file_in_the_event_loop(
    audit: FlowAudit, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    made_by, mkdir = [], os.mkdir

    def watched(*args: Any, **options: Any) -> None:
        made_by.append(threading.get_ident())
        mkdir(*args, **options)

    monkeypatch.setattr(os, "mkdir", watched)
    call(audit.asgi(answering(START, BODY)), scope(type=kind))
    assert len(made_by) == 1
    assert made_by != [threading.get_ident()]


def test_an_app_that_answers_nothing_is_an_error(audit: FlowAudit, events: Events) -> None:
    call(audit.asgi(answering()), scope())
    audit.flush()
    assert [(e["status"], e["outcome"]) for e in events()] == [(500, "error")]


def test_bytes_are_counted_both_ways(audit: FlowAudit, events: Events) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send(START)
        await send(BODY)

    incoming = [
        {"type": "http.request", "body": b"x" * 10, "more_body": True},
        {"type": "http.request", "body": b"x" * 7, "more_body": False},
    ]
    call(audit.asgi(app), scope(method="POST"), incoming)
    audit.flush()
    [event] = events()
    assert (event["bytes_in"], event["bytes_out"]) == (17, 5)


@pytest.mark.parametrize(
    ("values", "path", "flags"),
    [
        ({"raw_path": b"/a%20b/../c?x=1"}, "/a%20b/../c", ["traversal"]),
        ({"raw_path": None, "path": "/ä b"}, "/%C3%A4%20b", ["path-rebuilt"]),
        ({"raw_path": b"http://other.example/x"}, "/x", None),
        ({"raw_path": b"/\xff\xfe"}, "/\ufffd\ufffd", None),
        ({"query_string": b"f=..%2f..%2fetc%2fpasswd"}, "/p/1", ["os-file", "traversal"]),
        ({"raw_path": b"/u/ann%40example.org"}, "/u/[masked:email]", None),
    ],
    ids=["raw", "rebuilt", "absolute", "not-utf-8", "query", "masked"],
)
def test_the_target_as_sent(
    audit: FlowAudit, events: Events, values: dict[str, Any], path: str, flags: list[str] | None
) -> None:
    call(audit.asgi(answering(START, BODY)), scope(**values))
    audit.flush()
    [event] = events()
    assert (event["path"], event.get("flags")) == (path, flags)


def headers(**named: str) -> list[tuple[bytes, bytes]]:
    return [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in named.items()]


@pytest.mark.parametrize(
    ("given_headers", "nav"),
    [
        ({"accept": "text/html"}, "page"),
        ({"accept": "application/json"}, "api"),
        ({"sec_fetch_dest": "document", "accept": "*/*"}, "page"),
        ({"sec_fetch_dest": "empty", "accept": "text/html"}, "api"),
        ({"sec_fetch_dest": "image"}, "asset"),
        ({"hx_request": "true", "accept": "text/html"}, "partial"),
        ({"purpose": "prefetch", "sec_fetch_dest": "document"}, "prefetch"),
        ({"sec_purpose": "prefetch;prerender", "hx_request": "true"}, "prefetch"),
    ],
)
def test_navigation(
    audit: FlowAudit, events: Events, given_headers: dict[str, str], nav: str
) -> None:
    call(audit.asgi(answering(START, BODY)), scope(headers=headers(**given_headers)))
    audit.flush()
    assert [event["nav"] for event in events()] == [nav]


@pytest.mark.parametrize(
    ("given_headers", "flags"),
    [
        ({"accept": "*/*"}, ["no-ua"]),
        ({}, ["no-accept", "no-ua"]),
        (
            {"user_agent": "x", "accept": "*/*", "x_forwarded_for": "1.2.3.4"},
            ["forwarded-untrusted"],
        ),
        ({"user_agent": "x", "accept": "*/*", "x_original_url": "/admin"}, ["url-override"]),
        (
            {"user_agent": "x", "accept": "*/*", "x_http_method_override": "PUT"},
            ["method-override"],
        ),
        ({"user_agent": "x", "accept": "*/*", "host": "a b"}, ["bad-host"]),
        (
            {
                "user_agent": "x",
                "accept": "*/*",
                "host": "a.example",
                "origin": "https://b.example",
            },
            ["origin-mismatch"],
        ),
        (
            {
                "user_agent": "x",
                "accept": "*/*",
                "host": "a.example",
                "origin": "https://a.example",
            },
            None,
        ),
    ],
)
def test_odd_headers_are_flagged(
    audit: FlowAudit, events: Events, given_headers: dict[str, str], flags: list[str] | None
) -> None:
    call(audit.asgi(answering(START, BODY)), scope(headers=headers(**given_headers)))
    audit.flush()
    assert [event.get("flags") for event in events()] == [flags]


@pytest.mark.parametrize(
    "chain",
    [
        [(b"x-forwarded-for", b"9.9.9.9"), (b"x-forwarded-for", b"1.2.3.4, 10.0.0.7")],
        [(b"forwarded", b"for=9.9.9.9"), (b"forwarded", b'for="1.2.3.4:80", for=10.0.0.7')],
    ],
    ids=["x-forwarded-for", "forwarded"],
)
def test_repeated_forwarded_headers_are_one_chain(
    make_audit: Callable[..., FlowAudit], events: Events, chain: list[tuple[bytes, bytes]]
) -> None:
    audit = make_audit(trusted_proxies=["10.0.0.0/8"])
    call(audit.asgi(answering(START, BODY)), scope(headers=chain))
    audit.flush()
    [event] = events()
    assert (event["client"], event["peer"]) == ("1.2.3.4", "10.0.0.1")
    assert "forwarded-untrusted" not in event["flags"]


def test_forwarded_headers_that_disagree_are_flagged(
    make_audit: Callable[..., FlowAudit], events: Events
) -> None:
    audit = make_audit(trusted_proxies=1)
    both = headers(x_forwarded_for="1.2.3.4", forwarded="for=9.9.9.9")
    call(audit.asgi(answering(START, BODY)), scope(headers=both))
    audit.flush()
    [event] = events()
    assert event["client"] == "1.2.3.4"
    assert "forwarded-untrusted" in event["flags"]


def test_a_cookie_header_that_http_2_has_split_is_one(
    make_audit: Callable[..., FlowAudit], events: Events
) -> None:
    audit = make_audit(session_cookie=["sid"])
    split = [(b"cookie", b"sid=abc"), (b"cookie", b"theme=dark")]
    call(audit.asgi(answering(START, BODY)), scope(headers=split))
    call(audit.asgi(answering(START, BODY)), scope(headers=[(b"cookie", b"sid=abc")]))
    audit.flush()
    first, second = events()
    assert first["session"] == second["session"]


def test_a_redirect_to_the_login_page_is_a_refusal(
    make_audit: Callable[..., FlowAudit], events: Events
) -> None:
    audit = make_audit(login_paths=["/login"])
    for target in (b"/login?next=/x", b"https://example.org/login", b"/elsewhere"):
        start = {**START, "status": 302, "headers": [(b"location", target)]}
        call(audit.asgi(answering(start, BODY)), scope())
    start = {**START, "status": 302, "headers": [(b"location", b"/login?again")]}
    call(audit.asgi(answering(start, BODY)), scope(path="/login"))
    audit.flush()
    assert [event.get("reason") for event in events()] == [
        "login-required",
        "login-required",
        None,
        None,
    ]


def test_what_the_policy_leaves_out_is_not_lost(
    make_audit: Callable[..., FlowAudit], tmp_path: Any, events: Events, holds: Callable[[], None]
) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text("[[policy]]\npath = '/static/**'\nlevel = 'none'\n")
    audit = make_audit(policy=policy)
    app = audit.asgi(answering(START, BODY))
    for path in ("/static/a.css", "/x", "/static/b.css"):
        call(app, scope(path=path))
    audit.close()
    assert [event["path"] for event in events()] == ["/x"]
    holds()


def test_an_inner_wrapper_only_enriches(audit: FlowAudit, events: Events) -> None:
    call(audit.asgi(audit.asgi(answering(START, BODY))), scope())
    audit.flush()
    assert len(events()) == 1


def test_a_request_inside_a_request_is_a_request_of_its_own(
    audit: FlowAudit, events: Events
) -> None:
    inner = audit.asgi(answering(START, BODY))

    async def app(outer: Any, receive: Any, send: Any) -> None:
        async def drop(message: Message) -> None:
            return None

        await inner(scope(path="/inner"), receive, drop)
        flowaudit.deny("outer")
        await send(START)
        await send(BODY)

    call(audit.asgi(app), scope(path="/outer"))
    audit.flush()
    assert [(e["path"], e["outcome"]) for e in events()] == [("/inner", "ok"), ("/outer", "denied")]


def websocket(*messages: Message, raises: BaseException | None = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        for message in messages:
            await send(message)
        if raises is not None:
            raise raises
        await receive()

    return app


CONNECT: Message = {"type": "websocket.connect"}
ACCEPT: Message = {"type": "websocket.accept"}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([ACCEPT], [("accept", "ok", None), ("close", "ok", None)]),
        ([{"type": "websocket.close"}], [("refuse", "denied", "forbidden")]),
        (
            [ACCEPT, {"type": "websocket.close", "code": 1008}],
            [("accept", "ok", None), ("close", "denied", "forbidden")],
        ),
        (
            [{"type": "websocket.http.response.start", "status": 401, "headers": []}],
            [("refuse", "denied", "login-required")],
        ),
    ],
    ids=["accepted", "refused", "policy", "http-response"],
)
def test_websockets(
    audit: FlowAudit, events: Events, messages: list[Message], expected: list[tuple[Any, ...]]
) -> None:
    one = scope(type="websocket", path="/ws/1")
    del one["method"]
    call(
        audit.asgi(websocket(*messages)),
        one,
        [CONNECT, {"type": "websocket.disconnect", "code": 1000}],
    )
    audit.flush()
    found = [(e["action"], e["outcome"], e.get("reason")) for e in events("websocket")]
    assert found == expected


@pytest.mark.parametrize(
    ("incoming", "raises", "expected"),
    [
        ([], None, (500, "error", "status")),
        ([{"type": "websocket.disconnect", "code": 1006}], None, (499, "aborted", "client-left")),
        ([], ValueError(), (500, "error", "ValueError")),
        ([], PermissionError(), (500, "denied", "forbidden")),
        ([], asyncio.CancelledError(), (499, "aborted", "client-left")),
    ],
    ids=["no-answer", "client-left", "crash", "permission", "cancelled"],
)
def test_a_handshake_that_the_app_never_answers_is_not_ok(
    audit: FlowAudit,
    events: Events,
    incoming: list[Message],
    raises: BaseException | None,
    expected: tuple[Any, ...],
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in (CONNECT, *incoming):
            await receive()
        if raises is not None:
            raise raises

    call(audit.asgi(app), scope(type="websocket"), [CONNECT, *incoming])
    audit.flush()
    [event] = events("websocket")
    assert event["action"] == "refuse"
    assert (event["status"], event["outcome"], event["reason"]) == expected


def test_the_code_that_a_client_left_with_stands(audit: FlowAudit, events: Events) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # nobody hears it any more

    left = {"type": "websocket.disconnect", "code": 1001}
    call(audit.asgi(app), scope(type="websocket"), [left])
    audit.flush()
    close = events("websocket")[-1]
    assert (close["data"]["close_code"], close["outcome"]) == (1001, "ok")


@pytest.mark.parametrize("kind", ["http", "websocket", "lifespan"])
@pytest.mark.parametrize(
    "message",
    [
        None,
        {"no": "type"},
        {"type": ["list"]},
        {"type": "websocket.send", "text": 7},
        {"type": "websocket.send", "bytes": 7},
        {"type": "websocket.close", "code": [1]},
        {"type": "websocket.http.response.start", "status": "no", "headers": 7},
    ],
    ids=str,
)
def test_a_message_that_no_server_takes_is_the_servers_to_refuse(
    audit: FlowAudit, events: Events, kind: str, message: Any
) -> None:
    refused = TypeError("the server's own")

    async def receive() -> Message:
        return CONNECT

    async def send(message: Message) -> None:
        raise refused

    with pytest.raises(TypeError) as caught:
        asyncio.run(audit.asgi(answering(message))(scope(type=kind), receive, send))
    assert caught.value is refused
    audit.flush()
    assert audit.counters["lost"] == 0
    assert kind == "lifespan" or len(events("request", "websocket")) == 1


@pytest.mark.parametrize("trailers", [False, True])
def test_the_event_is_spooled_before_the_block_that_makes_the_answer_whole(
    audit: FlowAudit, trailers: bool
) -> None:
    at: list[int] = []

    async def send(message: Message) -> None:
        source = audit._recorder.live
        at.append(source.last_n if source else 0)

    start = {**START, "headers": [(b"content-length", b"10")], "trailers": trailers}
    more = {**BODY, "more_body": True}
    end: Message = {"type": "http.response.body", "body": b""}
    messages = [start, more, more, end, {"type": "http.response.trailers", "headers": []}]
    asyncio.run(audit.asgi(answering(*messages))(scope(), None, send))
    assert [after - at[0] for after in at] == ([0, 0, 0, 0, 1] if trailers else [0, 0, 1, 1, 1])


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_headers_that_can_be_read_once_reach_the_server(
    audit: FlowAudit, events: Events, kind: str
) -> None:
    prefix = "websocket.http" if kind == "websocket" else "http"
    pairs = [(b"location", b"/there"), (b"x", b"y")]
    start = {"type": f"{prefix}.response.start", "status": 302, "headers": iter(pairs)}
    end = {"type": f"{prefix}.response.body", "body": b""}
    sent, _ = call(audit.asgi(answering(start, end)), scope(type=kind))
    assert list(sent[0]["headers"]) == pairs


def test_lifespan_closes_the_source_and_a_later_request_begins_another(
    audit: FlowAudit, events: Events
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send(START)
            await send(BODY)

    wrapped = audit.asgi(app)
    call(wrapped, scope())
    sent, _ = call(wrapped, {"type": "lifespan"})
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert [event["action"] for event in events("process")] == ["start", "stop"]
    call(wrapped, scope())
    audit.flush()
    assert len(events()) == 2


def test_a_lifespan_that_the_app_does_not_know_fails_as_without_us(audit: FlowAudit) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"

    assert isinstance(call(audit.asgi(app), {"type": "lifespan"})[1], AssertionError)


raw = st.binary(max_size=40)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    method=st.text(max_size=30),
    raw_path=raw,
    query=raw,
    names=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"host",
                    b"user-agent",
                    b"accept",
                    b"cookie",
                    b"referer",
                    b"x-request-id",
                    b"traceparent",
                    b"x-forwarded-for",
                    b"origin",
                    b"purpose",
                    b"x-original-url",
                    b"x-http-method-override",
                    b"content-length",
                ]
            )
            | raw,
            raw,
        ),
        max_size=12,
    ),
    status=st.integers(100, 999),
)
def test_any_request_gives_one_event_and_no_fault_of_ours(
    audit: FlowAudit,
    method: str,
    raw_path: bytes,
    query: bytes,
    names: list[tuple[bytes, bytes]],
    status: int,
) -> None:
    counted = audit._recorder
    before = counted.live.last_n if counted.live else 1
    one = scope(method=method, raw_path=raw_path, query_string=query, headers=names)
    sent, error = call(audit.asgi(answering({**START, "status": status}, BODY)), one)
    assert error is None
    assert len(sent) == 2
    assert counted.live is not None
    assert counted.live.last_n == before + 1
    assert audit.counters == {"lost": 0, "commit_failed": 0, "capture_failed": 0}


def test_a_fault_of_ours_is_counted_and_the_app_does_not_notice(
    audit: FlowAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("ours")

    class Broken:
        count_received = put = fail
        lost = 0

        def lose(self, finishes: bool) -> None:
            pass

    monkeypatch.setattr(audit._recorder, "live", Broken())
    sent, error = call(audit.asgi(answering(START, BODY)), scope())
    assert error is None
    assert sent == [START, BODY]
    assert audit.counters["capture_failed"] == 2


def test_an_event_that_cannot_be_made_is_told_as_a_gap(
    audit: FlowAudit, events: Events, holds: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = audit._composer._request

    def fail(facts: Any, *others: Any) -> Any:
        if facts.target.raw == "/bad":
            raise RuntimeError("ours")
        return real(facts, *others)

    monkeypatch.setattr(audit._composer, "_request", fail)
    app = audit.asgi(answering(START, BODY))
    for path in ("/a", "/bad", "/b"):
        call(app, scope(path=path))
        audit.flush()
    audit.close()
    assert [(e["kind"], e.get("path")) for e in events()] == [
        ("request", "/a"),
        ("gap", None),
        ("request", "/b"),
    ]
    assert events("gap")[0]["facts"]["count"] == 1
    holds()


def test_a_vault_that_cannot_answer_leaves_the_actor_out_and_says_so(
    audit: FlowAudit, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowaudit.errors import VaultError

    def fail(*_: Any) -> str:
        raise VaultError("busy")

    monkeypatch.setattr(audit._vault, "_ask", fail)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.identify("user:1")
        await send(START)
        await send(BODY)

    call(audit.asgi(app), scope())
    audit.flush()
    [event] = events()
    assert "actor" not in event
    assert event["flags"] == ["identity-unavailable"]


def test_a_function_of_the_apps_own_tells_the_route(audit: FlowAudit, events: Events) -> None:
    def enrich(scope: dict[str, Any], facts: Any) -> None:
        facts.route = "/p/{id}" if facts.status == 200 else None
        facts.resource, facts.resource_id = "p", scope["path"].removeprefix("/p/")

    call(audit.asgi(answering(START, BODY), enrich=enrich), scope())
    audit.flush()
    (event,) = events()
    assert (event["route"], event["resource"], event["resource_id"]) == ("/p/{id}", "p", "1")


ABSURD: Message = {**START, "headers": [(b"content-length", b"9" * 9_000)]}
LONGER: Message = {**START, "headers": [(b"Content-Length", b"9")]}
MORE: Message = {**BODY, "more_body": True}


@pytest.mark.parametrize(
    ("messages", "status", "outcome", "reason"),
    [
        ([START, MORE], 200, "error", "incomplete"),
        ([START], 200, "error", "incomplete"),
        ([LONGER, BODY], 200, "error", "incomplete"),
        ([LONGER, MORE, BODY], 200, "ok", None),
        ([ABSURD, BODY], 200, "ok", None),
        ([{**START, "status": 403}, MORE], 403, "denied", "forbidden"),
        ([BODY], 500, "error", "status"),
        ([], 500, "error", "status"),
    ],
    ids=[
        "no-end",
        "no-body",
        "too-short",
        "whole",
        "absurd-length",
        "refusal",
        "no-start",
        "nothing",
    ],
)
def test_an_answer_that_is_not_whole_is_an_error(
    audit: FlowAudit,
    events: Events,
    messages: list[Message],
    status: int,
    outcome: str,
    reason: str | None,
) -> None:
    call(audit.asgi(answering(*messages)), scope())
    audit.flush()
    [event] = events()
    assert (event["status"], event["outcome"], event.get("reason")) == (status, outcome, reason)
    assert audit.counters["capture_failed"] == 0


def test_audits_of_two_trails_both_record(audit: FlowAudit, events: Events, tmp_path: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.identify("user:1")
        await send(START)
        await send(BODY)

    def route(scope: Any, facts: Any) -> None:
        facts.route = "/p/{id}"

    other = FlowAudit(trail=tmp_path / "other.db")
    try:
        _, error = call(audit.asgi(other.asgi(app, enrich=route)), scope())
        assert error is None
        other.flush()
        audit.flush()
        [inner] = recorded_events(other)
        [outer] = events()
    finally:
        other.close()
    assert inner["route"] == outer["route"] == "/p/{id}"
    assert "actor" in inner
    assert "actor" not in outer


def test_two_audits_of_one_trail_record_a_request_once(audit: FlowAudit, events: Events) -> None:
    other = FlowAudit(trail=os.path.relpath(audit.paths.trail))
    try:
        call(audit.asgi(other.asgi(answering(START, BODY))), scope())
    finally:
        other.close()
    audit.flush()
    assert len(events()) == 1
