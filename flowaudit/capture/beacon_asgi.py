"""The beacon under ASGI: a layer between a wrapper and its app, where the setting is on."""

from typing import Any

from .beacon import MAX_BODY, Beaconed, Reply

__all__ = ["BeaconedAsgi"]


class BeaconedAsgi(Beaconed):
    """An ASGI app behind the beacon."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection, as the ASGI specification has it."""
        path = _path(scope) if scope["type"] == "http" else ""
        if not self.beacon.is_for(path):
            await self.app(scope, receive, send)
            return
        headers: dict[bytes, str] = {
            name.lower(): value.decode("latin-1") for name, value in scope.get("headers") or ()
        }

        def header(name: str) -> str:
            return headers.get(name.encode(), "")

        reply = self.beacon.refuses(path, scope.get("method", "GET"), header)
        if reply is None:
            body = await _read(receive)
            if body is None:
                return  # the client has left
            reply = self.beacon.take(body)
        await _send(self.decide(scope, reply), send)


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
