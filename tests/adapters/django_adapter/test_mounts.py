"""Django inside another app with a wrapper around it: one event, the mount in its route."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flowaudit import FlowAudit
from flowaudit.testing import recorded_events
from flowaudit_fastapi import FlowAuditMiddleware

a2wsgi = pytest.importorskip("a2wsgi")


def wsgi() -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def asgi() -> Any:
    from django.core.handlers.asgi import ASGIHandler

    return ASGIHandler()


def in_starlette(app: Any, audit: FlowAudit) -> Any:
    outer = Starlette(routes=[Mount("/site", app=app)])
    outer.add_middleware(FlowAuditMiddleware, audit=audit)
    return outer


def in_dispatcher(app: Any, audit: FlowAudit) -> Any:
    return audit.wsgi(DispatcherMiddleware(lambda environ, start: [], {"/site": app}))


MOUNTED: dict[str, Callable[[FlowAudit, Any], Any]] = {
    "wsgi-in-asgi": lambda audit, _: in_starlette(a2wsgi.WSGIMiddleware(wsgi()), audit),
    "wrapped-in-asgi": lambda audit, _: in_starlette(
        a2wsgi.WSGIMiddleware(audit.wsgi(wsgi())), audit
    ),
    "asgi-in-asgi": lambda audit, _: in_starlette(asgi(), audit),
    "wsgi-in-wsgi": lambda audit, _: in_dispatcher(wsgi(), audit),
    "asgi-in-wsgi": lambda audit, to_wsgi: in_dispatcher(to_wsgi(asgi()), audit),
}
WSGI_OUTSIDE = ("wsgi-in-wsgi", "asgi-in-wsgi")


def get(app: Any, path: str, is_wsgi: bool, root: str) -> int:
    if is_wsgi:
        sync = httpx.WSGITransport(app, raise_app_exceptions=False, script_name=root)
        with httpx.Client(transport=sync, base_url="http://testserver") as client:
            return client.get(path.removeprefix(root)).status_code

    async def send() -> int:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return (await client.get(path)).status_code

    return asyncio.run(send())


@pytest.mark.parametrize("root", ["", "/deployed"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/status/207", ("/site/status/{code}", 207, "ok", None, "207")),
        ("/hidden", ("/site/hidden", 404, "hidden", "hidden", None)),
        ("/permission-403", ("/site/permission-403", 403, "denied", "forbidden", None)),
        ("/boom", ("/site/boom", 500, "error", "RuntimeError", None)),
    ],
)
@pytest.mark.parametrize("kind", MOUNTED)
def test_django_inside_another_app(
    audit: FlowAudit,
    to_wsgi: Callable[[Any], Any],
    kind: str,
    root: str,
    path: str,
    expected: tuple[Any, ...],
) -> None:
    app = MOUNTED[kind](audit, to_wsgi)
    assert get(app, f"{root}/site{path}", kind in WSGI_OUTSIDE, root) == expected[1]
    [event] = recorded_events(audit, "request")
    told = ("route", "status", "outcome", "reason", "resource_id")
    assert tuple(event.get(name) for name in told) == expected


def test_a_prefix_that_is_set_is_no_mount(audit: FlowAudit) -> None:
    from django.test import override_settings

    with override_settings(FORCE_SCRIPT_NAME="/outside"):
        get(audit.wsgi(wsgi()), "/status/207", True, "")
    assert [event["route"] for event in recorded_events(audit)] == ["/status/{code}"]
