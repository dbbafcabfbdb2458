"""Who FastAPI's dependencies let in, told by `identified`."""

from typing import Annotated, Any

import pytest

from flowaudit import Actor, FlowAudit
from flowaudit.errors import SettingError
from flowaudit.vault.tokens import Vault

pytest.importorskip("fastapi")

import fastapi
from fastapi import Depends, Request, Security, WebSocket
from fastapi.security import SecurityScopes
from starlette.applications import Starlette
from starlette.authentication import (
    SimpleUser,
)

from flowaudit_fastapi import FlowAuditMiddleware, identified

from .fastapi_app import Events, serve, told


class Person:
    def __init__(self, key: int) -> None:
        self.id = key
        self.roles = ["doctor"]


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
