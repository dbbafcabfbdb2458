"""A wrapper over ASGI in its place: first and last request, inside others, faults of ours."""

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flowaudit
from flowaudit import FlowAudit
from flowaudit.testing import recorded_events

from .asgi_driver import BODY, START, Events, Message, answering, call, scope


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_first_request_of_a_process_makes_no_file_in_the_event_loop(
    audit: FlowAudit, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    made_by, mkdir = [], os.mkdir

    def watched(*args: Any, **options: Any) -> None:
        made_by.append(threading.get_ident())
        mkdir(*args, **options)

    monkeypatch.setattr(os, "mkdir", watched)
    call(audit.asgi(answering(START, BODY)), scope(type=kind))
    assert len(made_by) == 1
    assert made_by != [threading.get_ident()]


def test_what_the_policy_leaves_out_is_not_lost(
    make_audit: Callable[..., FlowAudit], tmp_path: Any, events: Events, holds: Callable[[], None]
) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text("[[policy]]\npath = '/static/**'\nlevel = 'none'\n")
    audit = make_audit(policy=policy)
    app = audit.asgi(answering(START, BODY))
    for path in ("/static/a.css", "/x", "/static/b.css"):
        call(app, scope(path=path))
    audit.close()
    assert [event["path"] for event in events()] == ["/x"]
    holds()


def test_an_inner_wrapper_only_enriches(audit: FlowAudit, events: Events) -> None:
    call(audit.asgi(audit.asgi(answering(START, BODY))), scope())
    audit.flush()
    assert len(events()) == 1


def test_a_request_inside_a_request_is_a_request_of_its_own(
    audit: FlowAudit, events: Events
) -> None:
    inner = audit.asgi(answering(START, BODY))

    async def app(outer: Any, receive: Any, send: Any) -> None:
        async def drop(message: Message) -> None:
            return None

        await inner(scope(path="/inner"), receive, drop)
        flowaudit.deny("outer")
        await send(START)
        await send(BODY)

    call(audit.asgi(app), scope(path="/outer"))
    audit.flush()
    assert [(e["path"], e["outcome"]) for e in events()] == [("/inner", "ok"), ("/outer", "denied")]


def test_lifespan_closes_the_source_and_a_later_request_begins_another(
    audit: FlowAudit, events: Events
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send(START)
            await send(BODY)

    wrapped = audit.asgi(app)
    call(wrapped, scope())
    sent, _ = call(wrapped, {"type": "lifespan"})
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert [event["action"] for event in events("process")] == ["start", "stop"]
    call(wrapped, scope())
    audit.flush()
    assert len(events()) == 2


def test_a_lifespan_that_the_app_does_not_know_fails_as_without_us(audit: FlowAudit) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"

    assert isinstance(call(audit.asgi(app), {"type": "lifespan"})[1], AssertionError)


raw = st.binary(max_size=40)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    method=st.text(max_size=30),
    raw_path=raw,
    query=raw,
    names=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"host",
                    b"user-agent",
                    b"accept",
                    b"cookie",
                    b"referer",
                    b"x-request-id",
                    b"traceparent",
                    b"x-forwarded-for",
                    b"origin",
                    b"purpose",
                    b"x-original-url",
                    b"x-http-method-override",
                    b"content-length",
                ]
            )
            | raw,
            raw,
        ),
        max_size=12,
    ),
    status=st.integers(100, 999),
)
def test_any_request_gives_one_event_and_no_fault_of_ours(
    audit: FlowAudit,
    method: str,
    raw_path: bytes,
    query: bytes,
    names: list[tuple[bytes, bytes]],
    status: int,
) -> None:
    counted = audit._recorder
    before = counted.live.last_n if counted.live else 1
    one = scope(method=method, raw_path=raw_path, query_string=query, headers=names)
    sent, error = call(audit.asgi(answering({**START, "status": status}, BODY)), one)
    assert error is None
    assert len(sent) == 2
    assert counted.live is not None
    assert counted.live.last_n == before + 1
    assert audit.counters == {"lost": 0, "commit_failed": 0, "capture_failed": 0}


