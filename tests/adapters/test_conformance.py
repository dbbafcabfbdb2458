"""The same actions give the same events, whichever framework the app is written in."""

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

import flowaudit
from flowaudit import FlowAudit
from flowaudit.vault.tokens import Vault

Events = Callable[..., list[dict[str, Any]]]
Ask = Callable[..., int]

USER_HEADER = "x-test-user"


def asgi_ask(app: Any) -> Ask:
    def ask(method: str, target: str, body: bytes = b"", **headers: str) -> int:
        url = urlsplit(target)
        named = {"host": "testserver", "user-agent": "test", "accept": "text/html", **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": url.path,
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "root_path": "",
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in named.items()
            ],
            "client": ("10.0.0.1", 5),
            "server": ("testserver", 80),
        }
        statuses = []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def go() -> None:
            done = asyncio.Event()

            async def receive() -> Any:
                if waiting:
                    return waiting.pop()
                await done.wait()
                return {"type": "http.disconnect"}

            async def send(message: Any) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    done.set()

            try:
                await app(scope, receive, send)
            except RuntimeError as error:
                if str(error) != "boom":
                    raise

        asyncio.run(go())
        return statuses[0] if statuses else 500

    return ask


def wsgi_ask(app: Any) -> Ask:
    def ask(method: str, target: str, body: bytes = b"", **headers: str) -> int:
        url = urlsplit(target)
        named = {"host": "testserver", "user-agent": "test", "accept": "text/html", **headers}
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "RAW_URI": target,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "10.0.0.1",
            "CONTENT_LENGTH": str(len(body)) if body else "",
            "CONTENT_TYPE": "text/plain",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        environ |= {
            f"HTTP_{name.upper().replace('-', '_')}": value for name, value in named.items()
        }
        statuses: list[int] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            statuses.append(int(status[:3]))
            return lambda data: None

        try:
            answer = app(environ, start_response)
            for _ in answer:
                pass
            if hasattr(answer, "close"):
                answer.close()
        except RuntimeError as error:
            if str(error) != "boom":
                raise
        return statuses[-1] if statuses else 500

    return ask


# One app, in each framework; what it must do:
#   GET  /items/{id}     ok; the app says which record         POST /items/{id}   201
#   GET  /private        the app refuses with a reason          GET  /hidden       404 on purpose
#   GET  /forbidden      403                                    GET  /old          to /login
#   GET  /boom           raises RuntimeError("boom")            GET  /stream       three blocks
#   POST /login          signs ann in                           GET  /denied-by-exception


def build_starlette(audit: FlowAudit) -> Ask:
    applications = pytest.importorskip("starlette.applications")
    responses = pytest.importorskip("starlette.responses")
    routing = pytest.importorskip("starlette.routing")
    exceptions = pytest.importorskip("starlette.exceptions")
    from flowaudit_fastapi import FlowAuditMiddleware

    async def item(request: Any) -> Any:
        flowaudit.resource("item", request.path_params["id"])
        return responses.PlainTextResponse("ok", 201 if request.method == "POST" else 200)

    app = applications.Starlette(
        routes=[
            routing.Route("/items/{id:int}", item, methods=["GET", "POST"]),
            routing.Mount("/shop", routes=[routing.Route("/items/{id:int}", item)]),
            *(
                routing.Route(path, view, methods=methods)
                for path, view, methods in _asgi_views(responses, exceptions.HTTPException)
            ),
        ]
    )
    app.add_middleware(FlowAuditMiddleware, audit=audit)
    return asgi_ask(app)


def build_fastapi(audit: FlowAudit) -> Ask:
    fastapi = pytest.importorskip("fastapi")
    responses = pytest.importorskip("starlette.responses")
    from flowaudit_fastapi import FlowAuditMiddleware

    app = fastapi.FastAPI()
    shop = fastapi.APIRouter()

    def item(id: int, request: fastapi.Request) -> Any:  # type: ignore[name-defined]
        flowaudit.resource("item", id)
        return responses.PlainTextResponse("ok", 201 if request.method == "POST" else 200)

    item.__annotations__ = {"id": int, "request": fastapi.Request}
    app.api_route("/items/{id}", methods=["GET", "POST"])(item)
    shop.api_route("/items/{id}", methods=["GET"])(item)
    app.include_router(shop, prefix="/shop")
    for path, view, methods in _asgi_views(responses, fastapi.HTTPException):
        app.router.routes.append(
            pytest.importorskip("starlette.routing").Route(path, view, methods=methods)
        )
    app.add_middleware(FlowAuditMiddleware, audit=audit)
    return asgi_ask(app)


