"""The scenarios: what is sent, and the whole event that each build must record of it."""

from dataclasses import dataclass, field
from typing import Any, Final

from .app import JWT, PASSWORD
from .drivers import Call

__all__ = ["ABSENT", "PAGE", "SCENARIOS", "Scenario"]

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


def socket(name: str, *events: Event, sends: tuple[str | bytes, ...] = ()) -> Scenario:
    """One websocket."""
    one = Call("GET", f"/ws/{name}", sends=sends)
    route: Event = {"kind": "websocket", "route": f"/ws/{name}", "path": f"/ws/{name}"}
    return Scenario((one,), tuple(event(**route | each) for each in events))


SIGN_IN = b"name=ann&pw=" + PASSWORD.replace(" ", "+").encode()
FORM = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = (
    b'--line\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nfive.\r\n--line--\r\n"
)
SIGN_IN_CALL = call("POST", "/sign-in", SIGN_IN, headers=FORM)
SIGNED_IN = event(
    method="POST",
    route="/sign-in",
    path="/sign-in",
    bytes_in=len(SIGN_IN),
    bytes_out=2,
    actor="user:ann",
    actor_kind="user",
    session="session 1",
)
LOGIN_EVENT = beside(
    kind="auth",
    action="login",
    route="/sign-in",
    actor="user:ann",
    actor_kind="user",
    login="ann",
    session="session 1",
)
MINE = event(
    route="/mine",
    path="/mine",
    bytes_out=2,
    actor="user:ann",
    actor_kind="user",
    session="session 1",
)
FAILED = beside(
    kind="auth",
    action="login-failed",
    route="/sign-in",
    login="ann",
    outcome="denied",
    reason="bad-credentials",
    data={"login_known": True},
)
WRONG = b"name=ann&pw=wrong"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

PEOPLE: Final = {
    "sign-in": Scenario((SIGN_IN_CALL, call("GET", "/mine")), (LOGIN_EVENT, SIGNED_IN, MINE)),
    "sign-in-failed": Scenario(
        (call("POST", "/sign-in", WRONG, headers=FORM),),
        (
            FAILED,
            event(
                method="POST",
                route="/sign-in",
                path="/sign-in",
                bytes_in=len(WRONG),
                bytes_out=5,
                outcome="denied",
                reason="bad-credentials",
            ),
        ),
    ),
    "sign-in-failed-401": Scenario(
        (call("GET", "/said/wrong-401"),),
        (
            beside(
                kind="auth",
                action="login-failed",
                route="/said/wrong-401",
                login="nobody",
                outcome="denied",
                reason="bad-credentials",
                data={"login_known": False},
            ),
            *plain("/said/wrong-401", status=401, outcome="denied", reason="bad-credentials"),
        ),
    ),
    "sign-out": Scenario(
        (SIGN_IN_CALL, call("POST", "/sign-out")),
        (
            LOGIN_EVENT,
            SIGNED_IN,
            beside(
                kind="auth",
                action="logout",
                route="/sign-out",
                actor="user:ann",
                actor_kind="user",
                session="session 1",
            ),
            event(
                method="POST",
                route="/sign-out",
                path="/sign-out",
                status=302,
                actor="user:ann",
                actor_kind="user",
                session="session 1",
            ),
        ),
    ),
    "session-changes-at-sign-in": Scenario(
        (call("GET", "/cart"), SIGN_IN_CALL),
        (
            event(route="/cart", path="/cart", bytes_out=2, session="session 1"),
            LOGIN_EVENT | {"session": "session 2", "data": {"previous_session": "session 1"}},
            SIGNED_IN | {"session": "session 2"},
        ),
    ),
    "anonymous-session": Scenario(
        (call("GET", "/cart"), call("GET", "/plain")),
        (
            event(route="/cart", path="/cart", bytes_out=2, session="session 1"),
            *plain(session="session 1"),
        ),
    ),
    "nobody": get("/mine", bytes_out=4),
    "bearer-token": get(
        "/api/mine",
        {"authorization": "Bearer anns-token", "accept": "application/json"},
        actor="user:ann",
        actor_kind="user",
        roles=["nurse"],
        nav="api",
    ),
    "bearer-token-unknown": get(
        "/api/mine",
        {"authorization": "Bearer another", "accept": "application/json"},
        nav="api",
        bytes_out=4,
    ),
    "service": said("service", actor="service:cron", actor_kind="service"),
    "agent": said("agent", actor="agent:7", actor_kind="agent", via="user:ann"),
    "impersonated": said(
        "impersonated", actor="user:bob", actor_kind="user", roles=["nurse"], via="user:ann"
    ),
    "new-password": Scenario(
        (call("POST", "/reset"),),
        (
            beside(kind="auth", action="reset", route="/reset", data={"target": "user:ann"}),
            event(method="POST", route="/reset", path="/reset", status=302),
        ),
    ),
    "members-signed-in": Scenario(
        (SIGN_IN_CALL, call("GET", "/members")),
        (LOGIN_EVENT, SIGNED_IN, MINE | {"route": "/members", "path": "/members"}),
    ),
}

