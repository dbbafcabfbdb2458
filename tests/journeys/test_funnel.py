"""Funnels: order, repeats, outcomes, medians."""

import pytest

from flowaudit.errors import QueryError
from flowaudit.journeys.engine import Engine
from flowaudit.journeys.funnel import funnel

pytest.importorskip("duckdb")

PAUSE = 1_800_000_000


def walk(client, *steps, outcome="ok"):
    """Requests of one visitor: (time, route) each."""
    return [
        {"kind": "request", "ts": ts, "route": route, "client": client, "outcome": outcome}
        for ts, route in steps
    ]


def numbers(events, *steps, **options):
    with Engine.from_events(events, threads=1) as engine:
        result = funnel(engine, steps, **options)
    return result.reached, result.drop_off, result.median_us


def test_steps_need_not_be_adjacent_but_in_order():
    events = [*walk("a", (0, "/1"), (1, "/x"), (2, "/2")), *walk("b", (0, "/2"), (1, "/1"))]
    assert numbers(events, "/1", "/2") == ((2, 1), (1, 0), (0, 2))


def test_time_runs_from_the_first_match_to_the_first_later_match():
    events = walk("a", (0, "/1"), (5, "/1"), (9, "/2"), (20, "/2"))
    assert numbers(events, "/1", "/2") == ((1, 1), (0, 0), (0, 9))


def test_a_step_that_stands_twice_needs_two_events():
    assert numbers(walk("a", (0, "/1")), "/1", "/1")[0] == (1, 0)
    assert numbers(walk("a", (0, "/1"), (0, "/1")), "/1", "/1") == ((1, 1), (0, 0), (0, 0))


def test_a_funnel_is_walked_within_one_journey():
    events = walk("a", (0, "/1"), (PAUSE + 1, "/2"))
    assert numbers(events, "/1", "/2")[0] == (1, 0)


def test_a_journey_counts_once_for_a_step_and_each_journey_counts():
    events = walk("a", (0, "/1"), (1, "/1"), (PAUSE + 2, "/1"))
    assert numbers(events, "/1")[0] == (2,)


def test_only_what_went_well_is_a_step():
    events = [*walk("a", (0, "/1")), *walk("a", (1, "/2"), outcome="denied")]
    assert numbers(events, "/1", "/2")[0] == (1, 0)


def test_of_two_middle_times_the_lower_is_the_median():
    events = [
        event
        for client, took in zip("abcd", (40, 10, 20, 30), strict=True)
        for event in walk(client, (0, "/1"), (took, "/2"))
    ]
    assert numbers(events, "/1", "/2")[2] == (0, 20)
    assert numbers(events[:6], "/1", "/2")[2] == (0, 20)


def test_what_nobody_reaches_is_zero_and_so_is_all_behind_it():
    events = walk("a", (0, "/1"), (1, "/3"))
    assert numbers(events, "/1", "/2", "/3") == ((1, 0, 0), (1, 0, 0), (0, 0, 0))


def test_one_engine_answers_several_funnels():
    with Engine.from_events(walk("a", (0, "/1"), (1, "/2")), threads=1) as engine:
        assert funnel(engine, ["/1", "/2"]).reached == (1, 1)
        assert funnel(engine, ["/2"]).reached == (1,)
        assert funnel(engine, ["/2", "/1"]).reached == (1, 0)


def test_a_step_cannot_break_out_of_its_query():
    assert numbers(walk("a", (0, "/1' OR '1'='1")), "/1' OR '1'='1")[0] == (1,)


def test_a_funnel_without_steps_is_refused():
    with pytest.raises(QueryError, match="at least one step"):
        numbers([])
