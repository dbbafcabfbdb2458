"""An ASGI app run once by hand: its scope, the messages it sends, what it raises."""

import asyncio
from collections.abc import Callable
from typing import Any

Events = Callable[..., list[dict[str, Any]]]


Message = dict[str, Any]


START: Message = {"type": "http.response.start", "status": 200, "headers": []}


BODY: Message = {"type": "http.response.body", "body": b"hello"}


def scope(**values: Any) -> dict[str, Any]:
    path = values.get("path", "/p/1")
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"example.org"), (b"user-agent", b"test"), (b"accept", b"*/*")],
        "client": ("10.0.0.1", 5),
        **values,
    }


def call(
    app: Any, one: dict[str, Any], incoming: list[Message] | None = None
) -> tuple[list[Message], BaseException | None]:
    """Run an app once; the messages it sent, and what it raised."""
    sent: list[Message] = []
    waiting = list(incoming or [{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def go() -> BaseException | None:
        try:
            await app(one, receive, send)
        except BaseException as error:
            return error
        return None

    return sent, asyncio.run(go())


def answering(*messages: Message) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


def headers(**named: str) -> list[tuple[bytes, bytes]]:
    return [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in named.items()]


CONNECT: Message = {"type": "websocket.connect"}


ACCEPT: Message = {"type": "websocket.accept"}


def websocket(*messages: Message, raises: BaseException | None = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        for message in messages:
            await send(message)
        if raises is not None:
            raise raises
        await receive()

    return app
