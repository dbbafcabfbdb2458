"""What the app says reaches its own request, from wherever it says it, and nobody else's."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit
from flowaudit.errors import VaultError
from flowaudit.vault.tokens import Vault

from .asgi_driver import BODY, START, call, scope

Events = Callable[..., list[dict[str, Any]]]


def saying(say: Callable[[], object], start: dict[str, Any] = START) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        say()
        await send(start)
        await send(BODY)

    return app


def said(audit: FlowAudit, events: Events, say: Callable[[], object]) -> list[dict[str, Any]]:
    _, error = call(audit.asgi(saying(say)), scope())
    assert error is None
    audit.flush()
    return events()


def test_identify(audit: FlowAudit, events: Events) -> None:
    [event] = said(
        audit, events, lambda: flowaudit.identify("user:1", roles=["doctor"], via="user:2")
    )
    with Vault(audit.paths.vault) as vault:
        assert vault.identity(event["actor"]) == "user:1"
        assert vault.identity(event["via"]) == "user:2"
    assert event["roles"] == ["doctor"]
    assert event["actor_kind"] == "user"
    assert "user:1" not in str(event)


@pytest.mark.parametrize(
    ("say", "fields"),
    [
        (
            lambda: flowaudit.deny("not-my-patient"),
            {"outcome": "denied", "reason": "not-my-patient"},
        ),
        (lambda: flowaudit.hide(), {"outcome": "hidden", "reason": "hidden"}),
        (
            lambda: flowaudit.resource("record", 17, privileged=True, rows=3),
            {"resource": "record", "resource_id": "17", "privileged": True, "rows": 3},
        ),
        (lambda: flowaudit.step("booking", "pay"), {"flow": "booking", "step": "pay"}),
        (lambda: flowaudit.note(ward="B", beds=2), {"data": {"ward": "B", "beds": 2}}),
        (lambda: flowaudit.identify("svc", kind="service"), {"actor_kind": "service"}),
        (lambda: flowaudit.note(x=1.5, y=None, z=object), {}),
        (lambda: flowaudit.deny(None), {"outcome": "denied"}),  # type: ignore[arg-type]
        (lambda: flowaudit.identify(7), {"actor_kind": "user"}),  # type: ignore[arg-type]
    ],
)
def test_what_is_said_is_in_the_event(
    audit: FlowAudit, events: Events, say: Any, fields: dict[str, Any]
) -> None:
    [event] = said(audit, events, say)
    assert {key: event.get(key) for key in fields} == fields


@pytest.mark.parametrize("nobody", [None, ""])
def test_nobody_does_not_become_a_person(audit: FlowAudit, events: Events, nobody: Any) -> None:
    def say() -> None:
        flowaudit.identify(nobody, via=nobody)
        flowaudit.login(nobody)

    [event] = said(audit, events, say)
    assert "actor" not in event
    assert event["actor_kind"] == "anonymous"


def test_a_thread_started_with_the_context_reaches_its_request(
    audit: FlowAudit, events: Events
) -> None:
    def say() -> None:
        context = copy_context()
        worker = threading.Thread(target=context.run, args=(flowaudit.deny, "in-a-thread"))
        worker.start()
        worker.join(10)

    assert [event["reason"] for event in said(audit, events, say)] == ["in-a-thread"]


def test_a_sign_in_is_an_event_beside_the_request(
    make_audit: Callable[..., FlowAudit], events: Events
) -> None:
    audit = make_audit(session_cookie="sid")
    start = {**START, "headers": [(b"set-cookie", b"sid=new; Path=/; HttpOnly")]}
    one = scope(headers=[(b"cookie", b"a=b; sid=old"), (b"user-agent", b"x"), (b"accept", b"*/*")])
    app = audit.asgi(saying(lambda: flowaudit.login("user:1", name="ann@example.org"), start))
    call(app, one)
    later = scope(headers=[(b"cookie", b"sid=new")])
    call(audit.asgi(saying(lambda: flowaudit.logout())), later)
    audit.flush()
    [auth, request, logout, _] = events()
    with Vault(audit.paths.vault) as vault:
        new, old = vault.keyed_hash("session", "new"), vault.keyed_hash("session", "old")
        assert auth["login"] == vault.keyed_hash("login", "ann@example.org")
        assert auth["actor"] == request["actor"] == vault.find("user:1")
    assert (auth["kind"], auth["action"], auth["outcome"]) == ("auth", "login", "ok")
    assert auth["session"] == request["session"] == new
    assert auth["data"] == {"previous_session": old}
    assert (logout["action"], logout["session"]) == ("logout", new)
    assert "ann@" not in str(events())


def test_a_failed_sign_in_is_the_requests_outcome(audit: FlowAudit, events: Events) -> None:
    [auth, request] = said(audit, events, lambda: flowaudit.login_failed("ann", known=True))
    assert (auth["action"], auth["outcome"], auth["reason"]) == (
        "login-failed",
        "denied",
        "bad-credentials",
    )
    assert auth["data"] == {"login_known": True}
    assert "actor" not in auth
    assert (request["outcome"], request["reason"]) == ("denied", "bad-credentials")


@pytest.mark.parametrize(
    ("say", "outcome"),
    [
        pytest.param(lambda: flowaudit.logout(), "ok", id="sign-out"),
        pytest.param(lambda: flowaudit.record("auth", "reset", target="user:1"), "ok", id="reset"),
        pytest.param(lambda: flowaudit.note(ward="B"), "denied", id="anything-else"),
    ],
)
def test_a_sign_out_may_end_at_the_sign_in_page(
    make_audit: Callable[..., FlowAudit],
    events: Events,
    say: Callable[[], object],
    outcome: str,
) -> None:
    audit = make_audit(login_paths=["/login"])
    start = {**START, "status": 302, "headers": [(b"location", b"/login?next=/")]}
    call(audit.asgi(saying(say, start)), scope())
    audit.flush()
    assert [event["outcome"] for event in events("request")] == [outcome]


def test_another_kind_of_event_beside_the_request(audit: FlowAudit, events: Events) -> None:
    def say() -> None:
        flowaudit.identify("user:9")
        flowaudit.record("auth", "grant", target="user:2", role="admin")
        flowaudit.record("ops", "deploy", version="2")
        flowaudit.record("nonsense", "x")
        flowaudit.record("auth", "nonsense")

    [grant, deploy, _] = said(audit, events, say)
    with Vault(audit.paths.vault) as vault:
        assert grant["data"] == {"target": vault.find("user:2"), "role": "admin"}
    assert deploy["facts"] == {"version": "2"}


def test_an_account_concerned_is_never_named(
    audit: FlowAudit, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit.record("auth", "grant", target="user:plain", role="admin")
    with Vault(audit.paths.vault) as vault:
        token = vault.find("user:plain")

    def fail(*_: Any) -> str:
        raise VaultError("busy")

    monkeypatch.setattr(audit._vault, "ask", fail)
    say = lambda: flowaudit.record("auth", "grant", target="user:2", role="admin")  # noqa: E731
    outside, inside, _ = said(audit, events, say)
    assert outside["data"] == {"target": token, "role": "admin"}
    assert inside["data"] == {"role": "admin"}


def test_outside_a_request_nothing_happens(audit: FlowAudit) -> None:
    flowaudit.identify("x")
    flowaudit.deny("x")
    flowaudit.hide()
    flowaudit.note(a=1)
    flowaudit.login("x")
    flowaudit.login_failed("x")
    flowaudit.logout()
    flowaudit.resource("x")
    flowaudit.step("a", "b")
    flowaudit.record("ops", "deploy")
    assert not audit.paths.trail.exists()


def test_threads_and_tasks_reach_their_request(audit: FlowAudit, events: Events) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def task() -> None:
            flowaudit.note(task=scope["path"])

        await asyncio.gather(task(), asyncio.to_thread(flowaudit.note, thread=scope["path"]))
        context = copy_context()
        worker = threading.Thread(target=context.run, args=(lambda: flowaudit.note(plain=1),))
        worker.start()
        worker.join(10)
        await send(START)
        await send(BODY)

    async def go() -> None:
        wrapped = audit.asgi(app)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            await asyncio.sleep(0)

        await asyncio.gather(*(wrapped(scope(path=f"/p/{i}"), receive, send) for i in range(30)))

    asyncio.run(go())
    audit.flush()
    found = {event["path"]: event["data"] for event in events()}
    assert found == {
        f"/p/{i}": {"task": f"/p/{i}", "thread": f"/p/{i}", "plain": 1} for i in range(30)
    }


def test_a_job_is_an_event_and_so_is_what_happens_in_it(audit: FlowAudit, events: Events) -> None:
    with audit.job("nightly-report", actor="service:cron"):
        flowaudit.note(rows=5)
        flowaudit.record("ops", "manual", what="x")
    with pytest.raises(ZeroDivisionError), audit.job("broken"):
        raise ZeroDivisionError
    audit.flush()
    [manual, job, broken] = events()
    assert (job["kind"], job["route"], job["data"]) == ("note", "job:nightly-report", {"rows": 5})
    assert job["actor_kind"] == "service"
    assert manual["actor"] == job["actor"]
    assert (broken["outcome"], broken["reason"]) == ("error", "ZeroDivisionError")


def test_record_outside_requests_refuses_what_the_schema_does_not_have(
    audit: FlowAudit, events: Events
) -> None:
    audit.record("ops", "deploy", version="2")
    with pytest.raises(ValueError, match="schema 1"):
        audit.record("ops", "deplyo")
    audit.flush()
    assert [event["facts"] for event in events()] == [{"version": "2"}]


def test_the_clock_setting_dates_events(
    make_audit: Callable[..., FlowAudit], events: Events
) -> None:
    audit = make_audit(clock=lambda: 1_000_000_000.25)
    call(audit.asgi(saying(lambda: None)), scope())
    audit.flush()
    assert [event["ts"] for event in events()] == [1_000_000_000_250_000]
