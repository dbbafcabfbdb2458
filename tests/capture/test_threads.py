"""Which threads reach the request that started them, and the documented way for the others."""

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from starlette.concurrency import run_in_threadpool

import flowaudit
from flowaudit import FlowAudit

from .asgi_driver import BODY, START, call, scope

Events = Callable[..., list[dict[str, Any]]]
Work = Callable[[int], None]

INHERITS = bool(getattr(sys.flags, "thread_inherit_context", 0))
"""Whether this Python hands its context to every thread: by default none before 3.14 does."""


def run(thread: threading.Thread) -> None:
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


async def bare_thread(work: Work, pool: ThreadPoolExecutor) -> None:
    run(threading.Thread(target=work, args=(1,)))


async def thread_in_context(work: Work, pool: ThreadPoolExecutor) -> None:
    run(threading.Thread(target=copy_context().run, args=(work, 1)))


async def bare_submit(work: Work, pool: ThreadPoolExecutor) -> None:
    pool.submit(work, 1).result(10)


async def submit_in_context(work: Work, pool: ThreadPoolExecutor) -> None:
    for future in [pool.submit(copy_context().run, work, number) for number in (1, 2, 3)]:
        future.result(10)


async def bare_executor_of_the_loop(work: Work, pool: ThreadPoolExecutor) -> None:
    await asyncio.get_running_loop().run_in_executor(pool, work, 1)


async def executor_of_the_loop_in_context(work: Work, pool: ThreadPoolExecutor) -> None:
    await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, work, 1)


async def to_thread(work: Work, pool: ThreadPoolExecutor) -> None:
    await asyncio.to_thread(work, 1)


async def thread_pool_of_starlette(work: Work, pool: ThreadPoolExecutor) -> None:
    await run_in_threadpool(work, 1)


async def task(work: Work, pool: ThreadPoolExecutor) -> None:
    async def later() -> None:
        work(1)

    await asyncio.create_task(later())


@pytest.mark.parametrize(
    ("start", "is_reached"),
    [
        (task, True),
        (to_thread, True),
        (thread_pool_of_starlette, True),
        (thread_in_context, True),
        (submit_in_context, True),
        (executor_of_the_loop_in_context, True),
        (bare_thread, INHERITS),
        (bare_submit, False),
        (bare_executor_of_the_loop, False),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_a_thread_says_belongs_to_its_request_if_its_context_does(
    audit: FlowAudit, events: Events, start: Any, is_reached: bool
) -> None:
    lines: list[dict[str, Any]] = []

    def work(number: int) -> None:
        flowaudit.note(**{f"n{number}": number})
        lines.append(dict(audit.log_fields(None, "info", {})))

    with ThreadPoolExecutor(2) as pool:
        # its threads are there already, of nobody's request: none may be taken for one's own
        for future in [pool.submit(threading.get_ident) for _ in range(2)]:
            future.result(10)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            flowaudit.identify("user:ann")
            await start(work, pool)
            await send(START)
            await send(BODY)

        call(audit.asgi(app), scope(headers=[(b"x-request-id", b"req-1")]))
        audit.flush()
        pool.submit(work, 9).result(10)  # the request is over, and nothing of it is left behind
    [event] = events()
    numbers = [1, 2, 3] if start is submit_in_context else [1]
    assert event.get("data", {}) == ({f"n{n}": n for n in numbers} if is_reached else {})
    assert [line.get("request") for line in lines[:-1]] == [
        "req-1" if is_reached else None for _ in numbers
    ]
    assert lines[-1] == {}
    assert audit.counters["capture_failed"] == 0


def test_the_example_of_the_docs_reaches_its_job(audit: FlowAudit, events: Events) -> None:
    page = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text("utf-8")
    code = page.split("## Threads", 1)[1].split("```python\n", 1)[1].split("```", 1)[0]
    names: dict[str, Any] = {}
    exec(compile(code, "jobs.md", "exec"), names)
    with audit.job("order"):
        names["in_the_background"](lambda item: flowaudit.note(**{item: True}), ["a", "b", "c"])
    audit.flush()
    assert events()[0]["data"] == {"a": True, "b": True, "c": True}


def test_a_job_in_a_thread_is_of_its_order_in_either_way(audit: FlowAudit, events: Events) -> None:
    def work(name: str, **carried: Any) -> None:
        with audit.job(name, **carried):
            pass

    with ThreadPoolExecutor(1) as pool, audit.job("order", actor="user:ann"):
        pool.submit(copy_context().run, work, "in-context").result(10)
        pool.submit(work, "carried", carried=audit.carry()).result(10)
        pool.submit(work, "bare").result(10)
    audit.flush()
    found = {event["route"]: event for event in events()}
    assert found["job:in-context"]["actor"] == found["job:order"]["actor"]
    assert found["job:carried"]["actor"] == found["job:order"]["actor"]
    assert "actor" not in found["job:bare"]