REFUSALS: Final = {
    "denied": refused("/said/denied", "not-yours"),
    "denied-in-a-200": refused("/said/denied-200", "not-yours", status=200),
    "graphql": refused("/said/graphql", "forbidden", status=200, bytes_out=14),
    "hidden": get("/hidden", status=404, outcome="hidden", reason="hidden", bytes_out=PAGE),
    "unauthenticated": refused("/unauthenticated", "login-required", status=401, bytes_out=PAGE),
    "members-anonymous": refused("/members", "login-required", status=401, bytes_out=PAGE),
    **{
        f"redirect-{status}": refused(
            f"/redirect/{status}", "login-required", status=status, bytes_out=ABSENT
        )
        for status in (301, 302, 303, 307)
    },
    "redirect-absolute": refused(
        "/redirect/absolute", "login-required", status=302, bytes_out=ABSENT
    ),
    "redirect-elsewhere": get("/redirect/elsewhere", status=302, bytes_out=ABSENT),
    "redirect-within-sign-in": get("/login/again", status=302, bytes_out=ABSENT),
    "forbidden": refused("/forbidden", "forbidden", bytes_out=PAGE),
    "forbidden-answer": refused("/status/403", "forbidden"),
    "permission-exception": refused("/permission", "forbidden", status=500, bytes_out=PAGE),
    "permission-behind-a-broken-handler": refused(
        "/barred", "forbidden", status=500, bytes_out=PAGE
    ),
    "permission-made-a-500": refused("/swallowed", "forbidden", status=500),
    "locked": refused("/status/423", "locked", status=423),
    "locked-told": refused("/said/locked-told", "locked", status=200),
    "csrf": send(
        "POST",
        "/form",
        b"a=1",
        route="/form",
        status=403,
        outcome="denied",
        reason="csrf",
        bytes_out=PAGE,
    ),
    "origin": Scenario(
        (call("POST", "/form", b"a=1", headers={"origin": "http://evil.example"}),),
        (
            event(
                method="POST",
                path="/form",
                bytes_in=3,
                route="/form",
                status=403,
                outcome="denied",
                reason="origin",
                flags=["origin-mismatch"],
                bytes_out=PAGE,
            ),
        ),
    ),
    "bad-host": Scenario(
        (call("GET", "/plain", headers={"host": "evil.example"}),),
        (
            event(
                path="/plain",
                host="evil.example",
                status=400,
                outcome="denied",
                reason="bad-host",
                bytes_out=PAGE,
            ),
        ),
    ),
    "method": Scenario(
        (call("DELETE", "/items/7"),),
        (
            event(
                method="DELETE",
                path="/items/7",
                route="/items/{id}",
                resource="items",
                resource_id="7",
                status=405,
                outcome="denied",
                reason="method",
                bytes_out=PAGE,
            ),
        ),
    ),
    "method-not-implemented": refused("/status/501", "method", status=501),
    "throttled": get("/status/429", status=429, outcome="throttled", reason="rate-limit"),
}

