"""What a scenario is, and the words that the tables of scenarios are written with."""

from dataclasses import dataclass, field
from typing import Any, Final

from .drivers import Call

__all__ = [
    "ABSENT",
    "ACCEPTED",
    "PAGE",
    "Event",
    "Scenario",
    "beside",
    "call",
    "close",
    "event",
    "get",
    "plain",
    "refuse",
    "refused",
    "said",
    "send",
    "socket",
]


ABSENT: Final = None
"""A field that the event does not have."""

PAGE: Final = "a page of the framework's own"
"""Of `bytes_out`: the framework writes the answer, and its length is not compared."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """Calls of one client, one after the other, and what is recorded."""

    calls: tuple[Call, ...]
    events: tuple[Event, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    """Of `FlowAudit`, beside the usual ones."""

    @property
    def is_websocket(self) -> bool:
        """Whether it needs a protocol that WSGI does not have."""
        return any(call.sends is not None for call in self.calls)


def call(method: str, target: str, body: bytes = b"", **rest: Any) -> Call:
    """A call; what is not told of it is usual."""
    headers = {k.replace("_", "-"): v for k, v in rest.pop("headers", {}).items()}
    return Call(method, target, tuple(headers.items()), body, **rest)


def event(**fields: Any) -> Event:
    """A request's event; what is not told of it is usual."""
    usual = {
        "kind": "request",
        "method": "GET",
        "host": "testserver",
        "client": "10.0.0.1",
        "ua": "test",
        "nav": "page",
        "actor_kind": "anonymous",
        "status": 200,
        "outcome": "ok",
    }
    merged = usual | fields
    return {name: value for name, value in merged.items() if value is not ABSENT}


def beside(**fields: Any) -> Event:
    """An event beside a request's; what is not told of it is usual."""
    usual = {"method": ABSENT, "nav": ABSENT, "actor_kind": ABSENT, "status": ABSENT}
    return event(**usual | fields)


def plain(target: str = "/plain", **fields: Any) -> tuple[Event, ...]:
    """The event of a page that answers `ok`."""
    path = target.partition("?")[0]
    return (event(**{"route": path, "path": path, "bytes_out": 2, **fields}),)


def get(target: str, headers: dict[str, str | None] | None = None, **fields: Any) -> Scenario:
    """One page that is read."""
    one = Call("GET", target, tuple((headers or {}).items()))
    return Scenario((one,), plain(target, **fields))


def refused(target: str, reason: str, *, status: int = 403, **fields: Any) -> Scenario:
    """One page that is refused."""
    fields = {"outcome": "denied", "reason": reason, "status": status, **fields}
    return get(target, **fields)


def said(name: str, **fields: Any) -> Scenario:
    """One page that says something of itself."""
    return get(f"/said/{name}", **fields)


def send(method: str, target: str, body: bytes, **fields: Any) -> Scenario:
    """One form or document that is sent."""
    path = target.partition("?")[0]
    sent = event(method=method, path=path, bytes_in=len(body), **fields)
    return Scenario((call(method, target, body),), (sent,))


ACCEPTED: Final = {"action": "accept", "status": ABSENT}
"""The first event of every websocket that is not refused."""


def socket(target: str, *events: Event, **rest: Any) -> Scenario:
    """One websocket; `rest` is what the client does."""
    path = f"/ws/{target.partition('?')[0]}"
    route: Event = {"kind": "websocket", "route": path, "path": path}
    one = Call("GET", f"/ws/{target}", **{"sends": (), **rest})
    return Scenario((one,), tuple(event(**route | each) for each in events))


def close(code: int | None, size: int = 0, messages: int = 0, **fields: Any) -> Event:
    """The event at the end of a websocket that gave each message back."""
    data = {"close_code": code, "messages_in": messages, "messages_out": messages}
    told = {name: value for name, value in data.items() if value is not ABSENT}
    return {
        "action": "close",
        "status": ABSENT,
        "bytes_in": size or ABSENT,
        "bytes_out": size or ABSENT,
        "data": told,
        **fields,
    }


def refuse(status: int, outcome: str, reason: str, **fields: Any) -> Event:
    """The event of a websocket that is not accepted."""
    return {"action": "refuse", "status": status, "outcome": outcome, "reason": reason, **fields}
