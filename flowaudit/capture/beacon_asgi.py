"""The beacon under ASGI: a layer between a wrapper and its app, where the setting is on."""

from typing import Any

from .beacon import MAX_BODY, Beacon, Reply, finished
from .intake import Intake

__all__ = ["beaconed_asgi"]


def beaconed_asgi(app: Any, audit: Intake, enrich: Any, enrich_key: str) -> Any:
    """An ASGI app with the beacon's routes before it; the app itself, unless they are wanted.

    Args:
        app: the app.
        audit: whose settings decide.
        enrich: what the wrapper's framework tells of a request, if anything.
        enrich_key: where in the scope the wrapper looks for what is to be told instead.
    """
    prefix = audit.settings["beacon"]
    return _BeaconedAsgi(app, Beacon(prefix), enrich, enrich_key) if prefix else app


class _BeaconedAsgi:
    """An ASGI app behind the beacon."""

    def __init__(self, app: Any, beacon: Beacon, enrich: Any, enrich_key: str) -> None:
        self.app = app
        self._beacon, self._enrich, self._enrich_key = beacon, enrich, enrich_key

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection, as the ASGI specification has it."""
        path = _path(scope) if scope["type"] == "http" else ""
        if not self._beacon.is_for(path):
            await self.app(scope, receive, send)
            return
        headers: dict[bytes, str] = {
            name.lower(): value.decode("latin-1") for name, value in scope.get("headers") or ()
        }

        def header(name: str) -> str:
            return headers.get(name.encode(), "")

        reply = self._beacon.refuses(path, scope.get("method", "GET"), header)
        if reply is None:
            body = await _read(receive)
            if body is None:
                return  # the client has left
            reply = self._beacon.take(body) if len(body) <= MAX_BODY else self._beacon.bad()
        scope[self._enrich_key] = finished(self._enrich, reply.become)
        await _send(reply, send)


def _path(scope: Any) -> str:
    """The path below where the app is mounted."""
    path, root = scope.get("path") or "", scope.get("root_path") or ""
    return str(path[len(root) :] if root and path.startswith(f"{root}/") else path)


async def _read(receive: Any) -> bytes | None:
    """The body, or a little more than may be; `None` if the client has left before its end."""
    body = b""
    while len(body) <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body") or b""
        if not message.get("more_body", False):
            break
    return body


async def _send(reply: Reply, send: Any) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
