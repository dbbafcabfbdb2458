"""The raw facts of one request: what WSGI and ASGI share, and what the app adds.

`Facts` is filled while the request runs and read once, when its event is made.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

import msgspec

from ..event import Value, clean_map, clean_text
from ..policy.redact import clean_request_id, clean_trace_id
from .bodies import Payload
from .heads import NOBODY, Visitor
from .targets import NO_TARGET, Target

__all__ = [
    "Actor",
    "Facts",
    "Hearer",
    "Said",
    "SignIn",
    "cookie_value",
    "header_text",
    "name_text",
    "role_names",
    "set_cookie_value",
]

MAX_NAME: Final = 200
"""Characters kept of a route, role, flow, step or resource name: the app's own words."""


class Actor(NamedTuple):
    """Who acts, as an adapter or an app's own function tells it."""

    identity: str
    """As the app knows them, such as `user:42`; recorded as a token only."""
    roles: Iterable[str] | None = None
    """Their roles at this moment."""
    kind: str | None = None
    """`user` (if not told), `service`, `agent`, `bot` or `system`."""
    via: str | None = None
    """Who really acts, when `identity` is impersonated or delegated to."""


class SignIn:
    """A sign-in, sign-out or failed sign-in that the app told during a request."""

    __slots__ = ("action", "data", "identity", "name", "outcome", "reason", "ts")

    def __init__(
        self,
        action: str,
        ts: int,
        identity: str | None = None,
        name: str | None = None,
        data: dict[str, Value] | None = None,
    ) -> None:
        self.action, self.ts = action, ts
        self.identity, self.name = identity, name
        self.data = data
        failed = action == "login-failed"
        self.outcome = "denied" if failed else "ok"
        self.reason = "bad-credentials" if failed else None


class Said:
    """What the app told of a request through the context."""

    __slots__ = (
        "actor_kind",
        "data",
        "denied",
        "events",
        "failures",
        "flow",
        "hidden",
        "identity",
        "privileged",
        "resource",
        "resource_id",
        "roles",
        "rows",
        "sign_ins",
        "step",
        "via",
    )

    def __init__(self) -> None:
        self.identity: str | None = None
        self.actor_kind: str | None = None
        self.via: str | None = None
        self.roles: list[str] | None = None
        self.denied: str | None = None
        self.hidden = False
        self.resource: str | None = None
        self.resource_id: str | None = None
        self.privileged: bool | None = None
        self.rows: int | None = None
        self.flow: str | None = None
        self.step: str | None = None
        self.data: dict[str, Value] | None = None
        self.sign_ins: list[SignIn] = []
        self.events: list[tuple[str, str | None, int, dict[str, Value]]] = []
        self.failures: list[tuple[int, Exception]] = []

    def note(self, values: Mapping[str, object]) -> None:
        """Add to `data`."""
        cleaned = clean_map(values)
        if cleaned:
            self.data = {**(self.data or {}), **cleaned}


class Hearer(Protocol):
    """Who is told what an app says of a request, or does in it, after its event is made."""

    def hear_late(self, facts: "Facts") -> None:
        """The app told a sign-in or another event. Never raises."""

    def hear_in_vain(self, facts: "Facts", what: str) -> None:
        """The app said something that only the request's own event could hold. Never raises."""


