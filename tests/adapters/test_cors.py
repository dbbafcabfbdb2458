"""Preflights that are not allowed, as the real CORS libraries answer them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flowaudit import FlowAudit

from .conformance.drivers import Call, Client, asgi_client, wsgi_client

GOOD, EVIL = "https://shop.example", "https://evil.example"
PREFLIGHT = {"access-control-request-method": "PUT"}


@contextmanager
def starlette_client(audit: FlowAudit, kind: str = "starlette") -> Iterator[Client]:
    pytest.importorskip("fastapi")
    import fastapi
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.responses import Response
    from starlette.routing import Mount, Route

    from flowaudit_fastapi import FlowAuditMiddleware

    def view(request: fastapi.Request) -> Response:
        return Response()

    cors = Middleware(CORSMiddleware, allow_origins=[GOOD], allow_methods=["GET", "PUT"])
    around = [] if kind in ("mounted", "bare") else [cors]
    if kind == "fastapi":
        app: Any = fastapi.FastAPI(middleware=around)
        app.get("/a")(view)
    else:
        app = Starlette(routes=[Route("/a", view)], middleware=around)
    if kind == "mounted":
        inner = Starlette(routes=[Route("/", view)], middleware=[cors])
        app = Starlette(routes=[Mount("/a", inner)])
    app.add_middleware(FlowAuditMiddleware, audit=audit)
    yield asgi_client(app)


@contextmanager
def flask_client(audit: FlowAudit, kind: str = "extension") -> Iterator[Client]:
    pytest.importorskip("flask")
    flask_cors = pytest.importorskip("flask_cors")
    import flask

    from flowaudit_flask import FlowAuditFlask

    app = flask.Flask("test")
    place: Any = flask.Blueprint("part", "part") if kind == "blueprint" else app
    view: Any = lambda: "a"  # noqa: E731
    if kind == "decorator":
        view = flask_cors.cross_origin(origins=[GOOD])(view)
    place.add_url_rule("/a", "a", view)
    if kind in ("extension", "blueprint"):
        flask_cors.CORS(place, origins=[GOOD])
    if place is not app:
        app.register_blueprint(place)
    FlowAuditFlask(app, audit=audit)
    yield wsgi_client(app)


@contextmanager
def django_client(audit: FlowAudit, kind: str = "wsgi") -> Iterator[Client]:
    pytest.importorskip("django")
    pytest.importorskip("corsheaders")
    from .django_project import MIDDLEWARE, configure, fresh_audit

    configure()
    fresh_audit(audit)
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse
    from django.test import override_settings
    from django.urls import path

    class Urls:
        urlpatterns = (path("a", lambda request: HttpResponse()),)

    ours, *others = MIDDLEWARE
    cors = ["corsheaders.middleware.CorsMiddleware"] if kind != "bare" else []
    with override_settings(
        ROOT_URLCONF=Urls, MIDDLEWARE=[ours, *cors, *others], CORS_ALLOWED_ORIGINS=[GOOD]
    ):
        yield asgi_client(ASGIHandler()) if kind == "asgi" else wsgi_client(WSGIHandler())


Build = tuple[Callable[..., Any], str, int]

BUILDS: dict[str, Build] = {
    "starlette": (starlette_client, "starlette", 400),
    "fastapi": (starlette_client, "fastapi", 400),
    "starlette-mounted": (starlette_client, "mounted", 400),
    "flask": (flask_client, "extension", 200),
    "flask-decorator": (flask_client, "decorator", 200),
    "flask-blueprint": (flask_client, "blueprint", 200),
    "django-wsgi": (django_client, "wsgi", 200),
    "django-asgi": (django_client, "asgi", 200),
}


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
@pytest.mark.parametrize(
    ("method", "origin", "more", "is_refused"),
    [
        ("OPTIONS", EVIL, PREFLIGHT, True),
        ("OPTIONS", GOOD, PREFLIGHT, False),
        ("OPTIONS", EVIL, {}, False),
        ("OPTIONS", None, PREFLIGHT, False),
        ("GET", EVIL, PREFLIGHT, False),
    ],
    ids=["refused", "allowed", "no-preflight", "no-origin", "a-request"],
)
def test_a_preflight_that_is_not_allowed_is_a_refusal_of_its_origin(
    audit: FlowAudit,
    events: Callable[..., list[dict[str, Any]]],
    build: Build,
    method: str,
    origin: str | None,
    more: dict[str, str],
    is_refused: bool,
) -> None:
    client, kind, status = build
    headers = {"origin": origin, **more}
    with client(audit, kind) as send:
        answer = send(Call(method, "/a/" if kind == "mounted" else "/a", tuple(headers.items())))
    audit.flush()
    [event] = events()
    told = event["status"], event["outcome"], event.get("reason")
    assert answer.status == event["status"]
    if is_refused:
        assert told == (status, "denied", "origin")
    else:
        assert told in ((200, "ok", None), (405, "denied", "method"))
    assert audit.counters["capture_failed"] == 0


def test_a_method_that_the_origin_may_not_use_is_refused_too(
    audit: FlowAudit, events: Callable[..., list[dict[str, Any]]]
) -> None:
    headers = (("origin", GOOD), ("access-control-request-method", "DELETE"))
    with starlette_client(audit) as send:
        assert send(Call("OPTIONS", "/a", headers)).body == b"Disallowed CORS method"
    audit.flush()
    assert [(e["outcome"], e["reason"]) for e in events()] == [("denied", "origin")]


@pytest.mark.parametrize(
    ("client", "told"),
    [
        (starlette_client, (405, "denied", "method")),
        (flask_client, (200, "ok", None)),
        (django_client, (200, "ok", None)),
    ],
    ids=["starlette", "flask", "django"],
)
def test_without_a_library_that_looked_the_status_decides(
    audit: FlowAudit,
    events: Callable[..., list[dict[str, Any]]],
    client: Callable[..., Any],
    told: tuple[Any, ...],
) -> None:
    with client(audit, "bare") as send:
        send(Call("OPTIONS", "/a", (("origin", EVIL), *PREFLIGHT.items())))
    audit.flush()
    assert [(e["status"], e["outcome"], e.get("reason")) for e in events()] == [told]
