"""What only FastAPI and Starlette have: dependencies, security classes, scopes, middleware."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from flowaudit import Actor, FlowAudit
from flowaudit.errors import SettingError
from flowaudit.vault.tokens import Vault

pytest.importorskip("fastapi")

import fastapi
from fastapi import Depends, HTTPException, Request, Security, WebSocket
from fastapi.security import HTTPBasic, HTTPBearer, SecurityScopes
from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    SimpleUser,
    requires,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Mount, Route, WebSocketRoute

from flowaudit_fastapi import FlowAuditMiddleware, identified

from .conformance.drivers import Answer, Call, asgi_client

Events = Callable[..., list[dict[str, Any]]]


def told(events: Events, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(event.get(name) for name in names) for event in events()]


Get = Callable[..., Answer]


def serve(app: Any, audit: FlowAudit, **options: Any) -> Get:
    app.add_middleware(FlowAuditMiddleware, audit=audit, **options)
    return getter(app)


def getter(app: Any) -> Get:
    send = asgi_client(app)

    def get(path: str, *sends: str, is_socket: bool = False, **headers: str) -> Answer:
        call = Call("GET", path, sends=sends if is_socket or sends else None)
        return send(call.with_headers(**headers))

    return get


class Person:
    def __init__(self, key: int) -> None:
        self.id = key
        self.roles = ["doctor"]


# -- who: the dependency ----------------------------------------------------------------------


def sync_person() -> Any:
    return Person(1)


async def async_person() -> Any:
    return Person(1)


def generator_person() -> Any:
    yield Person(1)


@pytest.mark.parametrize(
    ("dependency", "roles"),
    [
        pytest.param(sync_person, ["doctor"], id="sync"),
        pytest.param(async_person, ["doctor"], id="async"),
        pytest.param(generator_person, ["doctor"], id="generator"),
        pytest.param(lambda: "user:1", None, id="text"),
        pytest.param(lambda: 1, None, id="number"),
        pytest.param(lambda: {"sub": "1", "roles": ["doctor"]}, ["doctor"], id="claims"),
        pytest.param(lambda: SimpleUser("1"), None, id="starlettes-user"),
        pytest.param(Depends(sync_person), ["doctor"], id="depends"),
    ],
)
def test_a_dependency_tells_who_it_gave(
    audit: FlowAudit, events: Events, dependency: Any, roles: list[str] | None
) -> None:
    app = fastapi.FastAPI()

    @app.get("/a")
    def view(user: Annotated[Any, Depends(identified(dependency))]) -> str:
        return type(user).__name__

    serve(app, audit)("/a")
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert told(events, "actor", "roles", "status") == [(vault.find("user:1"), roles, 200)]


def test_the_apps_own_dependency_runs_once_for_each_request(
    audit: FlowAudit, events: Events
) -> None:
    calls = []

    def current_user(request: Request) -> Person:
        calls.append(request.url.path)
        return Person(len(calls))

    told_user = identified(current_user)
    app = fastapi.FastAPI(dependencies=[Depends(told_user)])

    @app.get("/a")
    def view(
        user: Annotated[Person, Depends(current_user)],
        again: Annotated[Person, Depends(told_user)],
    ) -> bool:
        return user is again

    get = serve(app, audit)
    assert [get("/a").body for _ in range(2)] == [b"true", b"true"]
    assert calls == ["/a", "/a"]
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert told(events, "actor") == [(vault.find("user:1"),), (vault.find("user:2"),)]


def test_a_routers_dependency_tells_of_websockets_too(audit: FlowAudit, events: Events) -> None:
    router = fastapi.APIRouter(prefix="/api", dependencies=[Depends(identified(sync_person))])

    @router.get("/a")
    def view() -> str:
        return "a"

    @router.websocket("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    app = fastapi.FastAPI()
    app.include_router(router)
    get = serve(app, audit)
    get("/api/a")
    assert get("/api/ws", "x").received == ["x"]
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        actor = vault.find("user:1")
    assert told(events, "route", "action", "actor", "roles") == [
        ("/api/a", None, actor, ["doctor"]),
        ("/api/ws", "accept", actor, ["doctor"]),
        ("/api/ws", "close", actor, ["doctor"]),
    ]


def test_a_security_dependency_keeps_its_scopes(audit: FlowAudit, events: Events) -> None:
    def user(scopes: SecurityScopes) -> dict[str, Any]:
        return {"sub": "1", "asked": scopes.scopes}

    app = fastapi.FastAPI()

    @app.get("/a")
    def view(who: Annotated[Any, Depends(identified(Security(user, scopes=["read"])))]) -> Any:
        return who["asked"]

    assert serve(app, audit)("/a").body == b'["read"]'
    audit.flush()
    assert told(events, "actor_kind") == [("user",)]


def test_a_function_says_who_a_users_object_is(audit: FlowAudit, events: Events) -> None:
    def actor(user: Any) -> Actor:
        return Actor(f"service:{user['client']}", ["reader"], kind="service", via="user:9")

    app = fastapi.FastAPI(
        dependencies=[Depends(identified(lambda: {"client": "backup"}, actor=actor))]
    )
    app.get("/a")(lambda: "a")
    serve(app, audit)("/a")
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert told(events, "actor", "actor_kind", "roles", "via") == [
            (vault.find("service:backup"), "service", ["reader"], vault.find("user:9"))
        ]


def test_nobody_is_nobody_and_what_the_app_says_goes_first(
    audit: FlowAudit, events: Events
) -> None:
    import flowaudit

    app = fastapi.FastAPI()

    @app.get("/nobody", dependencies=[Depends(identified(lambda: None))])
    def nobody() -> None: ...

    @app.get("/said", dependencies=[Depends(identified(sync_person))])
    def said() -> None:
        flowaudit.identify("user:2", roles=["clerk"])

    get = serve(app, audit)
    get("/nobody")
    get("/said")
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert told(events, "actor", "roles") == [
            (None, None),
            (vault.find("user:2"), ["clerk"]),
        ]


def test_an_actor_that_is_no_plain_function_is_refused_at_once(audit: FlowAudit) -> None:
    async def actor(user: Any) -> None: ...

    with pytest.raises(SettingError, match="actor"):
        identified(sync_person, actor=actor)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="actor"):
        FlowAuditMiddleware(Starlette(), audit=audit, actor=actor)  # type: ignore[arg-type]


# -- who: Starlette's AuthenticationMiddleware -------------------------------------------------


class Backend(AuthenticationBackend):
    async def authenticate(self, conn: Any) -> Any:
        token = conn.headers.get("authorization", "")
        if token == "bad":
            raise AuthenticationError("no such token")
        if not token:
            return None
        return AuthCredentials(["authenticated", *token.split()]), SimpleUser("ann")


async def ok(request: Any) -> Any:
    return PlainTextResponse("ok")


async def socket_ok(websocket: Any) -> None:
    await websocket.accept()
    await websocket.close()


@pytest.fixture
def protected(audit: FlowAudit) -> Get:
    """A Starlette app whose parts need a scope."""
    app = Starlette(
        routes=[
            Route("/open", ok),
            Route("/sign-in", ok, name="sign-in"),
            Route("/admin", requires("admin")(ok)),
            Route("/admin-404", requires("admin", status_code=404)(ok)),
            Route("/admin-redirect", requires("admin", redirect="sign-in")(ok)),
            WebSocketRoute("/ws", requires("admin")(socket_ok)),
        ]
    )
    app.add_middleware(AuthenticationMiddleware, backend=Backend())
    return serve(app, audit)


@pytest.mark.parametrize(
    ("path", "token", "expected"),
    [
        pytest.param("/open", "admin", (200, "ok", None, ["admin"]), id="roles"),
        pytest.param("/open", "", (200, "ok", None, None), id="nobody"),
        pytest.param("/open", "bad", (400, "denied", "bad-credentials", None), id="bad"),
        pytest.param("/admin", "clerk", (403, "denied", "forbidden", ["clerk"]), id="requires"),
        pytest.param(
            "/admin-404", "clerk", (404, "missing", "not-found", ["clerk"]), id="requires-404"
        ),
        pytest.param(
            "/admin-redirect?a=1",
            "clerk",
            (303, "denied", "login-required", ["clerk"]),
            id="requires-redirect",
        ),
    ],
)
def test_scopes_are_roles_and_requires_is_a_refusal(
    protected: Get,
    audit: FlowAudit,
    events: Events,
    path: str,
    token: str,
    expected: tuple[Any, ...],
) -> None:
    protected(path, **({"authorization": token} if token else {}))
    audit.flush()
    assert told(events, "status", "outcome", "reason", "roles") == [expected]


@pytest.mark.parametrize(
    ("path", "token", "reason"),
    [
        pytest.param("/ws", "clerk", "forbidden", id="requires"),
        pytest.param("/ws", "bad", "bad-credentials", id="closed-1000-before-accept"),
        pytest.param("/nothing", "admin", "forbidden", id="no-such-route"),
    ],
)
def test_a_websocket_that_is_refused(
    protected: Get, audit: FlowAudit, events: Events, path: str, token: str, reason: str
) -> None:
    assert not protected(path, is_socket=True, authorization=token).is_accepted
    audit.flush()
    assert told(events, "action", "outcome", "reason") == [("refuse", "denied", reason)]


def test_the_actor_option_is_given_the_connection(audit: FlowAudit, events: Events) -> None:
    app = Starlette(routes=[Route("/items/{id:int}", ok)])
    get = serve(
        app, audit, actor=lambda request: Actor(f"user:{request.headers['x-who']}", ["nurse"])
    )
    get("/items/3", x_who="5")
    get("/items/3")  # the function fails
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert told(events, "actor", "roles", "route", "resource", "resource_id") == [
            (vault.find("user:5"), ["nurse"], "/items/{id}", "items", "3"),
            (None, None, "/items/{id}", "items", "3"),
        ]
    assert audit.counters["capture_failed"] == 1


# -- why: what the frameworks refuse -----------------------------------------------------------


class OldBearer(HTTPBearer):  # type: ignore[misc]
    """As FastAPI before 0.122, and as its documentation says how to keep it."""

    def make_not_authenticated_error(self) -> Any:
        return HTTPException(403, "Not authenticated")


async def to_sign_in(request: Request, exc: Exception) -> Any:
    return RedirectResponse("/sign-in", 302)


async def broken(request: Request, exc: Exception) -> Any:
    raise RuntimeError("the handler is broken")


async def swallowed(request: Request, exc: Exception) -> Any:
    return JSONResponse({}, 500)


def fail(error: BaseException) -> Callable[[], Any]:
    def view() -> None:
        raise error

    return view


REFUSALS: dict[str, tuple[Any, Any, Any, tuple[int, str, str]]] = {
    "bearer": (HTTPBearer(), None, None, (401, "denied", "login-required")),
    "bearer-before-0.122": (OldBearer(), None, None, (403, "denied", "login-required")),
    "basic": (HTTPBasic(), None, None, (401, "denied", "login-required")),
    "403": (fail(HTTPException(403, "not yours")), None, None, (403, "denied", "forbidden")),
    "401-redirected": (
        fail(HTTPException(401)),
        HTTPException,
        to_sign_in,
        (302, "denied", "login-required"),
    ),
    "403-behind-a-handler-that-fails": (
        fail(HTTPException(403)),
        HTTPException,
        broken,
        (500, "denied", "forbidden"),
    ),
    "403-made-500": (fail(HTTPException(403)), 403, swallowed, (500, "denied", "forbidden")),
    "permission-made-500": (
        fail(PermissionError()),
        PermissionError,
        swallowed,
        (500, "denied", "forbidden"),
    ),
    "permission": (fail(PermissionError()), None, None, (500, "denied", "forbidden")),
    "error-made-500": (fail(KeyError()), KeyError, swallowed, (500, "error", "KeyError")),
    "error": (fail(KeyError()), None, None, (500, "error", "KeyError")),
    "error-page": (fail(KeyError()), Exception, swallowed, (500, "error", "KeyError")),
    "500-told": (fail(HTTPException(500)), None, None, (500, "error", "status")),
    "validation": (lambda needed: None, None, None, (422, "invalid", "validation")),
}


def with_needed(needed: int) -> None: ...


@pytest.mark.parametrize("is_outside", [False, True], ids=["inside", "wrapped-too"])
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal(audit: FlowAudit, events: Events, name: str, is_outside: bool) -> None:
    dependency, exception, handler, expected = REFUSALS[name]
    app = fastapi.FastAPI()
    dependency = with_needed if name == "validation" else dependency
    app.get("/a", dependencies=[Depends(dependency)])(lambda: "a")
    if handler is not None:
        app.add_exception_handler(exception, handler)
    get = serve(app, audit)
    if is_outside:
        get = getter(audit.asgi(app))
    get("/a")
    audit.flush()
    assert told(events, "status", "outcome", "reason") == [expected]


@pytest.mark.parametrize(
    ("host", "path", "status", "reason"),
    [
        pytest.param("good.example", "/a", 200, None, id="named"),
        pytest.param("good.example:8000", "/a", 200, None, id="with-port"),
        pytest.param("a.wild.example", "/a", 200, None, id="wildcard"),
        pytest.param("evil.example", "/a", 400, "bad-host", id="other"),
        pytest.param("good.example", "/bad", 400, "bad-request", id="a-400-of-the-apps-own"),
    ],
)
def test_a_host_that_is_not_allowed(
    audit: FlowAudit, events: Events, host: str, path: str, status: int, reason: str | None
) -> None:
    async def bad(request: Any) -> Any:
        return PlainTextResponse("no", 400)

    app = Starlette(routes=[Route("/a", ok), Route("/bad", bad)])
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["good.example", "*.wild.example"])
    serve(app, audit)(path, host=host)
    audit.flush()
    assert told(events, "status", "reason") == [(status, reason)]


def test_a_throttle(audit: FlowAudit, events: Events) -> None:
    slowapi = pytest.importorskip("slowapi")
    app = fastapi.FastAPI()
    limiter = slowapi.Limiter(key_func=lambda: "all")
    app.state.limiter = limiter
    app.add_exception_handler(
        slowapi.errors.RateLimitExceeded, slowapi._rate_limit_exceeded_handler
    )

    @app.get("/a")
    @limiter.limit("1/hour")
    def view(request: Request) -> str:
        return "a"

    get = serve(app, audit)
    assert [get("/a").status for _ in range(2)] == [200, 429]
    audit.flush()
    assert told(events, "outcome", "reason") == [("ok", None), ("throttled", "rate-limit")]


# -- where: routes -----------------------------------------------------------------------------


def test_the_parameter_of_a_mount_is_named_in_the_route(audit: FlowAudit, events: Events) -> None:
    app = Starlette(
        routes=[
            Mount("/{tenant}/shop", routes=[Route("/items/{id}", ok)]),
            Route("/files/{name:path}", ok),
        ]
    )
    get = serve(app, audit)
    get("/acme/shop/items/5")
    get("/files/a.txt")
    audit.flush()
    assert told(events, "route", "resource", "resource_id") == [
        ("/{tenant}/shop/items/{id}", "items", "5"),
        ("/files/{name}", None, None),
    ]


def test_a_parameter_that_is_called_a_secret_is_masked(audit: FlowAudit, events: Events) -> None:
    get = serve(Starlette(routes=[Route("/invited/{token}", ok)]), audit)
    get("/invited/k3v9")
    audit.flush()
    assert told(events, "path", "resource", "resource_id") == [
        ("/invited/[masked:value]", "invited", "[masked:value]")
    ]


def test_requests_at_the_same_time_do_not_mix(audit: FlowAudit, events: Events) -> None:
    import httpx

    async def who(request: Request) -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"sub": request.headers["x-who"]}

    app = fastapi.FastAPI(dependencies=[Depends(identified(who))])
    app.get("/items/{id}")(lambda id: id)
    app.add_middleware(FlowAuditMiddleware, audit=audit)

    async def go() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            await asyncio.gather(
                *(client.get(f"/items/{n}", headers={"x-who": str(n)}) for n in range(20))
            )

    asyncio.run(go())
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        expected = {(str(n), vault.find(f"user:{n}")) for n in range(20)}
    assert set(told(events, "resource_id", "actor")) == expected
