"""The app's log lines lead to their events."""

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import structlog

import flowaudit
from flowaudit import FlowAudit
from flowaudit.vault.tokens import Vault

from .asgi_driver import BODY, START, call, scope

Events = Callable[..., list[dict[str, Any]]]
HEADERS = [
    (b"user-agent", b"test"),
    (b"x-request-id", b"req-1"),
    (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
]


def logger_of(audit: FlowAudit, lines: io.StringIO) -> Any:
    return structlog.wrap_logger(
        structlog.PrintLogger(lines),
        processors=[audit.log_fields, structlog.processors.JSONRenderer()],
    )


def test_a_line_has_the_fields_of_its_event(audit: FlowAudit, events: Events) -> None:
    lines = io.StringIO()
    logger = logger_of(audit, lines)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.identify("user:ann")
        logger.info("seen", route="/own")
        await send(START)
        await send(BODY)

    for _ in range(2):
        call(audit.asgi(app), scope(headers=HEADERS))
    logger.info("outside")
    audit.flush()
    first, second, outside = map(json.loads, lines.getvalue().splitlines())
    event = events()[1]
    # the first time the person is met, an event loop does not wait for the vault
    assert "actor" not in first
    assert second == {
        "event": "seen",
        "route": "/own",
        **{name: event[name] for name in ("actor", "request", "source", "trace")},
    }
    assert outside == {"event": "outside"}
    assert "ann" not in lines.getvalue()


def test_the_session_of_a_named_cookie_is_there(
    make_audit: Callable[..., FlowAudit], events: Events
) -> None:
    audit, lines = make_audit(session_cookie=["sid"]), io.StringIO()
    logger = logger_of(audit, lines)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        logger.info("seen")
        await send(START)
        await send(BODY)

    for _ in range(2):  # the key of the hash is loaded for the first event
        call(audit.asgi(app), scope(headers=[(b"cookie", b"lang=en; sid=0123456789")]))
    audit.flush()
    session = events()[1]["session"]
    assert json.loads(lines.getvalue().splitlines()[1])["session"] == session
    assert "0123456789" not in lines.getvalue()


def test_outside_an_event_loop_a_new_actor_is_known_at_once(audit: FlowAudit) -> None:
    lines = io.StringIO()
    logger = logger_of(audit, lines)
    with audit.job("nightly", actor="service:cron"):
        logger.info("working")
    with Vault(audit.paths.vault) as vault:
        assert json.loads(lines.getvalue())["actor"] == vault.find("service:cron")


def test_a_fault_of_ours_does_not_reach_the_line(
    audit: FlowAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = io.StringIO()
    monkeypatch.setattr("flowaudit.capture.audit.add_request_fields", None)
    logger_of(audit, lines).info("still here")
    assert json.loads(lines.getvalue()) == {"event": "still here"}
    assert audit.counters["capture_failed"] == 1


@pytest.mark.parametrize(("part", "has_path"), [("core", False), ("whole", True)])
def test_committed_events_are_printed(
    make_audit: Callable[..., FlowAudit],
    events: Events,
    capsys: pytest.CaptureFixture[str],
    part: str,
    has_path: bool,
) -> None:
    audit = make_audit(emit=part)
    call(audit.asgi(lambda s, r, send: _answer(send)), scope())
    audit.close()
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [(line["event"], line.get("action")) for line in printed]
    assert kinds == [("process", "start"), ("request", None), ("process", "stop")]
    [event] = events()
    if has_path:
        assert printed[1] == {"logger": "flowaudit", "event": "request", **event}
    else:
        assert "path" not in printed[1]
        assert printed[1]["seq"] == event["seq"]


async def _answer(send: Any) -> None:
    await send(START)
    await send(BODY)
    await asyncio.sleep(0)


def test_a_closed_pipe_costs_lines_only(
    make_audit: Callable[..., FlowAudit], events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stdout", closed)
    audit = make_audit(emit="core")
    call(audit.asgi(lambda s, r, send: _answer(send)), scope())
    audit.close()
    assert len(events()) == 1
    assert audit.counters["commit_failed"] == 0


def test_a_request_without_an_id_gets_one_with_its_first_line(
    audit: FlowAudit, events: Events
) -> None:
    lines: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        lines.extend(dict(audit.log_fields(None, "info", {})) for _ in range(2))
        await send(START)
        await send(BODY)

    for _ in range(2):
        call(audit.asgi(app), scope())
    audit.flush()
    first, again, second, _ = (line["request"] for line in lines)
    assert first == again != second
    assert [one["request"] for one in events()] == [first, second]