def _asgi_views(responses: Any, http_exception: Any) -> list[tuple[str, Any, list[str]]]:
    async def private(request: Any) -> Any:
        flowaudit.deny("not-yours")
        return responses.PlainTextResponse("no", 403)

    async def hidden(request: Any) -> Any:
        flowaudit.hide()
        raise http_exception(404)

    async def forbidden(request: Any) -> Any:
        raise http_exception(403)

    async def old(request: Any) -> Any:
        return responses.RedirectResponse("/login?next=/old", 302)

    async def boom(request: Any) -> Any:
        raise RuntimeError("boom")

    async def stream(request: Any) -> Any:
        return responses.StreamingResponse(iter([b"a", b"b", b"c"]))

    async def login(request: Any) -> Any:
        flowaudit.login("user:1", name="ann-0189")
        return responses.PlainTextResponse("hi")

    async def login_failed(request: Any) -> Any:
        flowaudit.login_failed("ann-0189", known=True)
        return responses.PlainTextResponse("again")

    return [
        ("/private", private, ["GET"]),
        ("/hidden", hidden, ["GET"]),
        ("/forbidden", forbidden, ["GET"]),
        ("/old", old, ["GET"]),
        ("/boom", boom, ["GET"]),
        ("/stream", stream, ["GET"]),
        ("/login", login, ["POST"]),
        ("/login-failed", login_failed, ["POST"]),
    ]


def build_flask(audit: FlowAudit) -> Ask:
    flask = pytest.importorskip("flask")
    from flowaudit_flask import FlowAuditFlask

    app = flask.Flask("test")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True

    @app.route("/items/<int:id>", methods=["GET", "POST"])
    @app.route("/shop/items/<int:id>", methods=["GET"])
    def item(id: int) -> Any:
        flowaudit.resource("item", id)
        return "ok", 201 if flask.request.method == "POST" else 200

    @app.get("/private")
    def private() -> Any:
        flowaudit.deny("not-yours")
        return "no", 403

    @app.get("/hidden")
    def hidden() -> Any:
        flowaudit.hide()
        flask.abort(404)

    @app.get("/forbidden")
    def forbidden() -> Any:
        flask.abort(403)

    @app.get("/old")
    def old() -> Any:
        return flask.redirect("/login?next=/old")

    @app.get("/boom")
    def boom() -> Any:
        raise RuntimeError("boom")

    @app.get("/stream")
    def stream() -> Any:
        return flask.Response(iter([b"a", b"b", b"c"]))

    @app.post("/login")
    def login() -> Any:
        flowaudit.login("user:1", name="ann-0189")
        return "hi"

    @app.post("/login-failed")
    def login_failed() -> Any:
        flowaudit.login_failed("ann-0189", known=True)
        return "again"

    FlowAuditFlask(app, audit=audit)
    return wsgi_ask(app)


def django_urls() -> Any:
    from django.core.exceptions import PermissionDenied
    from django.http import Http404, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
    from django.urls import include, path
    from django.views.decorators.csrf import csrf_exempt
    from django.views.decorators.http import require_http_methods

    @csrf_exempt
    @require_http_methods(["GET", "POST"])
    def item(request: Any, id: int) -> Any:
        flowaudit.resource("item", id)
        return HttpResponse("ok", status=201 if request.method == "POST" else 200)

    @require_http_methods(["GET"])
    def private(request: Any) -> Any:
        flowaudit.deny("not-yours")
        return HttpResponse("no", status=403)

    def hidden(request: Any) -> Any:
        flowaudit.hide()
        raise Http404

    def forbidden(request: Any) -> Any:
        raise PermissionDenied

    def old(request: Any) -> Any:
        return HttpResponseRedirect("/login?next=/old")

    def boom(request: Any) -> Any:
        raise RuntimeError("boom")

    def stream(request: Any) -> Any:
        return StreamingHttpResponse(iter([b"a", b"b", b"c"]))

    @csrf_exempt
    def login(request: Any) -> Any:
        flowaudit.login("user:1", name="ann-0189")
        return HttpResponse("hi")

    @csrf_exempt
    def login_failed(request: Any) -> Any:
        flowaudit.login_failed("ann-0189", known=True)
        return HttpResponse("again")

    return [
        path("items/<int:id>", item),
        path("shop/", include([path("items/<int:id>", item)])),
        path("private", private),
        path("hidden", hidden),
        path("forbidden", forbidden),
        path("old", old),
        path("boom", boom),
        path("stream", stream),
        path("login", login),
        path("login-failed", login_failed),
    ]


