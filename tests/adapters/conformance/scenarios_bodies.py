"""Bodies both ways: forms, uploads, streams, files, none at all."""

from typing import Final

from .drivers import Call
from .scenario import ABSENT, PAGE, Scenario, call, event, get, plain, send

__all__ = ["BODIES"]

MULTIPART = (
    b'--line\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nfive.\r\n--line--\r\n"
)

BODIES: Final = {
    "stream": get("/stream", bytes_out=3),
    "server-sent-events": get("/events", {"accept": "text/event-stream"}, nav="api", bytes_out=18),
    "created": send(
        "POST",
        "/orders/7",
        b"a=1",
        status=201,
        route="/orders/{id}",
        bytes_out=1,
        resource="orders",
        resource_id="7",
    ),
    "put": send(
        "PUT",
        "/orders/7",
        b"a=1",
        status=201,
        route="/orders/{id}",
        bytes_out=1,
        resource="orders",
        resource_id="7",
    ),
    "patch": send(
        "PATCH",
        "/orders/7",
        b"a=1",
        status=201,
        route="/orders/{id}",
        bytes_out=1,
        resource="orders",
        resource_id="7",
    ),
    "delete": send(
        "DELETE",
        "/orders/7",
        b"a=1",
        status=201,
        route="/orders/{id}",
        bytes_out=1,
        resource="orders",
        resource_id="7",
    ),
    "upload-multipart": Scenario(
        (
            call(
                "POST",
                "/upload",
                MULTIPART,
                headers={"content-type": "multipart/form-data; boundary=line"},
            ),
        ),
        (
            event(
                method="POST",
                route="/upload",
                path="/upload",
                status=201,
                bytes_in=len(MULTIPART),
                bytes_out=1,
            ),
        ),
    ),
    "upload-chunked": Scenario(
        (Call("POST", "/body", chunks=(b"abc", b"de")),),
        (event(method="POST", route="/body", path="/body", status=201, bytes_in=5, bytes_out=1),),
    ),
    "upload-big": send("POST", "/body", b"x" * 300_000, status=201, route="/body", bytes_out=6),
    "big": get("/big", bytes_out=1_000_000),
    "empty": get("/empty", bytes_out=ABSENT),
    "no-content": get("/status/204", status=204, bytes_out=ABSENT),
    "not-modified": get("/status/304", status=304, bytes_out=ABSENT),
    "head": Scenario((call("HEAD", "/plain"),), plain(method="HEAD", bytes_out=ABSENT)),
    "options": Scenario(
        (call("OPTIONS", "/plain"),),
        plain(method="OPTIONS", status=405, outcome="denied", reason="method", bytes_out=PAGE),
    ),
    "client-left": Scenario(
        (Call("GET", "/stream", leaves=True),),
        plain("/stream", outcome="aborted", reason="client-left", bytes_out=1),
    ),
    "client-left-while-it-works": Scenario(
        (Call("GET", "/wait", leaves_after_s=0.05),),
        plain("/wait", status=499, outcome="aborted", reason="client-left"),
    ),
    "short": get("/short", outcome="error", reason="incomplete"),
    "crash": get("/crash", status=500, outcome="error", reason="RuntimeError", bytes_out=PAGE),
    "crash-in-a-stream": get("/stream/crash", outcome="error", reason="RuntimeError", bytes_out=1),
    "background": get("/background"),
    "static-file": get(
        "/static/site.css", {"accept": "*/*"}, nav="asset", bytes_out=22, route="/static/{path}"
    ),
}
