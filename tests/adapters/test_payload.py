"""Level `payload` behind each framework: the app gets all of a body, the event what is named."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit

from ..capture.test_payload import MULTIPART, policy_file
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


def django(audit: FlowAudit) -> Post:
    pytest.importorskip("django")
    from .django_project import configure, fresh_audit

    configure()
    fresh_audit(audit)
    from django.core.handlers.wsgi import WSGIHandler
    from django.test.utils import override_settings

    def post(path: str, body: bytes, kind: str) -> bytes:
        one = environ(REQUEST_METHOD="POST", RAW_URI=path, PATH_INFO=path, HTTP_HOST="testserver")
        one |= {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
        with override_settings(ROOT_URLCONF=__name__):
            server = Server(audit).run(
                audit.wsgi(WSGIHandler()), one | {"wsgi.input": io.BytesIO(body)}
            )
        return b"".join(server.sent)

    return post


def __getattr__(name: str) -> Any:
    """Django's table of URLs, once Django is there."""
    if name != "urlpatterns":
        raise AttributeError(name)
    from django.http import JsonResponse
    from django.urls import path
    from django.views.decorators.csrf import csrf_exempt

    @csrf_exempt
    def order(request: Any, number: int) -> Any:
        is_json = request.content_type == "application/json"
        sent = json.loads(request.body) if is_json else {**request.POST, **request.FILES}
        return JsonResponse({"got": sorted(sent), "pw": "hush"})

    return [path("orders/<int:number>", order), path("else/<int:number>", order)]


@pytest.fixture(params=[flask, fastapi, django], ids=["flask", "fastapi", "django"])
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
