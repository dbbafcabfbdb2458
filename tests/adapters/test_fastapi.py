"""Which route a request has met, and that requests do not mix."""

import asyncio
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.vault.tokens import Vault

pytest.importorskip("fastapi")

import fastapi
from fastapi import Depends, Request
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from flowaudit_fastapi import FlowAuditMiddleware, identified

from .fastapi_app import Events, ok, serve, told


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
