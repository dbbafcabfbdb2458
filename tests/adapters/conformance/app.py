"""The app of the suite, before any framework: routes, what they say, what they answer.

Each build turns the table into routes of its framework, a `Reply` into its response and a `Raise`
into its exception. What frameworks do in their own way (sign-in, forms, sessions, files, mounts,
websockets) is not here but in the builds, under the paths of `OWN`.
"""

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Final

import flowaudit

__all__ = [
    "JWT",
    "LOGIN",
    "OWN",
    "PASSWORD",
    "ROUTES",
    "SLOW_S",
    "Ask",
    "Barred",
    "Raise",
    "Reply",
    "Route",
    "Swallowed",
    "roles_of_token",
]

LOGIN: Final = "/login"
PASSWORD: Final = "only for tests"
PAUSE_S: Final = 0.01
SLOW_S: Final = 0.3
"""Long enough that a client has left in the meantime, also on a busy machine."""
JWT: Final = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"

OWN: Final = (
    "POST /sign-in",  # name and password in a form: signs in, or 200 with the form again
    "POST /sign-out",  # ends at the sign-in page
    "GET /cart",  # gives an anonymous visitor a session
    "GET /mine",  # who is signed in, by session
    "GET /api/mine",  # who a bearer token stands for: `ann` with the role `nurse`
    "GET /members",  # for people who are signed in, as the framework does it
    "POST /form",  # checked for CSRF and origin, where the framework can
    "POST /upload",  # a file in a multipart form
    "GET /static/{name}",  # a file
    "GET /shop/items/{id}",  # an app or router inside the app
    "WS /ws/echo",  # sends back what it gets; the other websockets are in `scenarios_sockets`
    "WS /ws/slow",  # takes its time to accept
    "WS /ws/stream",  # sends for as long as somebody is there
)


class Barred(PermissionError):
    """A permission exception whose handler is broken."""


class Swallowed(PermissionError):
    """A permission exception whose handler answers 500."""


@dataclass
class Ask:
    """A request, as every framework can tell it."""

    method: str
    params: dict[str, Any]
    body: bytes = b""


@dataclass
class Reply:
    """What to answer."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    stream: tuple[bytes, ...] | None = None
    fails: bool = False
    """The stream ends with an exception."""
    later: Callable[[], None] | None = None
    """Work after the answer, in the framework's own way."""


@dataclass
class Raise:
    """What to raise: `not-found`, `forbidden`, `unauthenticated` in the framework's own way."""

    what: str | Exception


@dataclass(frozen=True)
class Route:
    """One route; parameters in braces, `:int` and `:path` behind their names."""

    path: str
    do: Callable[[Ask], Reply | Raise]
    methods: tuple[str, ...] = ("GET",)
    pause_s: float = 0.0
    """Seconds between the time it is met and the time it answers, while others run."""
    resource: str | None = None
    """What a parameter of it names, for builds that have to say so themselves."""

    def resource_of(self, params: dict[str, Any]) -> tuple[str, object] | None:
        """What an adapter finds in the template; raw builds have no template."""
        if self.resource is None:
            return None
        value = str(list(params.values())[-1])
        return self.resource, "[masked:jwt]" if value == JWT else value


def _saying(say: Callable[[], object], **reply: Any) -> Callable[[Ask], Reply]:
    def do(ask: Ask) -> Reply:
        say()
        return Reply(**reply)

    return do


def _later(say: Callable[[], object]) -> Callable[[Ask], Reply]:
    return lambda ask: Reply(later=say)


