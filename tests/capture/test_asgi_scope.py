"""Scope values that are not what ASGI says: the event is made of what can be read."""

from collections.abc import Callable
from typing import Any

import pytest

from flowaudit import FlowAudit

from .asgi_driver import BODY, START, Events, answering, call, headers, scope

HEADERS = headers(
    accept="text/html",
    cookie="sid=1",
    host="example.org",
    referer="http://example.org/before",
    user_agent="agent",
    x_request_id="r1",
)
WHOLE: dict[str, Any] = {
    "method": "POST",
    "path": "/p/1",
    "raw_path": b"/p/1",
    "query_string": b"q=2",
    "root_path": "",
    "client": ("10.0.0.1", 5),
    "headers": HEADERS,
}
TOLD_BY: dict[str, tuple[str, ...]] = {
    "method": ("method",),
    "raw_path": ("path", "flags"),
    "query_string": ("query",),
    "client": ("client",),
    "headers": ("flags", "host", "nav", "referer", "request", "session", "ua"),
}
"""Fields of the event that a part of the scope tells."""

VOLATILE = ("ts", "duration_us", "source", "n", "seq")


class Odd:
    """Neither text nor a number, and not to be asked."""

    def __str__(self) -> str:
        raise RuntimeError("not even a text")

    __repr__ = __bool__ = __str__  # type: ignore[assignment]


ODD: dict[str, Any] = {
    "none": None,
    "number": 7,
    "float": 0.5,
    "text": "x",
    "bytes": b"x",
    "list": ["x"],
    "tuple": ("x",),
    "pairs": [(b"host", 7), (7, b"x"), None, (b"accept",), [b"user-agent", ["x"]]],
    "dict": {"x": 1},
    "object": Odd(),
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", WHOLE)
def test_what_can_be_read_of_a_scope_makes_the_event(
    make_audit: Callable[..., FlowAudit], events: Events, name: str, value: Any
) -> None:
    audit = make_audit(session_cookie=["sid"], query_keys=["q"])
    app = audit.asgi(answering(START, BODY))
    for changes in ({}, {name: value}):
        sent, error = call(app, scope(**WHOLE) | changes)
        assert (sent, error) == ([START, BODY], None)
    audit.flush()
    whole, odd = ({k: v for k, v in event.items() if k not in VOLATILE} for event in events())
    assert odd["kind"] == "request"
    differing = {key for key in whole.keys() | odd.keys() if whole.get(key) != odd.get(key)}
    assert differing <= {*TOLD_BY.get(name, ())}