class Facts(msgspec.Struct, eq=False):
    """One request in flight: filled while it runs, read once, when its event is made."""

    ts: int
    """Start, µs since 1970 UTC."""
    method: str
    start_ns: int = msgspec.field(default_factory=time.perf_counter_ns)
    kind: str = "request"
    action: str | None = None
    """For a websocket: `accept`, `close` or `refuse`, once it is known."""
    visitor: Visitor = NOBODY
    """What its headers say of who sent it; set when it comes in."""
    cookie: str | bytes | None = None
    """This header and the next three as they came; set when it comes in."""
    referer: str | bytes | None = None
    request_id: str | bytes | None = None
    traceparent: str | bytes | None = None
    target: Target = NO_TARGET
    """What it asked for; set when it comes in."""
    query: str = ""
    status: int | None = None
    closed_with: int | None = None
    """The code that the app closed a websocket with."""
    location: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    route: str | None = None
    session: str | None = None
    """The app's session id as the adapter knows it; hashed before it is recorded."""
    new_session: str | None = None
    """The session id that the answer gave."""
    user: str | None = None
    """The identity that the framework told; what the app says itself goes before it, as it does
    for the fields below.
    """
    roles: list[str] | None = None
    actor_kind: str | None = None
    via: str | None = None
    """Who really acts, where `user` is impersonated."""
    resource: str | None = None
    resource_id: str | None = None
    exception: BaseException | None = None
    cause: str | None = None
    disconnected: bool = False
    done: bool = False
    root: str = ""
    """The path below which it came in (`SCRIPT_NAME`, `root_path`), as the server said it."""
    is_asgi: bool = False
    said_: Said | None = None
    of: int | None = None
    """Of a strict request: the number of its event `received`."""
    is_told: bool = False
    """Of a strict request: its own event is made, and only `finished` is to come."""
    told_n: int = 0
    """Its number; 0 if it could not be kept."""
    payload: Payload | None = None
    """Its bodies, where the policy asks for what is in them."""
    hearer: Hearer | None = None
    """Who made it, and is told what is said after its event."""
    outer: "Facts | None" = None
    """Of the same request, where a wrapper outside takes it into another trail."""

    def __repr__(self) -> str:
        """Nothing of what it holds: error pages and mails print the environ that it lies in."""
        return f"<Facts of a {self.kind}>"

    def act(self, actor: "Actor | str | None") -> None:
        """Take who acts from an adapter, or from the function that an app gave it."""
        if isinstance(actor, str):
            self.user = actor or self.user
        elif actor is not None and actor.identity:
            self.user = _identity(actor.identity)
            self.roles = role_names(actor.roles) or self.roles
            self.actor_kind = actor.kind or self.actor_kind
            self.via = _identity(actor.via) if actor.via else self.via

    @property
    def elapsed_us(self) -> int:
        """Microseconds since it began, by a clock that nobody sets."""
        return (time.perf_counter_ns() - self.start_ns) // 1_000

    @property
    def request(self) -> str | None:
        """The request id, as far as it may be recorded."""
        return clean_request_id(header_text(self.request_id)) if self.request_id else None

    @property
    def trace(self) -> str | None:
        """The W3C trace id, as far as it may be recorded."""
        return clean_trace_id(header_text(self.traceparent)) if self.traceparent else None

    @property
    def said(self) -> Said:
        """What the app told so far."""
        if self.said_ is None:
            self.said_ = Said()
        return self.said_

    @property
    def is_over(self) -> bool:
        """Whether no event of its own is to come; an open websocket has one more."""
        return self.is_told or (self.done and self.action != "accept")

    @property
    def tells_others(self) -> bool:
        """Whether the app recorded sign-ins or other events beside the request."""
        said = self.said_
        return said is not None and bool(said.sign_ins or said.events)

    @property
    def identity(self) -> str | None:
        """Who acts, as the app or the framework knows them."""
        said = self.said_
        return said.identity if said is not None and said.identity is not None else self.user

    @property
    def delegate(self) -> str | None:
        """Who really acts, if it is not `identity`."""
        said = self.said_
        if said is None or (said.identity is None and said.via is None):
            return self.via
        return said.via

    def identities(self) -> list[str]:
        """Everybody this request's events will name."""
        said = self.said_
        if said is None:
            return [name for name in (self.user, self.via) if name is not None]
        named: list[object] = [
            self.identity,
            self.delegate,
            *(sign_in.identity for sign_in in said.sign_ins),
        ]
        named += [
            values["target"]
            for kind, _, _, values in said.events
            if kind == "auth" and "target" in values
        ]
        return [name for name in named if isinstance(name, str)]


def _identity(named: object) -> str:
    """An identity as text, also where an app names somebody by the bare key of a row."""
    return named if isinstance(named, str) else str(named)


def header_text(raw: str | bytes | None) -> str:
    """A header's value as text; empty if it was not there."""
    if raw is None:
        return ""
    return raw.decode("latin-1") if isinstance(raw, bytes) else raw


def name_text(value: object) -> str | None:
    """A name from the app: text, bounded; `None` if it is empty."""
    return clean_text(str(value), MAX_NAME) or None


def role_names(roles: Iterable[object] | None) -> list[str] | None:
    """Roles from the app; `None` if there are none."""
    if roles is None:
        return None
    names = [name_text(role) for role in ([roles] if isinstance(roles, str) else roles)]
    return [name for name in names if name is not None][:50] or None


def cookie_value(header: str, names: Iterable[str]) -> str | None:
    """The value of the first of the named cookies that a `Cookie` header holds."""
    for name in names:
        for part in header.split(";"):
            key, sep, value = part.strip().partition("=")
            if sep and key == name and value:
                return value.strip('"') or None
    return None


def set_cookie_value(header: str, names: Iterable[str]) -> str | None:
    """The value that a `Set-Cookie` header gives to one of the named cookies."""
    return cookie_value(header.partition(";")[0], names)