def build_django(audit: FlowAudit, monkeypatch: pytest.MonkeyPatch, *, is_asgi: bool) -> Ask:
    pytest.importorskip("django")
    from .django_project import configure, fresh_audit

    configure()
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler

    fresh_audit(audit)
    return asgi_ask(ASGIHandler()) if is_asgi else wsgi_ask(WSGIHandler())


BUILDS = ["starlette", "fastapi", "flask", "django-wsgi", "django-asgi"]


@pytest.fixture(params=BUILDS)
def ask(request: pytest.FixtureRequest, make_audit: Any, monkeypatch: pytest.MonkeyPatch) -> Ask:
    audit = make_audit(login_paths=["/login"])
    request.node.audit = audit
    match request.param:
        case "starlette":
            return build_starlette(audit)
        case "fastapi":
            return build_fastapi(audit)
        case "flask":
            return build_flask(audit)
        case _:
            return build_django(audit, monkeypatch, is_asgi=request.param == "django-asgi")


SCENARIOS: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
    "page": (
        ("GET", "/items/7?secret=x"),
        {
            "status": 200,
            "outcome": "ok",
            "reason": None,
            "route": "/items/{id}",
            "resource": "item",
            "resource_id": "7",
            "path": "/items/7",
            "nav": "page",
            "bytes_out": 2,
            "method": "GET",
        },
    ),
    "post": (("POST", "/items/7"), {"status": 201, "outcome": "ok", "route": "/items/{id}"}),
    "mounted": (("GET", "/shop/items/7"), {"status": 200, "route": "/shop/items/{id}"}),
    "refused": (
        ("GET", "/private"),
        {"status": 403, "outcome": "denied", "reason": "not-yours", "route": "/private"},
    ),
    "hidden": (("GET", "/hidden"), {"status": 404, "outcome": "hidden", "reason": "hidden"}),
    "forbidden": (
        ("GET", "/forbidden"),
        {"status": 403, "outcome": "denied", "reason": "forbidden"},
    ),
    "to-login": (("GET", "/old"), {"status": 302, "outcome": "denied", "reason": "login-required"}),
    "crash": (
        ("GET", "/boom"),
        {"status": 500, "outcome": "error", "reason": "RuntimeError", "route": "/boom"},
    ),
    "stream": (("GET", "/stream"), {"status": 200, "outcome": "ok", "bytes_out": 3}),
    "missing": (
        ("GET", "/nothing/here"),
        {"status": 404, "outcome": "missing", "reason": "not-found", "route": None},
    ),
    "method": (
        ("DELETE", "/items/7"),
        {"status": 405, "outcome": "denied", "reason": "method", "route": "/items/{id}"},
    ),
}


# Django itself warns when an app streams from a plain iterator under ASGI
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous")
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_gives_the_same_event_everywhere(
    ask: Ask, events: Events, name: str, request: pytest.FixtureRequest
) -> None:
    (method, target), expected = SCENARIOS[name]
    status = ask(method, target)
    request.node.audit.flush()
    [event] = events()
    assert status == expected["status"]
    assert {key: event.get(key) for key in expected} == expected
    assert event["client"] == "10.0.0.1"
    assert event["host"] == "testserver"
    assert request.node.audit.counters == {"lost": 0, "commit_failed": 0, "capture_failed": 0}


def test_a_sign_in_gives_the_same_events_everywhere(
    ask: Ask, events: Events, request: pytest.FixtureRequest
) -> None:
    assert ask("POST", "/login") == 200
    assert ask("POST", "/login-failed") == 200
    audit: FlowAudit = request.node.audit
    audit.flush()
    [auth, first, failed, second] = events()
    with Vault(audit.paths.vault) as vault:
        assert auth["actor"] == first["actor"] == vault.find("user:1")
    assert (auth["kind"], auth["action"], auth["outcome"]) == ("auth", "login", "ok")
    assert (failed["action"], failed["reason"]) == ("login-failed", "bad-credentials")
    assert (first["outcome"], second["outcome"]) == ("ok", "denied")
    assert failed["login"] == auth["login"]
    # digits that base32 does not have: no token or hash can hold this by chance
    assert json.dumps(events()).count("ann-0189") == 0
