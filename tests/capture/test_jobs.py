"""Jobs, and what travels to them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.responses import Response

import flowaudit
from flowaudit import Actor, FlowAudit
from flowaudit.vault.tokens import Vault

from .asgi_driver import BODY, START, call, scope

Events = Callable[..., list[dict[str, Any]]]
HEADERS = [
    (b"x-request-id", b"req-1"),
    (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
]


def test_a_job_is_done_in_the_name_of_its_order(audit: FlowAudit, events: Events) -> None:
    taken: list[dict[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.identify("user:ann", roles=["a", "b"], kind="agent", via="user:root")
        taken.append(audit.carry())
        await send(START)
        await send(BODY)

    call(audit.asgi(app), scope(headers=HEADERS))
    [carried] = taken
    assert "ann" not in str(carried)
    assert all(isinstance(value, str) for value in carried.values())
    with audit.job("work", carried=carried):
        again = audit.carry()
    audit.flush()
    request, job = events()
    for name in ("actor", "actor_kind", "roles", "via", "request", "trace"):
        assert job[name] == request[name], name
    assert again == carried
    assert (job["kind"], job["route"], job.get("nav")) == ("note", "job:work", None)


@pytest.mark.parametrize(
    "carried",
    [
        None,
        {},
        {"actor": "user:mallory"},
        {"actor": 7, "roles": None, "trace": [], "via": b"x"},
        {"actor": "A" * 52, "trace": "zz", "request": "\n", "kind": "king"},
        "text",
    ],
)
def test_what_is_not_fit_is_not_taken(audit: FlowAudit, events: Events, carried: Any) -> None:
    with audit.job("work", carried=carried):
        pass
    audit.flush()
    [job] = events()
    assert not {"actor", "via", "roles", "trace", "request"} & set(job)
    assert job["actor_kind"] == "anonymous"
    assert audit.counters["capture_failed"] == 0


def test_an_actor_that_is_named_goes_before_what_was_carried(
    audit: FlowAudit, events: Events
) -> None:
    with audit.job("order", actor="user:ann"):
        carried = audit.carry()
    with audit.job("work", actor="service:cron", carried=carried):
        pass
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert vault.identity(events()[1]["actor"]) == "service:cron"
    assert events()[1]["actor_kind"] == "service"


def test_a_services_kind_travels(audit: FlowAudit, events: Events) -> None:
    with audit.job("order", actor="service:billing"), audit.job("work", carried=audit.carry()):
        pass
    audit.flush()
    assert [event["actor_kind"] for event in events()] == ["service", "service"]


def test_a_job_decorates_a_function(audit: FlowAudit, events: Events) -> None:
    @audit.job("nightly", actor="service:cron")
    def work() -> int:
        flowaudit.resource("report", 11)
        return 3

    assert (work(), work()) == (3, 3)
    audit.flush()
    assert [event["resource_id"] for event in events("note")] == ["11", "11"]


def test_outside_nothing_is_carried(audit: FlowAudit) -> None:
    assert audit.carry() == {}


def test_nothing_is_carried_if_the_vault_cannot_answer(
    audit: FlowAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(identity: str) -> str:
        raise RuntimeError("ours")

    monkeypatch.setattr(audit._vault, "token", fail)
    with audit.job("order", actor="user:ann"):
        assert audit.carry() == {}
    assert audit.counters["capture_failed"] >= 1


@pytest.mark.parametrize(
    ("actor", "roles", "expected"),
    [
        (Actor("user:ann", ["a"], "agent", "user:root"), (), (["a"], "agent", True)),
        (Actor("user:ann"), ["b"], (None, "user", False)),
        (Actor(7), (), (None, "user", False)),  # type: ignore[arg-type]
    ],
    ids=["whole", "identity", "a-rows-key"],
)
def test_a_jobs_actor_may_be_told_as_adapters_are_told(
    audit: FlowAudit, events: Events, actor: Actor, roles: Any, expected: Any
) -> None:
    with audit.job("work", actor=actor, roles=roles):
        pass
    audit.flush()
    [job] = events()
    assert job["actor"]
    assert (job.get("roles"), job["actor_kind"], "via" in job) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, ("user:ann", ["a"], "agent", "user:root")),
        ({"carried": None}, ("user:ann", ["a"], "agent", "user:root")),
        ({"actor": "service:cron"}, ("service:cron", None, "service", None)),
        ({"actor": Actor("user:bob", ["b"])}, ("user:bob", ["b"], "user", None)),
        ({"carried": {}}, (None, None, "anonymous", None)),
    ],
    ids=["inherited", "carried-none", "named", "actor", "nobody"],
)
@pytest.mark.parametrize("is_request", [False, True], ids=["in-a-job", "in-a-request"])
def test_a_job_inside_is_done_for_whoever_acts_there(
    audit: FlowAudit, events: Events, told: dict[str, Any], expected: Any, is_request: bool
) -> None:
    def work() -> None:
        flowaudit.identify("user:ann", roles=["a"], kind="agent", via="user:root")
        with audit.job("inner", **told):
            flowaudit.note(inner=1)
        flowaudit.note(outer=1)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        work()
        await send(START)
        await send(BODY)

    if is_request:
        call(audit.asgi(app), scope(headers=HEADERS))
    else:
        with audit.job("outer"):
            work()
    audit.flush()
    inner, outer = events()
    with Vault(audit.paths.vault) as vault:
        who = [vault.identity(inner[name]) if name in inner else None for name in ("actor", "via")]
    assert (who[0], inner.get("roles"), inner["actor_kind"], who[1]) == expected
    assert (inner["data"], outer["data"]) == ({"inner": 1}, {"outer": 1})
    is_of_the_order = is_request and told.get("carried") is None
    assert inner.get("request") == ("req-1" if is_of_the_order else None)
    assert inner.get("trace") == ("a" * 32 if is_of_the_order else None)


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "in-a-thread"])
def test_a_background_task_is_done_for_whoever_asked(
    audit: FlowAudit, events: Events, is_async: bool
) -> None:
    def mail() -> None:
        with audit.job("mail"):
            flowaudit.note(letters=1)

    async def mail_async() -> None:
        mail()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.identify("user:ann")
        task = BackgroundTask(mail_async if is_async else mail)
        await Response(background=task)(scope, receive, send)

    call(audit.asgi(app), scope(headers=HEADERS))
    audit.flush()
    request, job = events()
    assert job["data"] == {"letters": 1}
    assert (job["actor"], job["request"]) == (request["actor"], request["request"])


def test_a_job_decorates_a_coroutine_function_to_its_end(audit: FlowAudit, events: Events) -> None:
    @audit.job("nightly", actor="service:cron")
    async def work(fails: bool) -> int:
        await asyncio.sleep(0.01)
        flowaudit.resource("report", "7")
        if fails:
            raise PermissionError("no")
        return 7

    async def both() -> list[int | BaseException]:
        return await asyncio.gather(work(False), work(True), return_exceptions=True)

    done, refused = asyncio.run(both())
    assert done == 7
    assert isinstance(refused, PermissionError)
    audit.flush()
    told = [(one["outcome"], one["resource_id"], one["duration_us"] > 9_000) for one in events()]
    assert sorted(told) == [("denied", "7", True), ("ok", "7", True)]


def test_a_generator_is_no_job(audit: FlowAudit) -> None:
    def lazy() -> Iterator[int]:
        yield 1

    async def lazier() -> AsyncIterator[int]:
        yield 1

    for work in (lazy, lazier):
        with pytest.raises(TypeError, match="is a generator"):
            audit.job("work")(work)
