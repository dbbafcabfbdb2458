"""CPU added to a request by capture, everything included, beside what peers add.

Process CPU time (all threads) over many requests, the writer drained before the clock is read;
variants run in turn, several rounds, the smallest of each counts (noise only ever adds).
"""

import asyncio
import io
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowaudit import FlowAudit

REQUESTS = 4_000
ROUNDS = 7
GOALS = {"ASGI": (0.75, 18), "WSGI": (0.5, 9)}
"""At most so many log lines, and one in so many of OpenTelemetry's middleware."""
PATHS = 500
"""Distinct paths. Each request gets a fresh scope or environ, as a server makes one."""

HEADERS = [
    (b"host", b"clinic.example.org"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"en-GB,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"referer", b"https://clinic.example.org/doctors"),
    (b"cookie", b"clinic_session=0123456789abcdef0123456789abcdef; lang=en"),
    (b"sec-fetch-dest", b"document"),
    (b"sec-fetch-mode", b"navigate"),
    (b"x-request-id", b"6f1c2d34-8a5b-4c6d-9e7f-001122334455"),
]


def scope(i: int) -> dict[str, Any]:
    path = f"/doctors/{i % PATHS}/slots"
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": HEADERS,
        "client": ("127.0.0.1", 50_000 + i % 100),
        "server": ("127.0.0.1", 8000),
    }


async def bare(scope: Any, receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


def bare_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def environ(i: int) -> dict[str, Any]:
    made = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/doctors/{i % PATHS}/slots",
        "RAW_URI": f"/doctors/{i % PATHS}/slots",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    for name, value in HEADERS:
        made["HTTP_" + name.decode().upper().replace("-", "_")] = value.decode()
    return made


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    return None


def run_asgi(app: Any, done: Callable[[], object] = lambda: None) -> float:
    scopes = [scope(i) for i in range(PATHS)]

    async def go() -> float:
        start = time.process_time()
        for i in range(REQUESTS):
            await app(scopes[i % PATHS].copy(), receive, send)
        done()
        return (time.process_time() - start) / REQUESTS * 1e6

    return asyncio.run(go())


def run_wsgi(app: Any, done: Callable[[], object] = lambda: None) -> float:
    environs = [environ(i) for i in range(PATHS)]

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        return None

    start = time.process_time()
    for i in range(REQUESTS):
        for _ in app(environs[i % PATHS].copy(), start_response):
            pass
    done()
    return (time.process_time() - start) / REQUESTS * 1e6


def uvicorn_log() -> Any:
    """What uvicorn does for its access log: one formatted line to a file."""
    from uvicorn.logging import AccessFormatter

    logger = logging.getLogger("bench.uvicorn")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = logging.FileHandler("/dev/null")
    handler.setFormatter(
        AccessFormatter(
            fmt='%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s',
            use_colors=False,
        )
    )
    logger.handlers = [handler]
    from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await bare(scope, receive, send)
        logger.info(
            '%s - "%s %s HTTP/%s" %d',
            get_client_addr(scope),
            scope["method"],
            get_path_with_query_string(scope),
            scope["http_version"],
            200,
        )

    return app


def werkzeug_log() -> Any:
    """What werkzeug's development server does for each request: one formatted line."""
    logger = logging.getLogger("bench.werkzeug")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = logging.FileHandler("/dev/null")
    logger.handlers = [handler]
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

    def log(environ: Any, code: str) -> None:
        now = time.localtime()
        stamp = (
            f"{now.tm_mday:02}/{months[now.tm_mon - 1]}/{now.tm_year:04}"
            f" {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02}"
        )
        line = f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {environ['SERVER_PROTOCOL']}"
        line = line.translate({i: f"\\x{i:02x}" for i in range(32)})
        message = f'{environ["REMOTE_ADDR"]} - - [{stamp}] "%s" %s %s\n' % (line, code, "-")
        logger.info(message.rstrip())

    def app(environ: Any, start_response: Any) -> Any:
        body = bare_wsgi(environ, start_response)
        log(environ, "200")
        return body

    return app


def tracer_provider() -> Any:
    """OpenTelemetry's usual set-up: spans go to an exporter in batches; this one drops them."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Discard(SpanExporter):
        def export(self, spans: Any) -> Any:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Discard()))
    return provider


def peers_asgi() -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

        found["OpenTelemetry"] = OpenTelemetryMiddleware(bare, tracer_provider=tracer_provider())
    except ImportError:
        pass
    try:
        import sentry_sdk
        from sentry_sdk.integrations.asgi import SentryAsgiMiddleware

        # without its default integrations, or it would slow the log line that all is measured by
        sentry_sdk.init(dsn="", traces_sample_rate=0.0, default_integrations=False)
        found["Sentry"] = SentryAsgiMiddleware(bare)
    except ImportError:
        pass
    return found


def peers_wsgi() -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

        found["OpenTelemetry"] = OpenTelemetryMiddleware(
            bare_wsgi, tracer_provider=tracer_provider()
        )
    except ImportError:
        pass
    return found


def verdict(reached: bool) -> str:
    return "reached" if reached else "NOT reached"


def measure(
    kind: str, base: Any, log: Any, ours: Any, audit: FlowAudit, peers: dict[str, Any]
) -> None:
    run = run_asgi if kind == "ASGI" else run_wsgi
    apps: dict[str, Any] = {"bare": base, "log line": log, "flowaudit": ours, **peers}
    best = dict.fromkeys(apps, float("inf"))
    for _ in range(ROUNDS):
        for name, app in apps.items():
            done = audit.flush if name == "flowaudit" else (lambda: None)
            best[name] = min(best[name], run(app, done))
    added = {name: value - best["bare"] for name, value in best.items() if name != "bare"}
    ratio = added["flowaudit"] / added["log line"]
    print(f"{kind}: bare {best['bare']:.1f} µs a request; added CPU:")
    for name, value in added.items():
        print(f"  {name:<14} {value:8.1f} µs   {value / added['log line']:6.2f}× the log line")
    log_goal, otel_goal = GOALS[kind]
    print(f"  goal: at most {log_goal}× the log line: {verdict(ratio <= log_goal)}")
    if "OpenTelemetry" in added:
        reached = added["flowaudit"] * otel_goal <= added["OpenTelemetry"]
        print(f"  goal: at most 1/{otel_goal} of OpenTelemetry: {verdict(reached)}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        audit = FlowAudit(
            trail=Path(folder) / "bench.db", service="bench", session_cookie=["clinic_session"]
        )
        measure("ASGI", bare, uvicorn_log(), audit.asgi(bare), audit, peers_asgi())
        measure("WSGI", bare_wsgi, werkzeug_log(), audit.wsgi(bare_wsgi), audit, peers_wsgi())
        assert audit.counters["lost"] == 0, "events were lost: the figures are void"
        audit.close()


if __name__ == "__main__":
    sys.exit(main())
