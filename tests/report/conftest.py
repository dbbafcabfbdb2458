"""Reports on small sets of events, made in the test."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("jinja2")
pytest.importorskip("rich")

from flowaudit.journeys.engine import Engine
from flowaudit.report.build import Report, build_report
from flowaudit.review.engine import review

START = 1_772_409_600_000_000
MINUTE = 60_000_000

Event = Mapping[str, object]
Walk = Callable[..., list[dict[str, object]]]


@pytest.fixture
def walk() -> Walk:
    """Events of one visitor: steps a minute apart; a step with `!` before it is refused."""

    def make(who: str, *steps: str, at: int = START, **fields: object) -> list[dict[str, object]]:
        events = []
        for place, step in enumerate(steps):
            route = step.lstrip("!x")
            status = 403 if step[0] == "!" else 500 if step[0] == "x" else 200
            events.append(
                {
                    "kind": "request",
                    "ts": at + place * MINUTE,
                    "method": "GET",
                    "route": route,
                    "path": route,
                    "status": status,
                    "outcome": {200: "ok", 403: "denied", 500: "error"}[status],
                    "nav": "page",
                    "client": who,
                    "ua": "Mozilla/5.0",
                    **({"reason": "forbidden"} if status == 403 else {}),
                    **fields,
                }
            )
        return events

    return make


@pytest.fixture
def report_on() -> Callable[..., Report]:
    """A report on some events."""

    def make(events: Sequence[Event], **wishes: Any) -> Report:
        with Engine.from_events(events) as engine:
            return build_report(
                engine,
                **{"name": "shop", "made_ts": START, "verification": None, **wishes},
                review=review(engine),
            )

    return make
