"""What a request asks for and what its headers tell."""

from typing import Final

from .app import JWT
from .scenario import ABSENT, PAGE, Scenario, call, get, plain

__all__ = ["HEADERS", "PATHS"]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

PATHS: Final = {
    "root": get("/"),
    "query-dropped": get("/plain?secret=x"),
    "query-allow-listed": get("/plain?page=3&secret=x", query="page=3"),
    "number": get("/items/7", route="/items/{id}", resource="items", resource_id="7"),
    "nested": get(
        "/patients/3/records/17",
        route="/patients/{pid}/records/{rid}",
        resource="records",
        resource_id="17",
    ),
    "mounted": get("/shop/items/7", route="/shop/items/{id}", resource="items", resource_id="7"),
    "catch-all": get("/files/a/b.txt", route="/files/{name}", nav="page"),
    "unicode": get("/names/%C3%A4nn", route="/names/{name}", resource="names", resource_id="änn"),
    "percent-encoded": get(
        "/names/a%20b", route="/names/{name}", resource="names", resource_id="a b"
    ),
    "encoded-slash": get(
        "/names/a%2Fb",
        status=404,
        outcome="missing",
        reason="not-found",
        route=ABSENT,
        bytes_out=PAGE,
    ),
    "double-slash": get(
        "//items//7",
        status=404,
        outcome="missing",
        reason="not-found",
        route=ABSENT,
        bytes_out=PAGE,
    ),
    "secret": get(
        f"/tickets/{JWT}",
        path="/tickets/[masked:jwt]",
        route="/tickets/{ticket}",
        resource="tickets",
        resource_id="[masked:jwt]",
    ),
    "traversal": get(
        "/names/..%2f..%2fetc%2fpasswd",
        status=404,
        outcome="missing",
        reason="not-found",
        route=ABSENT,
        bytes_out=PAGE,
        flags=["os-file", "traversal"],
    ),
    "sqli-in-the-query": get("/plain?id=1%27%20OR%201=1--", flags=["sqli"]),
}

UA = "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"
FORWARDED = {"x-forwarded-for": "203.0.113.9"}
HEADERS: Final = {
    "page-by-fetch-metadata": get("/plain", {"sec-fetch-dest": "document", "accept": "*/*"}),
    "api-by-fetch-metadata": get("/plain", {"sec-fetch-dest": "empty"}, nav="api"),
    "asset-by-fetch-metadata": get("/plain", {"sec-fetch-dest": "image"}, nav="asset"),
    "api-by-accept": get("/plain", {"accept": "application/json"}, nav="api"),
    "partial": get("/plain", {"hx-request": "true"}, nav="partial"),
    "prefetch": get("/plain", {"sec-purpose": "prefetch"}, nav="prefetch"),
    "prefetch-old": get("/plain", {"purpose": "prefetch"}, nav="prefetch"),
    "no-accept": get("/plain", {"accept": None}, nav="api", flags=["no-accept"]),
    "no-user-agent": get("/plain", {"user-agent": None}, ua=ABSENT, flags=["no-ua"]),
    "browser": get("/plain", {"user-agent": UA}, ua=UA),
    "user-agent-with-a-secret": get("/plain", {"user-agent": f"x {JWT}"}, ua="x [masked:jwt]"),
    "request-id": get("/plain", {"x-request-id": "abc-123"}, request="abc-123"),
    "request-id-malformed": get("/plain", {"x-request-id": "a b\tc"}),
    "trace": get("/plain", {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, trace=TRACE),
    "referer": get(
        "/plain", {"referer": "https://a.example/b?secret=x"}, referer="https://a.example/b"
    ),
    "forwarded-untrusted": get("/plain", FORWARDED, flags=["forwarded-untrusted"]),
    "forwarded-trusted": Scenario(
        (call("GET", "/plain", headers=FORWARDED),),
        plain(client="203.0.113.9", peer="10.0.0.1"),
        {"trusted_proxies": ["10.0.0.0/8"]},
    ),
    "forwarded-by-count": Scenario(
        (call("GET", "/plain", headers={"x-forwarded-for": "1.1.1.1, 203.0.113.9"}),),
        plain(client="203.0.113.9", peer="10.0.0.1"),
        {"trusted_proxies": 1},
    ),
    "method-override": get(
        "/plain",
        {"x-http-method-override": "delete"},
        flags=["method-override"],
        data={"method_override": "DELETE"},
    ),
    "original-url": get(
        "/plain",
        {"x-original-url": "/admin?x=1"},
        flags=["url-override"],
        data={"url_override": "/admin"},
    ),
    "origin-of-its-own": get("/plain", {"origin": "http://testserver"}),
    "origin-foreign": get("/plain", {"origin": "http://a.example"}, flags=["origin-mismatch"]),
    "two-cookies": get("/plain", {"cookie": "theme=dark; lang=de"}),
}