SOCKETS: Final = {
    "websocket-echo": socket(
        "echo",
        {"action": "accept", "status": ABSENT},
        {
            "action": "close",
            "status": ABSENT,
            "bytes_in": 7,
            "bytes_out": 7,
            "data": {"close_code": 1000, "messages_in": 2, "messages_out": 2},
        },
        sends=("héllo", b"x"),
    ),
    "websocket-refused": socket(
        "refused",
        {
            "action": "refuse",
            "status": 403,
            "outcome": "denied",
            "reason": "forbidden",
            "data": {"close_code": 1000},
        },
    ),
    "websocket-denied": socket(
        "told",
        {
            "action": "refuse",
            "status": 403,
            "outcome": "denied",
            "reason": "not-yours",
            "data": {"close_code": 1000},
        },
    ),
    "websocket-unknown": socket(
        "nothing",
        {
            "action": "refuse",
            "status": 403,
            "outcome": "denied",
            "reason": "forbidden",
            "data": {"close_code": 1000},
            "route": ABSENT,
        },
    ),
    "websocket-closed-by-policy": socket(
        "policy",
        {"action": "accept", "status": ABSENT},
        {
            "action": "close",
            "status": ABSENT,
            "outcome": "denied",
            "reason": "forbidden",
            "data": {"close_code": 1008, "messages_in": 0, "messages_out": 0},
        },
    ),
    "websocket-throttled": socket(
        "throttled",
        {"action": "refuse", "status": 429, "outcome": "throttled", "reason": "rate-limit"},
    ),
    "websocket-crash": socket(
        "crash",
        {"action": "accept", "status": ABSENT},
        {
            "action": "close",
            "status": ABSENT,
            "outcome": "error",
            "reason": "RuntimeError",
            "data": {"messages_in": 0, "messages_out": 0},
        },
    ),
}

BODIES: Final = {
    "stream": get("/stream", bytes_out=3),
    "server-sent-events": get("/events", {"accept": "text/event-stream"}, nav="api", bytes_out=18),
    "created": send(
        "POST",
        "/orders/7",
        b"a=1",
        status=201,
        route="/orders/{id}",
        bytes_out=1,
        resource="orders",
        resource_id="7",
    ),
    "put": send(
        "PUT",
        "/orders/7",
        b"a=1",
        status=201,
        route="/orders/{id}",
        bytes_out=1,
        resource="orders",
        resource_id="7",
    ),
    "patch": send(
        "PATCH",
        "/orders/7",
        b"a=1",
        status=201,
        route="/orders/{id}",
        bytes_out=1,
        resource="orders",
        resource_id="7",
    ),
    "delete": send(
        "DELETE",
        "/orders/7",
        b"a=1",
        status=201,
        route="/orders/{id}",
        bytes_out=1,
        resource="orders",
        resource_id="7",
    ),
    "upload-multipart": Scenario(
        (
            call(
                "POST",
                "/upload",
                MULTIPART,
                headers={"content-type": "multipart/form-data; boundary=line"},
            ),
        ),
        (
            event(
                method="POST",
                route="/upload",
                path="/upload",
                status=201,
                bytes_in=len(MULTIPART),
                bytes_out=1,
            ),
        ),
    ),
    "upload-chunked": Scenario(
        (Call("POST", "/body", chunks=(b"abc", b"de")),),
        (event(method="POST", route="/body", path="/body", status=201, bytes_in=5, bytes_out=1),),
    ),
    "upload-big": send("POST", "/body", b"x" * 300_000, status=201, route="/body", bytes_out=6),
    "big": get("/big", bytes_out=1_000_000),
    "empty": get("/empty", bytes_out=ABSENT),
    "no-content": get("/status/204", status=204, bytes_out=ABSENT),
    "not-modified": get("/status/304", status=304, bytes_out=ABSENT),
    "head": Scenario((call("HEAD", "/plain"),), plain(method="HEAD", bytes_out=ABSENT)),
    "options": Scenario(
        (call("OPTIONS", "/plain"),),
        plain(method="OPTIONS", status=405, outcome="denied", reason="method", bytes_out=PAGE),
    ),
    "client-left": Scenario(
        (Call("GET", "/stream", leaves=True),),
        plain("/stream", outcome="aborted", reason="client-left", bytes_out=1),
    ),
    "crash": get("/crash", status=500, outcome="error", reason="RuntimeError", bytes_out=PAGE),
    "crash-in-a-stream": get("/stream/crash", outcome="error", reason="RuntimeError", bytes_out=1),
    "background": get("/background"),
    "static-file": get(
        "/static/site.css", {"accept": "*/*"}, nav="asset", bytes_out=22, route="/static/{path}"
    ),
}

