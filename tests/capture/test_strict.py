"""Strict requests: durable before they run, and before they are answered."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit
from flowaudit.capture import strict
from flowaudit.trail.reader import TrailReader

Events = Callable[..., list[dict[str, Any]]]
Answer = tuple[int, bytes]

POLICY = """
[[policy]]
methods = ["POST"]
path = "/orders/**"
level = "meta"
durability = "strict"
"""


@pytest.fixture
def audit(make_audit: Callable[..., FlowAudit], tmp_path: Path) -> FlowAudit:
    policy = tmp_path / "flowaudit.toml"
    policy.write_text(POLICY)
    return make_audit(policy=policy)


class App:
    """An app that looks into the trail's file when it runs, and after its answer has begun."""

    def __init__(self, audit: FlowAudit, *, status: int = 201, error: Exception | None = None):
        self.audit, self.status, self.error = audit, status, error
        self.when_run: list[str] = []
        self.when_begun: list[str] = []

    def durable(self) -> list[str]:
        """What a power cut would leave of this source, by another connection."""
        if not self.audit.paths.trail.exists():
            return []
        with TrailReader(self.audit.paths.trail) as reader:
            return [name for entry in reader.entries() if (name := _name(entry.core))]

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        self.when_run = self.durable()
        flowaudit.identify("user:1")
        if self.error is not None:
            raise self.error
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        self.when_begun = self.durable()
        await send({"type": "http.response.body", "body": b"hello"})

    def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        self.when_run = self.durable()
        flowaudit.identify("user:1")
        if self.error is not None:
            raise self.error
        start_response(f"{self.status} X", [("Content-Length", "5")])
        self.when_begun = self.durable()
        return [b"hello"]


def _name(core: bytes) -> str | None:
    if b'"kind":"request"' not in core:
        return None
    for action in ("received", "finished"):
        if f'"action":"{action}"'.encode() in core:
            return action
    return "request"


def ask_asgi(app: App, method: str, path: str) -> Answer:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(b"x-request-id", b"order-17")],
        "client": ("10.0.0.1", 5),
    }
    asyncio.run(app.audit.asgi(app.asgi)(scope, receive, send))
    [start, *rest] = sent
    return start["status"], b"".join(message.get("body", b"") for message in rest)


def ask_wsgi(app: App, method: str, path: str) -> Answer:
    statuses: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        statuses.append(status)
        return lambda data: None

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "REMOTE_ADDR": "10.0.0.1",
        "HTTP_X_REQUEST_ID": "order-17",
    }
    body = app.audit.wsgi(app.wsgi)(environ, start_response)
    whole = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return int(statuses[-1][:3]), whole


BOTH = pytest.mark.parametrize("ask", [ask_asgi, ask_wsgi], ids=["asgi", "wsgi"])
Ask = Callable[[App, str, str], Answer]


@BOTH
def test_a_strict_request_is_durable_at_both_moments(
    audit: FlowAudit, events: Events, holds: Callable[[], None], ask: Ask
) -> None:
    app = App(audit)
    assert ask(app, "POST", "/orders/17") == (201, b"hello")
    assert app.when_run == ["received"]
    assert app.when_begun == ["received", "request"]
    audit.flush()
    received, request, finished = events("request")
    assert [one.get("action") for one in (received, request, finished)] == [
        "received",
        None,
        "finished",
    ]
    assert request["of"] == finished["of"] == received["n"]
    assert "actor" not in received
    assert (request["status"], request["outcome"]) == (201, "ok")
    assert request["actor_kind"] == "user"
    assert (finished["bytes_out"], finished["outcome"]) == (5, "ok")
    assert received["path"] == request["path"] == "/orders/17"
    assert received["request"] == request["request"] == "order-17"
    holds()


@BOTH
def test_others_stay_relaxed(audit: FlowAudit, events: Events, ask: Ask) -> None:
    app = App(audit, status=200)
    assert ask(app, "GET", "/orders/17") == (200, b"hello")
    audit.flush()
    [event] = events("request")
    assert "of" not in event
    assert "action" not in event


@BOTH
def test_an_error_of_the_app_is_durable_before_the_server_answers_it(
    audit: FlowAudit, ask: Ask
) -> None:
    app = App(audit, error=RuntimeError("boom"))
    with pytest.raises(RuntimeError, match="boom"):
        ask(app, "POST", "/orders/17")
    assert app.durable()[:2] == ["received", "request"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The trail's file taken by another program."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


@BOTH
def test_what_cannot_be_intended_is_not_done(
    audit: FlowAudit, events: Events, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(App(audit), "GET", "/")  # the trail is there
    audit.flush()
    monkeypatch.setattr("flowaudit.capture.asgi_strict.WAIT_S", 0.3)
    monkeypatch.setattr("flowaudit.capture.strict_intake.WAIT_S", 0.3)
    app = App(audit)
    with locked(audit.paths.trail):
        status, body = ask(app, "POST", "/orders/17")
    assert (status, body) == (503, strict.NOT_DONE.body)
    assert app.when_run == []
    assert audit.flush(30)
    request, finished = events("request")[-2:]
    assert (request["status"], request["outcome"]) == (503, "error")
    assert finished["action"] == "finished"


@BOTH
def test_an_outcome_that_cannot_be_told_is_withheld(
    audit: FlowAudit, events: Events, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowaudit.capture.asgi_strict.WAIT_S", 0.3)
    monkeypatch.setattr("flowaudit.capture.strict_intake.WAIT_S", 0.3)
    app = App(audit)
    with ExitStack() as meanwhile:
        once = iter([locked(audit.paths.trail)])  # when the app runs, and for the rest of the test
        monkeypatch.setattr(app, "durable", lambda: [meanwhile.enter_context(it) for it in once])
        status, body = ask(app, "POST", "/orders/17")
    assert (status, body) == (500, strict.NOT_TOLD.body)
    assert audit.flush(30)
    received, request, finished = events("request")
    assert (request["status"], finished["status"], finished["outcome"]) == (201, 500, "error")
    assert request["of"] == finished["of"] == received["n"]


def test_many_at_once_share_their_commits(audit: FlowAudit, events: Events) -> None:
    app = App(audit)
    app.durable = lambda: []  # type: ignore[method-assign]
    wrapped = audit.asgi(app.asgi)

    async def one(i: int) -> int:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        path = f"/orders/{i}"
        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        await wrapped(scope, receive, send)
        return int(sent[0]["status"])

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(one(i) for i in range(200)))

    assert asyncio.run(all_of_them()) == [201] * 200
    audit.flush()
    by_action: dict[Any, set[int]] = {}
    for event in events("request"):
        by_action.setdefault(event.get("action"), set()).add(event.get("of") or event["n"])
    assert by_action["received"] == by_action[None] == by_action["finished"]
    assert len(by_action[None]) == 200
