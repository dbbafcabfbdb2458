"""A WSGI app in an ASGI app and the other way round, each with a wrapper: one event a request."""

import asyncio
import contextvars
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

pytest.importorskip("a2wsgi")
pytest.importorskip("flask")

import a2wsgi
import flask

import flowaudit
from flowaudit import FlowAudit
from flowaudit.testing import recorded_events
from flowaudit_fastapi import FlowAuditMiddleware
from flowaudit_flask import FlowAuditFlask

Events = Callable[..., list[dict[str, Any]]]


class Boom(Exception):
    pass


def by_starlette(app: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will go, in favour of a2wsgi
        wsgi = pytest.importorskip("starlette.middleware.wsgi")
    return wsgi.WSGIMiddleware(app)


def by_asgiref(app: Any) -> Any:
    return pytest.importorskip("asgiref.wsgi").WsgiToAsgi(app)


TO_ASGI: dict[str, Callable[[Any], Any]] = {
    "a2wsgi": lambda app: a2wsgi.WSGIMiddleware(app),
    "starlette": by_starlette,
    "asgiref": by_asgiref,
}
"""What makes an ASGI app of a WSGI app."""


def flask_app(audit: FlowAudit) -> Any:
    app = flask.Flask("inner")
    app.logger.disabled = True

    @app.get("/items/<int:id>")
    def item(id: int) -> str:
        flowaudit.identify("user:1", roles=["doctor"])
        return "x" * 9

    @app.get("/stream/<int:id>")
    def stream(id: int) -> Any:
        def blocks() -> Iterator[bytes]:
            yield b"xxxx"
            flowaudit.note(late=True)
            yield b"xxxxx"

        return flask.Response(blocks(), headers={"Content-Length": "9"} if id else {})

    @app.get("/no")
    def no() -> str:
        flowaudit.deny("not-yours")
        flask.abort(403)

    @app.get("/boom")
    def boom() -> str:
        raise Boom

    @app.post("/items/<int:id>")
    def change(id: int) -> Any:
        return flask.redirect(f"/items/{len(flask.request.get_data())}", 303)

    FlowAuditFlask(app, audit=audit)
    return app


def raw_app(audit: FlowAudit) -> Any:
    """A WSGI app whose own function tells route and resource."""

    def app(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == "/boom":
            raise Boom
        flowaudit.identify("user:1", roles=["doctor"])
        length = [("Content-Length", "9")] if path != "/stream/0" else []
        start_response("403 No" if path == "/no" else "200 OK", length)
        return iter([b"xxxx", b"xxxxx"]) if path.startswith("/stream") else [b"x" * 9]

    def enrich(environ: Any, facts: Any) -> None:
        assert facts.status is not None
        facts.route = environ["SCRIPT_NAME"] + environ["PATH_INFO"].rstrip("0123456789") + "{id}"
        facts.resource, facts.resource_id = "items", environ["PATH_INFO"].rpartition("/")[2]

    return audit.wsgi(app, enrich=enrich)


def mounted(app: Any, audit: FlowAudit, at: str = "/legacy") -> Any:
    outer = Starlette(routes=[Mount(at, app=app)])
    outer.add_middleware(FlowAuditMiddleware, audit=audit)
    return outer


def ask(
    app: Any,
    path: str,
    method: str = "GET",
    *,
    root_path: str = "",
    peer: str = "127.0.0.1",
    **options: Any,
) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(
            app, raise_app_exceptions=False, root_path=root_path, client=(peer, 1)
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
            return await asyncio.wait_for(client.request(method, path, **options), 20)

    return asyncio.run(send())


def told(audit: FlowAudit, events: Events, *names: str) -> list[tuple[Any, ...]]:
    assert audit.flush()
    return [tuple(event.get(name) for name in names) for event in events()]


@pytest.fixture(params=TO_ASGI.values(), ids=TO_ASGI)
def to_asgi(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = request.param
    return found


WHAT = ("route", "status", "outcome", "reason", "resource_id", "bytes_out", "roles")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/items/7?q=1", ("/legacy/items/{id}", 200, "ok", None, "7", 9, ["doctor"])),
        ("GET", "/stream/0", ("/legacy/stream/{id}", 200, "ok", None, "0", 9, None)),
        ("GET", "/stream/9", ("/legacy/stream/{id}", 200, "ok", None, "9", 9, None)),
        ("GET", "/no", ("/legacy/no", 403, "denied", "not-yours", None, ..., None)),
        ("GET", "/boom", ("/legacy/boom", 500, "error", "Boom", None, ..., None)),
        ("POST", "/items/7", ("/legacy/items/{id}", 303, "ok", None, "7", ..., None)),
        ("GET", "/nothing", ("/legacy/{path}", 404, "missing", "not-found", None, ..., None)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("root", ["", "/deployed", "/dépl"])
def test_flask_inside_starlette(
    audit: FlowAudit,
    events: Events,
    to_asgi: Any,
    root: str,
    method: str,
    path: str,
    expected: tuple[Any, ...],
) -> None:
    app = mounted(to_asgi(flask_app(audit)), audit)
    headers = {"Cookie": "a=1; b=2", "X-Request-ID": "r1", "Referer": "http://site/x"}
    body = b"body" if method == "POST" else None
    answer = ask(
        app, root + "/legacy" + path, method, root_path=root, headers=headers, content=body
    )
    assert answer.status_code == expected[1]
    [event] = told(audit, events, *WHAT)
    assert event == tuple(
        found if wanted is ... else wanted for found, wanted in zip(event, expected, strict=True)
    )
    assert told(audit, events, "request", "method", "actor_kind", "data") == [
        (
            "r1",
            method,
            "user" if path.startswith("/items/7?") else "anonymous",
            {"late": True} if path.startswith("/stream") else None,
        )
    ]
    assert audit.counters["capture_failed"] == 0


@pytest.mark.parametrize("path", ["/items/7", "/stream/0", "/stream/9", "/no"])
@pytest.mark.parametrize("outer", ["asgi", "starlette"])
def test_an_apps_own_function_is_asked_once(
    audit: FlowAudit, events: Events, to_asgi: Any, outer: str, path: str
) -> None:
    app = to_asgi(raw_app(audit))
    app = mounted(app, audit) if outer == "starlette" else audit.asgi(app)
    prefix = "/legacy" if outer == "starlette" else ""
    ask(app, prefix + path)
    route = prefix + path.rstrip("0123456789") + "{id}"
    thing = path.rpartition("/")[2]
    status = 403 if path == "/no" else 200
    assert told(audit, events, "route", "status", "resource_id", "roles", "bytes_out") == [
        (route, status, thing, ["doctor"], 9)
    ]
    assert audit.counters["capture_failed"] == 0


@pytest.mark.parametrize("app", [flask_app, raw_app])
@pytest.mark.parametrize("path", ["/items/7", "/stream/0", "/stream/9"])
def test_a_strict_request_knows_it_all_before_it_is_answered(
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    events: Events,
    to_asgi: Any,
    path: str,
    app: Any,
) -> None:
    policy = tmp_path / "flowaudit.toml"
    policy.write_text('[[policy]]\npath = "/**"\nlevel = "meta"\ndurability = "strict"\n')
    audit = make_audit(policy=policy)
    ask(mounted(to_asgi(app(audit)), audit), "/legacy" + path)
    route = "/legacy" + path.rstrip("0123456789") + "{id}"
    assert told(audit, events, "action", "route", "status", "resource_id") == [
        ("received", None, None, None),
        (None, route, 200, path[-1]),
        ("finished", None, 200, None),
    ]


def test_an_exception_of_the_app_inside_passes(
    audit: FlowAudit, events: Events, to_asgi: Any
) -> None:
    answer = ask(mounted(to_asgi(raw_app(audit)), audit), "/legacy/boom")
    assert answer.status_code == 500
    assert told(audit, events, "status", "outcome", "reason") == [(500, "error", "Boom")]


def test_a_mount_with_a_parameter_has_its_name_in_the_route(
    audit: FlowAudit, events: Events, to_asgi: Any
) -> None:
    ask(mounted(to_asgi(flask_app(audit)), audit, "/{tenant}/old"), "/acme/old/items/7")
    assert told(audit, events, "route", "resource_id") == [("/{tenant}/old/items/{id}", "7")]


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "testclient", ""])
@pytest.mark.parametrize("logs", [True, False], ids=["logs", "silent"])
def test_what_a_wrapper_makes_of_a_request_is_not_compared(
    audit: FlowAudit, events: Events, to_asgi: Any, peer: str, logs: bool
) -> None:
    """A peer that is no address is left out, and a log line gives a request its id."""

    def log(app: Any) -> Any:
        async def logging(scope: Any, receive: Any, send: Any) -> None:
            assert not logs or audit.log_fields(None, "info", {})
            await app(scope, receive, send)

        return logging

    ask(mounted(log(to_asgi(flask_app(audit))), audit), "/legacy/items/7", peer=peer)
    assert told(audit, events, "route") == [("/legacy/items/{id}",)]


def test_wrappers_of_two_trails_each_record(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events, to_asgi: Any
) -> None:
    outer, inner = make_audit(), FlowAudit(trail=tmp_path / "other.db")
    try:
        ask(mounted(to_asgi(flask_app(inner)), outer), "/legacy/items/7")
        assert len(told(outer, events, "path")) == 1
        assert [event["status"] for event in recorded_events(inner, "request")] == [200]
    finally:
        inner.close()


DIFFERENT: dict[str, tuple[str, dict[str, Any]]] = {
    "path": ("/legacy/items/8", {}),
    "query": ("/legacy/items/7?q=2", {}),
    "method": ("/legacy/items/7", {"method": "POST"}),
    "agent": ("/legacy/items/7", {"headers": {"User-Agent": "another"}}),
    "cookie": ("/legacy/items/7", {"headers": {"Cookie": "a=2"}}),
    "host": ("/legacy/items/7", {"headers": {"Host": "elsewhere"}}),
    "request-id": ("/legacy/items/7", {"headers": {"X-Request-ID": "r2"}}),
    "peer": ("/legacy/items/7", {"environ_base": {"REMOTE_ADDR": "10.0.0.9"}}),
}


@pytest.mark.parametrize("differs", [*DIFFERENT, "nothing-but-answered"])
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "thread"])
def test_a_request_that_an_app_sends_is_another(
    audit: FlowAudit, events: Events, differs: str, is_async: bool
) -> None:
    """An app that asks another of its own apps, in its own thread, makes a second request."""
    client = Client(flask_app(audit).wsgi_app)
    path, options = DIFFERENT.get(differs, ("/legacy/items/7", {}))

    def send() -> None:
        headers = {
            "User-Agent": "agent",
            "Host": "site",
            "Cookie": "a=1",
            **options.get("headers", {}),
        }
        client.open(
            path.removeprefix("/legacy"),
            method=options.get("method", "GET"),
            headers=headers,
            environ_base={"REMOTE_ADDR": "127.0.0.1", **options.get("environ_base", {})},
            environ_overrides={"SCRIPT_NAME": "/legacy"},
        )

    def in_thread(request: Any) -> Any:
        send()
        return PlainTextResponse("x")

    async def on_the_loop(request: Any) -> Any:
        send()
        return PlainTextResponse("x")

    async def afterwards(scope: Any, receive: Any, send_: Any) -> None:
        await PlainTextResponse("x")(scope, receive, send_)
        send()

    endpoint = on_the_loop if is_async else in_thread
    routes: list[Any] = [Route("/legacy/items/7", endpoint)]
    if differs == "nothing-but-answered":
        routes = [Mount("/legacy", app=afterwards)]
    outer = Starlette(routes=routes)
    outer.add_middleware(FlowAuditMiddleware, audit=audit)
    ask(outer, "/legacy/items/7", headers={"User-Agent": "agent", "Cookie": "a=1"})
    assert told(audit, events, "kind") == [("request",)] * 2


def test_a_request_left_in_a_thread_takes_no_other_in(audit: FlowAudit, events: Events) -> None:
    """A WSGI server that closes nothing leaves its request behind: the next is not part of it."""

    def blocks(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"x"
        yield b"y"

    def ask_the_same() -> None:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/x", "REMOTE_ADDR": "10.0.0.1"}
        app = audit.wsgi(blocks)
        left = app(dict(environ), lambda status, headers: None)
        assert next(iter(left)) == b"x"
        assert [*app(dict(environ), lambda status, headers: None)] == [b"x", b"y"]
        assert len(told(audit, events, "path")) == 1
        left.close()  # type: ignore[attr-defined]

    contextvars.copy_context().run(ask_the_same)
    assert told(audit, events, "path", "outcome") == [("/x", "ok"), ("/x", "aborted")]


def starlette_app(audit: FlowAudit) -> Any:
    async def item(request: Any) -> Any:
        flowaudit.identify("user:1", roles=["doctor"])
        return PlainTextResponse("x" * 9)

    async def stream(request: Any) -> Any:
        async def blocks() -> Any:
            yield b"xxxx"
            flowaudit.note(late=True)
            yield b"xxxxx"

        return StreamingResponse(blocks())

    async def no(request: Any) -> Any:
        flowaudit.deny("not-yours")
        return PlainTextResponse("no", 403)

    app = Starlette(
        routes=[
            Route("/items/{id:int}", item),
            Route("/no", no),
            Mount("/deep", routes=[Route("/stream/{id}", stream)]),
        ]
    )
    app.add_middleware(FlowAuditMiddleware, audit=audit)
    return app


@pytest.mark.parametrize("outer", ["wsgi", "flask"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/new/items/7", ("/new/items/{id}", 200, "ok", None, "7", 9, ["doctor"])),
        ("/new/deep/stream/7", ("/new/deep/stream/{id}", 200, "ok", None, "7", 9, None)),
        ("/new/no", ("/new/no", 403, "denied", "not-yours", None, 2, None)),
        ("/new/nothing", (None, 404, "missing", "not-found", None, 9, None)),
    ],
)
def test_starlette_inside_a_wsgi_app(
    audit: FlowAudit,
    events: Events,
    to_wsgi: Any,
    outer: str,
    path: str,
    expected: tuple[Any, ...],
) -> None:
    inner = to_wsgi(starlette_app(audit))
    app = flask.Flask("outer")
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/new": inner})  # type: ignore[method-assign]
    if outer == "flask":
        FlowAuditFlask(app, audit=audit)
    answer = Client(app if outer == "flask" else audit.wsgi(app)).get(
        path, environ_overrides={"SCRIPT_NAME": "/deployed"}, buffered=True
    )
    assert answer.status_code == expected[1]
    assert told(audit, events, *WHAT) == [expected]
    assert audit.counters["capture_failed"] == 0


def test_wrappers_of_two_trails_each_record_an_asgi_app(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events, to_wsgi: Any
) -> None:
    outer, inner = make_audit(), FlowAudit(trail=tmp_path / "other.db")
    try:
        Client(outer.wsgi(to_wsgi(starlette_app(inner)))).get("/items/7", buffered=True)
        assert told(outer, events, "status", "roles") == [(200, None)]
        [event] = recorded_events(inner, "request")
        assert (event["route"], event["roles"]) == ("/items/{id}", ["doctor"])
    finally:
        inner.close()
