"""Level `payload` behind each framework: the app gets all of a body, the event what is named."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit

from ..capture.asgi_driver import scope
from ..capture.payload_policy import MULTIPART, policy_file
from ..capture.test_wsgi import Server, environ

Events = Callable[..., list[dict[str, Any]]]
Post = Callable[[str, bytes, str], bytes]

POLICY = """
[[policy]]
route = "/orders/{number}"
level = "payload"
request_json = ["/id", "/items/*/sku"]
request_form = ["title"]
response_json = ["/got/*"]
"""
JSON = b'{"id": 7, "items": [{"sku": "A4", "pw": "hush"}], "pw": "hush"}'


def flask(audit: FlowAudit) -> Post:
    pytest.importorskip("flask")
    from flask import Flask, jsonify, request

    from flowaudit_flask import FlowAuditFlask

    app = Flask(__name__)
    FlowAuditFlask(app, audit=audit)

    @app.post("/orders/<int:number>")
    @app.post("/else/<int:number>", endpoint="other")
    def order(number: int) -> Any:
        sent = request.get_json(silent=True) or {**request.form, **request.files}
        return jsonify(got=sorted(sent), pw="hush")

    client = app.test_client()
    return lambda path, body, kind: client.post(path, data=body, content_type=kind).data


def fastapi(audit: FlowAudit) -> Post:
    pytest.importorskip("fastapi")
    pytest.importorskip("python_multipart")
    import httpx
    from fastapi import FastAPI, Request

    from flowaudit_fastapi import FlowAuditMiddleware

    app = FastAPI()
    app.add_middleware(FlowAuditMiddleware, audit=audit)

    @app.post("/orders/{number}")
    @app.post("/else/{number}")
    async def order(number: int, request: Request) -> Any:
        if request.headers["content-type"] == "application/json":
            return {"got": sorted(await request.json()), "pw": "hush"}
        async with request.form() as form:
            return {"got": sorted(form), "pw": "hush"}

    def post(path: str, body: bytes, kind: str) -> bytes:
        async def go() -> bytes:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                answer = await client.post(path, content=body, headers={"content-type": kind})
                return answer.content

        return asyncio.run(go())

    return post


def django_wsgi(audit: FlowAudit, wrapped: bool = False) -> Post:
    pytest.importorskip("django")
    from .django_project import configure, fresh_audit

    configure()
    fresh_audit(audit)
    from django.core.handlers.wsgi import WSGIHandler
    from django.test.utils import override_settings

    def post(path: str, body: bytes, kind: str) -> bytes:
        one = environ(REQUEST_METHOD="POST", RAW_URI=path, PATH_INFO=path, HTTP_HOST="testserver")
        one |= {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
        one["wsgi.input"] = io.BytesIO(body)
        with override_settings(ROOT_URLCONF=__name__):
            app = WSGIHandler()
            server = Server(audit).run(audit.wsgi(app) if wrapped else app, one)
        return b"".join(server.sent)

    return post


def django_in_wrapper(audit: FlowAudit) -> Post:
    return django_wsgi(audit, wrapped=True)


def django_asgi(audit: FlowAudit) -> Post:
    pytest.importorskip("django")
    from .django_project import configure, fresh_audit

    configure()
    fresh_audit(audit)
    from django.core.handlers.asgi import ASGIHandler
    from django.test.utils import override_settings

    def post(path: str, body: bytes, kind: str) -> bytes:
        headers = [
            (b"host", b"testserver"),
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        one = scope(method="POST", path=path, headers=headers)
        sent: list[bytes] = []
        incoming = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return incoming.pop() if incoming else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))

        with override_settings(ROOT_URLCONF=__name__):
            asyncio.run(asyncio.wait_for(ASGIHandler()(one, receive, send), 30))
        return b"".join(sent)

    return post


def __getattr__(name: str) -> Any:
    """Django's table of URLs, once Django is there."""
    if name != "urlpatterns":
        raise AttributeError(name)
    from django.http import FileResponse, JsonResponse, StreamingHttpResponse
    from django.urls import path
    from django.views.decorators.csrf import csrf_exempt

    @csrf_exempt
    def order(request: Any, number: int) -> Any:
        is_json = request.content_type == "application/json"
        sent = json.loads(request.body) if is_json else {**request.POST, **request.FILES}
        return JsonResponse({"got": sorted(sent), "pw": "hush"})

    @csrf_exempt
    def stream(request: Any, number: int) -> Any:
        assert request.read(3) == JSON[:3]
        if number == 1:
            return FileResponse(io.BytesIO(b"hush"))
        return StreamingHttpResponse([b'{"got": ["a"', b"]}"], content_type="application/json")

    return [
        path("orders/<int:number>", order),
        path("else/<int:number>", order),
        path("stream/<int:number>", stream),
    ]


BUILDS = [flask, fastapi, django_wsgi, django_in_wrapper, django_asgi]


@pytest.fixture(params=BUILDS, ids=lambda build: build.__name__)
def post(request: Any, make_audit: Callable[..., FlowAudit], tmp_path: Path) -> tuple[Any, Post]:
    audit = make_audit(policy=policy_file(tmp_path, POLICY))
    return audit, request.param(audit)


@pytest.mark.parametrize(
    ("body", "kind", "got", "kept"),
    [
        (JSON, "application/json", ["id", "items", "pw"], {"/id": 7, "/items/0/sku": "A4"}),
        (
            MULTIPART,
            "multipart/form-data; boundary=B",
            ["note", "scan", "title"],
            {"title": "A day"},
        ),
    ],
    ids=["json", "multipart"],
)
def test_the_app_gets_all_and_the_event_what_is_named(
    post: tuple[FlowAudit, Post],
    events: Events,
    body: bytes,
    kind: str,
    got: list[str],
    kept: dict[str, Any],
) -> None:
    audit, send = post
    for path in ("/orders/5", "/else/5"):
        assert json.loads(send(path, body, kind))["got"] == got
    audit.flush()
    assert audit.counters["capture_failed"] == 0
    by_rule, other = events("request")
    assert by_rule["route"] == "/orders/{number}"
    assert by_rule["data"]["request"]["kept"] == kept
    assert by_rule["data"]["response"]["kept"] == {f"/got/{i}": key for i, key in enumerate(got)}
    assert "data" not in other
    assert "hush" not in str([by_rule, other])


@pytest.mark.parametrize(
    "build", [django_wsgi, django_in_wrapper], ids=lambda build: build.__name__
)
def test_what_django_streams_is_looked_at_on_its_way(
    build: Callable[[FlowAudit], Post],
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    events: Events,
) -> None:
    policy = POLICY.replace("/orders/{number}", "/stream/{number}")
    audit = make_audit(policy=policy_file(tmp_path, policy))
    send = build(audit)
    assert send("/stream/0", JSON, "application/json") == b'{"got": ["a"]}'
    assert send("/stream/1", JSON, "application/json") == b"hush"
    audit.flush()
    streamed, file = events("request")
    assert streamed["data"]["request"]["skipped"] == "not-whole"
    assert streamed["data"]["response"]["kept"] == {"/got/0": "a"}
    assert "hush" not in str(file["data"])
