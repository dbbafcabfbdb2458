"""What comes in over ASGI: target, headers, session, who sent it."""

from collections.abc import Callable
from typing import Any

import pytest

from flowaudit import FlowAudit

from .asgi_driver import BODY, START, Events, answering, call, headers, scope


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
    for target in (b"/login?next=/x", b"https://example.org/login", b"//evil/login"):
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


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("testclient", None),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", None),
        ("A" * 20_000, None),
        ("ann@example.org", None),
    ],
    ids=["v4", "mapped", "v6", "zone", "none", "name", "token", "long", "mail"],
)
def test_a_peer_that_is_no_address_is_nobody(
    audit: FlowAudit, events: Events, peer: str, client: str | None
) -> None:
    call(audit.asgi(answering(START, BODY)), scope(client=(peer, 5)))
    audit.flush()
    [event] = events()
    assert event.get("client") == client
    assert "peer" not in event