STATUSES: Final = {
    "unknown-path": get(
        "/nothing/here",
        status=404,
        outcome="missing",
        reason="not-found",
        route=ABSENT,
        bytes_out=PAGE,
    ),
    "missing-exception": get(
        "/gone", status=404, outcome="missing", reason="not-found", bytes_out=PAGE
    ),
    **{
        f"status-{status}": get(f"/status/{status}", status=status, outcome=outcome, reason=reason)
        for status, outcome, reason in (
            (400, "invalid", "bad-request"),
            (404, "missing", "not-found"),
            (409, "invalid", "bad-request"),
            (410, "missing", "not-found"),
            (413, "invalid", "too-large"),
            (414, "invalid", "too-large"),
            (415, "invalid", "bad-request"),
            (418, "invalid", "bad-request"),
            (422, "invalid", "validation"),
            (500, "error", "status"),
            (503, "error", "status"),
        )
    },
    "status-402": get("/status/402", status=402),
}

PATHS: Final = {
    "root": get("/"),
    "query-dropped": get("/plain?secret=x"),
    "query-allow-listed": get("/plain?page=3&secret=x", query="page=3"),
    "number": get("/items/7", route="/items/{id}", resource="items", resource_id="7"),
    "nested": get(
        "/patients/3/records/17",
        route="/patients/{pid}/records/{rid}",
        resource="records",
        resource_id="17",
    ),
    "mounted": get("/shop/items/7", route="/shop/items/{id}", resource="items", resource_id="7"),
    "catch-all": get("/files/a/b.txt", route="/files/{name}", nav="page"),
    "unicode": get("/names/%C3%A4nn", route="/names/{name}", resource="names", resource_id="änn"),
    "percent-encoded": get(
        "/names/a%20b", route="/names/{name}", resource="names", resource_id="a b"
    ),
    "encoded-slash": get(
        "/names/a%2Fb",
        status=404,
        outcome="missing",
        reason="not-found",
        route=ABSENT,
        bytes_out=PAGE,
    ),
    "double-slash": get(
        "//items//7",
        status=404,
        outcome="missing",
        reason="not-found",
        route=ABSENT,
        bytes_out=PAGE,
    ),
    "secret": get(
        f"/tickets/{JWT}",
        path="/tickets/[masked:jwt]",
        route="/tickets/{ticket}",
        resource="tickets",
        resource_id="[masked:jwt]",
    ),
    "traversal": get(
        "/names/..%2f..%2fetc%2fpasswd",
        status=404,
        outcome="missing",
        reason="not-found",
        route=ABSENT,
        bytes_out=PAGE,
        flags=["os-file", "traversal"],
    ),
    "sqli-in-the-query": get("/plain?id=1%27%20OR%201=1--", flags=["sqli"]),
}

