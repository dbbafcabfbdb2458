"""The same actions give the same events, whichever framework the app is written in."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowaudit.policy.classify import CLIENT_LEFT

from .build import BUILDS
from .conftest import Running
from .differences import DIFFERENCES, Difference, expected_on, table, without_pages
from .drivers import Answer, Call, asgi_call
from .scenarios import SCENARIOS

Running_ = Callable[..., Running]

PAGE_OF_ADAPTERS = Path(__file__).parents[3] / "docs" / "adapters.md"
AT_ONCE = 12

pytestmark = pytest.mark.filterwarnings(
    # Django itself warns when its own view of a file is served under ASGI
    "ignore:StreamingHttpResponse must consume synchronous"
)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("name", BUILDS)
def test_a_scenario_gives_the_same_events_everywhere(
    running: Running_, name: str, scenario: str
) -> None:
    app = running(name, SCENARIOS[scenario].settings)
    answers = app.run(SCENARIOS[scenario].calls)
    expected, found = without_pages(expected_on(name, scenario), app.events())
    assert found == expected
    assert [answer.status for answer in answers] == [
        None if answer.status is None and nobody_heard(answer, event) else event["status"]
        for answer, event in zip(answers, _requests(found, answers), strict=True)
    ]
    assert app.audit.counters == {"lost": 0, "commit_failed": 0, "capture_failed": 0}


def nobody_heard(answer: Answer, event: dict[str, Any]) -> bool:
    """Whether there is no status but the event's: the server makes it, or the client has left."""
    return answer.error is not None or event["status"] == CLIENT_LEFT


def _requests(events: list[dict[str, Any]], answers: list[Answer]) -> list[dict[str, Any]]:
    """The request that each answer belongs to; of a websocket only a refusal has a status."""
    found = [event for event in events if event["kind"] == "request"]
    return found or [{"status": answer.status} for answer in answers]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda each: each.what)
def test_a_declared_difference_is_one(difference: Difference) -> None:
    """Together with the scenarios: what a build does is what is declared, and not what is usual."""
    assert difference.builds
    assert set(difference.builds) <= set(BUILDS)
    for build in difference.builds:
        changed = [
            expected_on(build, name) != expected_on(build, name, without=difference)
            for name in difference.scenarios
        ]
        assert any(changed)
        assert all(changed) or len(changed) == len(SCENARIOS)


def test_the_page_has_the_declared_differences() -> None:
    assert "\n".join(["", *table(), ""]) in PAGE_OF_ADAPTERS.read_text("utf-8")


@pytest.mark.parametrize(
    "scenario", ["short", "deployment-after-the-answer", "sign-in-after-the-answer"]
)
@pytest.mark.parametrize("name", ["django-wsgi", "django-asgi"])
def test_a_wrapper_outside_sees_what_djangos_middleware_cannot(
    running: Running_, name: str, scenario: str
) -> None:
    inner = running(name)
    wrap = inner.audit.asgi if inner.build.is_asgi else inner.audit.wsgi
    outer = replace(inner, build=replace(inner.build, app=wrap(inner.build.app)))
    outer.run(SCENARIOS[scenario].calls)
    assert outer.events() == list(SCENARIOS[scenario].events)


@pytest.mark.parametrize("name", BUILDS)
def test_requests_at_the_same_time_do_not_mix(running: Running_, name: str) -> None:
    app = running(name)
    calls = [Call("GET", f"/slow/{number}") for number in range(AT_ONCE)]
    answers = [Answer() for _ in calls]
    if app.build.is_asgi:

        async def go() -> None:
            pairs = zip(calls, answers, strict=True)
            await asyncio.gather(*(asgi_call(app.build.app, *pair) for pair in pairs))

        asyncio.run(go())
    else:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(app.build.client, calls))
    assert {answer.status for answer in answers} == {200}
    found = app.events()
    told = {(e["path"], e["actor"], e["resource_id"], e["data"]["number"]) for e in found}
    assert len(found) == AT_ONCE
    assert told == {(f"/slow/{n}", f"user:number-{n}", str(n), n) for n in range(AT_ONCE)}