def _status(status: int, **headers: str) -> Callable[[Ask], Reply]:
    body = b"" if status in (204, 304) else b"no" if status >= 400 else b""
    return lambda ask: Reply(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


def _raising(what: str | Exception) -> Callable[[Ask], Raise]:
    return lambda ask: Raise(what)


def _hidden(ask: Ask) -> Raise:
    flowaudit.hide()
    return Raise("not-found")


def _thread(ask: Ask) -> Reply:
    context = copy_context()
    thread = threading.Thread(target=context.run, args=(lambda: flowaudit.note(where="thread"),))
    thread.start()
    thread.join()
    return Reply()


def _slow(ask: Ask) -> Reply:
    number = ask.params["id"]
    flowaudit.identify(f"user:number-{number}")
    time.sleep(0.001)
    flowaudit.note(number=int(number))
    return Reply()


def _reset(ask: Ask) -> Reply:
    flowaudit.record("auth", "reset", target="user:ann")
    return Reply(302, b"", {"location": LOGIN})


def _several(ask: Ask) -> Reply:
    flowaudit.note(ward="B")
    flowaudit.note(beds=3, urgent=True)
    return Reply()


def _counted(ask: Ask) -> Reply:
    return Reply(201, str(len(ask.body)).encode())


def roles_of_token(header: str) -> tuple[str, list[str]] | None:
    """Who a bearer token stands for, and their roles."""
    return ("ann", ["nurse"]) if header == "Bearer anns-token" else None


_SAID: Final[dict[str, tuple[Callable[[], object], dict[str, Any]]]] = {
    "denied": (lambda: flowaudit.deny("not-yours"), {"status": 403, "body": b"no"}),
    "denied-200": (lambda: flowaudit.deny("Not Yours!"), {}),
    "graphql": (lambda: flowaudit.deny("forbidden"), {"body": b'{"errors": []}'}),
    "locked-told": (lambda: flowaudit.deny("locked"), {}),
    "service": (lambda: flowaudit.identify("service:cron", kind="service"), {}),
    "agent": (lambda: flowaudit.identify("agent:7", kind="agent", via="user:ann"), {}),
    "impersonated": (
        lambda: flowaudit.identify("user:bob", roles=["nurse"], via="user:ann"),
        {},
    ),
    "record": (lambda: flowaudit.resource("record", 17), {}),
    "privileged": (lambda: flowaudit.resource("record", 17, privileged=True), {}),
    "rows": (lambda: flowaudit.resource("records", rows=3), {}),
    "step": (lambda: flowaudit.step("booking", "pay"), {}),
    "note": (lambda: flowaudit.note(ward="B"), {}),
    "deploy": (lambda: flowaudit.record("ops", "deploy", version="2"), {}),
    "change": (lambda: flowaudit.record("change", "update", table="beds"), {}),
    "grant": (lambda: flowaudit.record("auth", "grant", target="user:ann", role="nurse"), {}),
    "wrong-401": (
        lambda: flowaudit.login_failed("nobody", known=False),
        {"status": 401, "body": b"no"},
    ),
}

_STATUSES: Final = (204, 304, 400, 402, 403, 404, 409, 410, 413, 414, 415, 418, 422, 423, 429)

ROUTES: Final = (
    Route("/plain", lambda ask: Reply()),
    Route("/", lambda ask: Reply()),
    Route("/items/{id:int}", lambda ask: Reply(), ("GET",), resource="items"),
    Route("/orders/{id:int}", _counted, ("POST", "PUT", "PATCH", "DELETE"), resource="orders"),
    Route("/names/{name}", lambda ask: Reply(), resource="names"),
    Route("/tickets/{ticket}", lambda ask: Reply(), resource="tickets"),
    Route("/patients/{pid:int}/records/{rid:int}", lambda ask: Reply(), resource="records"),
    Route("/files/{name:path}", lambda ask: Reply()),
    Route("/body", _counted, ("POST",)),
    Route(LOGIN, lambda ask: Reply()),
    Route("/login/again", _status(302, location="/login")),
    *(Route(f"/said/{name}", _saying(say, **reply)) for name, (say, reply) in _SAID.items()),
    *(Route(f"/status/{status}", _status(status)) for status in (*_STATUSES, 500, 501, 503)),
    *(
        Route(f"/redirect/{status}", _status(status, location="/login?next=/redirect"))
        for status in (301, 302, 303, 307)
    ),
    Route("/redirect/absolute", _status(302, location="http://testserver/login?next=/")),
    Route("/redirect/elsewhere", _status(302, location="/plain")),
    Route("/hidden", _hidden),
    Route("/gone", _raising("not-found")),
    Route("/forbidden", _raising("forbidden"), ("GET", "POST")),
    Route("/unauthenticated", _raising("unauthenticated")),
    Route("/permission", _raising(PermissionError("no"))),
    Route("/barred", _raising(Barred("no"))),
    Route("/swallowed", _raising(Swallowed("no"))),
    Route("/crash", _raising(RuntimeError("boom"))),
    Route("/stream", lambda ask: Reply(stream=(b"a", b"b", b"c"))),
    Route("/stream/crash", lambda ask: Reply(stream=(b"a",), fails=True)),
    Route(
        "/events",
        lambda ask: Reply(
            stream=(b"data: 1\n\n", b"data: 2\n\n"), headers={"content-type": "text/event-stream"}
        ),
    ),
    Route("/big", lambda ask: Reply(body=b"x" * 1_000_000)),
    Route("/empty", lambda ask: Reply(body=b"")),
    Route("/thread", _thread),
    Route("/several", _several),
    Route("/wait", lambda ask: Reply(), pause_s=SLOW_S),
    Route("/short", lambda ask: Reply(headers={"content-length": "7"})),
    *(
        Route(f"/later/{name}", _later(say))
        for name, say in {
            "record": lambda: flowaudit.record("ops", "deploy", version="2"),
            "login": lambda: flowaudit.login("user:ann", name="ann"),
        }.items()
    ),
    Route("/background", lambda ask: Reply(later=lambda: flowaudit.note(late=True))),
    Route("/reset", _reset, ("POST",)),
    Route("/slow/{id:int}", _slow, pause_s=PAUSE_S, resource="slow"),
)
