"""Environ values that are not what PEP 3333 says: the event is made of what can be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit

from .test_payload import EVERYTHING, policy_file
from .test_wsgi import Events, Server, answering, environ


class Odd:
    """Neither text nor a number, and no text of it can be made."""

    def __str__(self) -> str:
        raise RuntimeError("not even a text")

    __repr__ = __bool__ = __str__  # type: ignore[assignment]


WHOLE: dict[str, Any] = {
    "REQUEST_METHOD": "POST",
    "RAW_URI": "/p/1?q=2",
    "PATH_INFO": "/p/1",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "q=2",
    "REMOTE_ADDR": "10.0.0.1",
    "CONTENT_LENGTH": "12",
    "HTTP_ACCEPT": "text/html",
    "HTTP_COOKIE": "sid=1",
    "HTTP_HOST": "example.org",
    "HTTP_REFERER": "http://example.org/before",
    "HTTP_TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "HTTP_USER_AGENT": "agent",
    "HTTP_X_REQUEST_ID": "r1",
}
TOLD_BY: dict[str, tuple[str, ...]] = {
    "REQUEST_METHOD": ("method",),
    "RAW_URI": ("path", "flags"),
    "QUERY_STRING": ("query",),
    "REMOTE_ADDR": ("client",),
    "CONTENT_LENGTH": ("bytes_in",),
    "HTTP_ACCEPT": ("nav", "flags"),
    "HTTP_COOKIE": ("session",),
    "HTTP_HOST": ("host",),
    "HTTP_REFERER": ("referer",),
    "HTTP_TRACEPARENT": ("trace",),
    "HTTP_USER_AGENT": ("ua", "flags"),
    "HTTP_X_REQUEST_ID": ("request",),
}
"""Fields of the event that a variable tells."""

VOLATILE = ("ts", "duration_us", "source", "n", "seq")

ODD: dict[str, Any] = {
    "none": None,
    "number": 7,
    "zero": 0,
    "float": 0.5,
    "bytes": b"b",
    "list": ["x"],
    "tuple": ("x",),
    "dict": {"x": 1},
    "object": Odd(),
}


@pytest.fixture
def audit(make_audit: Callable[..., FlowAudit]) -> FlowAudit:
    return make_audit(session_cookie=["sid"], query_keys=["q"])


def told(audit: FlowAudit, events: Events) -> list[dict[str, Any]]:
    audit.flush()
    return [{k: v for k, v in event.items() if k not in VOLATILE} for event in events()]


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", WHOLE)
def test_what_can_be_read_of_an_environ_makes_the_event(
    audit: FlowAudit, events: Events, name: str, value: Any
) -> None:
    app = audit.wsgi(answering([b"x"]))
    seen: dict[str, Any] = {}

    def looking(environ: Any, start_response: Any) -> Any:
        seen.update(environ)
        return app(environ, start_response)

    Server(audit).run(app, environ(**WHOLE))
    Server(audit).run(looking, environ(**WHOLE) | {name: value})
    whole, odd = told(audit, events)
    assert odd["kind"] == "request"
    differing = {key for key in whole.keys() | odd.keys() if whole.get(key) != odd.get(key)}
    assert differing <= {*TOLD_BY.get(name, ())}
    assert seen[name] is value


@pytest.mark.parametrize(
    ("values", "field", "expected"),
    [
        ({"HTTP_USER_AGENT": b"agent"}, "ua", "agent"),
        ({"HTTP_HOST": b"example.org"}, "host", "example.org"),
        ({"REMOTE_ADDR": b"10.0.0.2"}, "client", "10.0.0.2"),
        ({"REQUEST_METHOD": b"PUT"}, "method", "PUT"),
        ({"REQUEST_METHOD": None}, "method", None),
        ({"QUERY_STRING": b"q=3"}, "query", "q=3"),
        ({"HTTP_X_REQUEST_ID": 7}, "request", "7"),
        ({"HTTP_X_REQUEST_ID": b"r2"}, "request", "r2"),
        ({"RAW_URI": b"/b"}, "path", "/b"),
        ({"RAW_URI": None, "PATH_INFO": None, "SCRIPT_NAME": "/s"}, "path", "/s"),
        ({"RAW_URI": None, "PATH_INFO": b"/b c"}, "path", "/b%20c"),
        ({"RAW_URI": None, "PATH_INFO": ["/b"]}, "path", None),
        ({"CONTENT_LENGTH": 7}, "bytes_in", 7),
    ],
    ids=str,
)
def test_bytes_and_numbers_are_read(
    audit: FlowAudit, events: Events, values: dict[str, Any], field: str, expected: Any
) -> None:
    Server(audit).run(audit.wsgi(answering([b"x"])), environ(**WHOLE | values))
    [event] = told(audit, events)
    assert event.get(field) == expected


def test_an_empty_environ_makes_an_event(audit: FlowAudit, events: Events) -> None:
    [*audit.wsgi(answering([b"x"]))({}, lambda *a: None)]
    [event] = told(audit, events)
    assert (event["status"], event["outcome"]) == (200, "ok")


@pytest.mark.parametrize(
    "name", [None, 7, 0.5, b"b", ("x",), Odd()], ids=lambda name: type(name).__name__
)
def test_names_that_are_no_text_are_passed_over(
    audit: FlowAudit, events: Events, name: Any
) -> None:
    Server(audit).run(audit.wsgi(answering([b"x"])), environ(**WHOLE) | {name: "x"})
    [event] = told(audit, events)
    assert event["path"] == "/p/1"


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["PATH_INFO", "REQUEST_METHOD", "CONTENT_LENGTH", "HTTP_ORIGIN"])
def test_the_beacon_passes_odd_requests_to_nobody(
    make_audit: Callable[..., FlowAudit], events: Events, name: str, value: Any
) -> None:
    audit = make_audit(beacon="/told")
    one = environ(PATH_INFO="/told", REQUEST_METHOD="POST", **{"wsgi.input": None}) | {name: value}
    Server(audit).run(audit.wsgi(answering([b"x"])), one)
    [event] = told(audit, events)
    assert (event["status"] == 200) == (name == "PATH_INFO")  # the app's answer, or the beacon's


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["HTTP_ACCEPT", "CONTENT_TYPE", "wsgi.input"])
def test_what_can_be_read_of_bodies_is_told(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events, name: str, value: Any
) -> None:
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(environ[name])
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"a":1}']

    audit = make_audit(policy=policy_file(tmp_path, EVERYTHING))
    Server(audit).run(audit.wsgi(app), environ(**WHOLE) | {name: value})
    [event] = told(audit, events)
    assert event["data"]["response"]["bytes"] == 7
    assert name == "wsgi.input" or seen == [value]
    assert (value is None) <= (seen == [None])


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["HTTP_COOKIE", "HTTP_REFERER", "QUERY_STRING", "PATH_INFO"])
def test_a_strict_request_is_answered_all_the_same(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events, name: str, value: Any
) -> None:
    policy = policy_file(
        tmp_path, '[[policy]]\npath = "/**"\nlevel = "meta"\ndurability = "strict"\n'
    )
    audit = make_audit(policy=policy, session_cookie=["sid"], query_keys=["q"])
    server = Server(audit).run(audit.wsgi(answering([b"x"])), environ(**WHOLE) | {name: value})
    assert server.status == "200 OK"
    assert [event.get("action") for event in told(audit, events)] == ["received", None, "finished"]
