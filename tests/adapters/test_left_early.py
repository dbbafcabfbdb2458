"""A client that leaves in the middle of its upload, as real frameworks answer it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowaudit import FlowAudit

pytest.importorskip("fastapi")

import fastapi
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from flowaudit_fastapi import FlowAuditMiddleware

Message = dict[str, Any]


async def read_whole(request: Request) -> Response:
    return Response(await request.body())


async def refuse_at_once(request: Request) -> Response:
    raise HTTPException(int(request.path_params["status"]))


async def notice_and_answer(request: Request) -> Response:
    try:
        await request.body()
    except ClientDisconnect:
        return Response(status_code=int(request.path_params["status"]))
    return Response()


def starlette_app() -> Any:
    return Starlette(
        routes=[
            Route("/upload", read_whole, methods=["POST"]),
            Route("/refused/{status}", refuse_at_once, methods=["POST"]),
            Route("/answered/{status}", notice_and_answer, methods=["POST"]),
        ]
    )


def fastapi_app() -> Any:
    app = fastapi.FastAPI()

    @app.post("/upload")
    def take(values: dict[str, int]) -> dict[str, int]:
        return values

    return app


async def half_an_upload(app: Any, path: str) -> None:
    """Post the first half of a body, and be gone."""
    messages: list[Message] = [{"type": "http.request", "body": b'{"a"', "more_body": True}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    headers = [(b"host", b"a.example"), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
    }
    await asyncio.wait_for(app(scope, receive, send), 10)


@pytest.mark.parametrize(
    ("make_app", "path", "is_raised", "expected"),
    [
        (fastapi_app, "/upload", False, (400, "aborted", "client-left")),
        (starlette_app, "/upload", True, (500, "aborted", "client-left")),
        (starlette_app, "/answered/422", False, (422, "aborted", "client-left")),
        (starlette_app, "/answered/403", False, (403, "denied", "forbidden")),
        (starlette_app, "/refused/413", False, (413, "invalid", "too-large")),
    ],
    ids=["malformed", "fell-over", "validation", "refused", "too-large"],
)
def test_what_the_leaving_caused_is_not_the_apps(
    audit: FlowAudit,
    events: Callable[..., list[dict[str, Any]]],
    make_app: Callable[[], Any],
    path: str,
    is_raised: bool,
    expected: tuple[Any, ...],
) -> None:
    app = make_app()
    app.add_middleware(FlowAuditMiddleware, audit=audit)
    app = audit.asgi(app)  # around the page for what fell over, too
    if is_raised:
        with pytest.raises(ClientDisconnect):
            asyncio.run(half_an_upload(app, path))
    else:
        asyncio.run(half_an_upload(app, path))
    audit.flush()
    assert [(e["status"], e["outcome"], e["reason"]) for e in events()] == [expected]