def test_a_fault_of_ours_is_counted_and_the_app_does_not_notice(
    audit: FlowAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("ours")

    class Broken:
        count_received = put = fail
        lost = 0

        def lose(self, finishes: bool) -> None:
            pass

    monkeypatch.setattr(audit._recorder, "live", Broken())
    sent, error = call(audit.asgi(answering(START, BODY)), scope())
    assert error is None
    assert sent == [START, BODY]
    assert audit.counters["capture_failed"] == 2


def test_an_event_that_cannot_be_made_is_told_as_a_gap(
    audit: FlowAudit, events: Events, holds: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = audit._composer._request

    def fail(facts: Any, *others: Any) -> Any:
        if facts.target.raw == "/bad":
            raise RuntimeError("ours")
        return real(facts, *others)

    monkeypatch.setattr(audit._composer, "_request", fail)
    app = audit.asgi(answering(START, BODY))
    for path in ("/a", "/bad", "/b"):
        call(app, scope(path=path))
        audit.flush()
    audit.close()
    assert [(e["kind"], e.get("path")) for e in events()] == [
        ("request", "/a"),
        ("gap", None),
        ("request", "/b"),
    ]
    assert events("gap")[0]["facts"]["count"] == 1
    holds()


def test_a_vault_that_cannot_answer_leaves_the_actor_out_and_says_so(
    audit: FlowAudit, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowaudit.errors import VaultError

    def fail(*_: Any) -> str:
        raise VaultError("busy")

    monkeypatch.setattr(audit._vault, "ask", fail)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.identify("user:1")
        await send(START)
        await send(BODY)

    call(audit.asgi(app), scope())
    audit.flush()
    [event] = events()
    assert "actor" not in event
    assert event["flags"] == ["identity-unavailable"]


def test_a_function_of_the_apps_own_tells_the_route(audit: FlowAudit, events: Events) -> None:
    def enrich(scope: dict[str, Any], facts: Any) -> None:
        facts.route = "/p/{id}" if facts.status == 200 else None
        facts.resource, facts.resource_id = "p", scope["path"].removeprefix("/p/")

    call(audit.asgi(answering(START, BODY), enrich=enrich), scope())
    audit.flush()
    (event,) = events()
    assert (event["route"], event["resource"], event["resource_id"]) == ("/p/{id}", "p", "1")


def test_audits_of_two_trails_both_record(audit: FlowAudit, events: Events, tmp_path: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.identify("user:1")
        await send(START)
        await send(BODY)

    def route(scope: Any, facts: Any) -> None:
        facts.route = "/p/{id}"

    other = FlowAudit(trail=tmp_path / "other.db")
    try:
        _, error = call(audit.asgi(other.asgi(app, enrich=route)), scope())
        assert error is None
        other.flush()
        audit.flush()
        [inner] = recorded_events(other)
        [outer] = events()
    finally:
        other.close()
    assert inner["route"] == outer["route"] == "/p/{id}"
    assert "actor" in inner
    assert "actor" not in outer


def test_two_audits_of_one_trail_record_a_request_once(audit: FlowAudit, events: Events) -> None:
    other = FlowAudit(trail=os.path.relpath(audit.paths.trail))
    try:
        call(audit.asgi(other.asgi(answering(START, BODY))), scope())
    finally:
        other.close()
    audit.flush()
    assert len(events()) == 1


@pytest.mark.parametrize("depth", [1, 2])
def test_a_trail_further_out_records_a_request_once(
    audit: FlowAudit, events: Events, tmp_path: Any, depth: int
) -> None:
    others = [FlowAudit(trail=tmp_path / f"other{i}.db") for i in range(depth)]
    app = audit.asgi(answering(START, BODY))
    for other in others:
        app = other.asgi(app)
    try:
        call(audit.asgi(app), scope())
        assert [len(recorded_events(other)) for other in others] == [1] * depth
    finally:
        for other in others:
            other.close()
    audit.flush()
    assert len(events()) == 1