UA = "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"
FORWARDED = {"x-forwarded-for": "203.0.113.9"}
HEADERS: Final = {
    "page-by-fetch-metadata": get("/plain", {"sec-fetch-dest": "document", "accept": "*/*"}),
    "api-by-fetch-metadata": get("/plain", {"sec-fetch-dest": "empty"}, nav="api"),
    "asset-by-fetch-metadata": get("/plain", {"sec-fetch-dest": "image"}, nav="asset"),
    "api-by-accept": get("/plain", {"accept": "application/json"}, nav="api"),
    "partial": get("/plain", {"hx-request": "true"}, nav="partial"),
    "prefetch": get("/plain", {"sec-purpose": "prefetch"}, nav="prefetch"),
    "prefetch-old": get("/plain", {"purpose": "prefetch"}, nav="prefetch"),
    "no-accept": get("/plain", {"accept": None}, nav="api", flags=["no-accept"]),
    "no-user-agent": get("/plain", {"user-agent": None}, ua=ABSENT, flags=["no-ua"]),
    "browser": get("/plain", {"user-agent": UA}, ua=UA),
    "user-agent-with-a-secret": get("/plain", {"user-agent": f"x {JWT}"}, ua="x [masked:jwt]"),
    "request-id": get("/plain", {"x-request-id": "abc-123"}, request="abc-123"),
    "request-id-malformed": get("/plain", {"x-request-id": "a b\tc"}),
    "trace": get("/plain", {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, trace=TRACE),
    "referer": get(
        "/plain", {"referer": "https://a.example/b?secret=x"}, referer="https://a.example/b"
    ),
    "forwarded-untrusted": get("/plain", FORWARDED, flags=["forwarded-untrusted"]),
    "forwarded-trusted": Scenario(
        (call("GET", "/plain", headers=FORWARDED),),
        plain(client="203.0.113.9", peer="10.0.0.1"),
        {"trusted_proxies": ["10.0.0.0/8"]},
    ),
    "forwarded-by-count": Scenario(
        (call("GET", "/plain", headers={"x-forwarded-for": "1.1.1.1, 203.0.113.9"}),),
        plain(client="203.0.113.9", peer="10.0.0.1"),
        {"trusted_proxies": 1},
    ),
    "method-override": get(
        "/plain",
        {"x-http-method-override": "delete"},
        flags=["method-override"],
        data={"method_override": "DELETE"},
    ),
    "original-url": get(
        "/plain",
        {"x-original-url": "/admin?x=1"},
        flags=["url-override"],
        data={"url_override": "/admin"},
    ),
    "origin-of-its-own": get("/plain", {"origin": "http://testserver"}),
    "origin-foreign": get("/plain", {"origin": "http://a.example"}, flags=["origin-mismatch"]),
    "two-cookies": get("/plain", {"cookie": "theme=dark; lang=de"}),
}

SAID: Final = {
    "resource": said("record", resource="record", resource_id="17"),
    "privileged": said("privileged", resource="record", resource_id="17", privileged=True),
    "rows": said("rows", resource="records", rows=3),
    "step": said("step", flow="booking", step="pay"),
    "note": said("note", data={"ward": "B"}),
    "notes": get("/several", data={"ward": "B", "beds": 3, "urgent": True}),
    "note-in-a-thread": get("/thread", data={"where": "thread"}),
    "deployment": Scenario(
        (call("GET", "/said/deploy"),),
        (
            beside(kind="ops", action="deploy", route="/said/deploy", facts={"version": "2"}),
            *plain("/said/deploy"),
        ),
    ),
    "change": Scenario(
        (call("GET", "/said/change"),),
        (
            beside(kind="change", action="update", route="/said/change", data={"table": "beds"}),
            *plain("/said/change"),
        ),
    ),
    "grant": Scenario(
        (call("GET", "/said/grant"),),
        (
            beside(
                kind="auth",
                action="grant",
                route="/said/grant",
                data={"target": "user:ann", "role": "nurse"},
            ),
            *plain("/said/grant"),
        ),
    ),
}

SCENARIOS: Final[dict[str, Scenario]] = {
    **PEOPLE,
    **REFUSALS,
    **SOCKETS,
    **BODIES,
    **STATUSES,
    **PATHS,
    **HEADERS,
    **SAID,
}
