"""Serves a FastAPI or Starlette app under a recorder, and reads what was told of it."""

from collections.abc import Callable
from typing import Any

from starlette.responses import PlainTextResponse

from flowaudit import FlowAudit
from flowaudit_fastapi import FlowAuditMiddleware

from .conformance.drivers import Answer, Call, asgi_client

__all__ = ["Events", "Get", "getter", "ok", "serve", "told"]

Events = Callable[..., list[dict[str, Any]]]


def told(events: Events, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(event.get(name) for name in names) for event in events()]


Get = Callable[..., Answer]


async def ok(request: Any) -> Any:
    return PlainTextResponse("ok")


def serve(app: Any, audit: FlowAudit, **options: Any) -> Get:
    app.add_middleware(FlowAuditMiddleware, audit=audit, **options)
    return getter(app)


def getter(app: Any) -> Get:
    send = asgi_client(app)

    def get(path: str, *sends: str, is_socket: bool = False, **headers: str) -> Answer:
        call = Call("GET", path, sends=sends if is_socket or sends else None)
        return send(call.with_headers(**headers))

    return get
