"""The apps that killed servers serve: an answer with the worker's process id, and a user on every
second request; what is ordered by POST is recorded strictly.
"""

import json
import os
from collections.abc import Iterable
from typing import Any

import flowaudit
from flowaudit import FlowAudit

audit = FlowAudit(
    trail=os.environ["FAULTS_TRAIL"], policy=os.environ["FAULTS_POLICY"], service="faults"
)


def _body(path: str) -> bytes:
    number = int(path.rpartition("/")[2] or 0)
    if number % 2:
        flowaudit.identify(f"user:{number % 50}")
    return json.dumps({"n": number, "pid": os.getpid()}).encode()


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = _body(scope["path"])
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = _body(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(body))), ("Content-Type", "text/plain")])
    return [body]


asgi = audit.asgi(_asgi)
wsgi = audit.wsgi(_wsgi)
