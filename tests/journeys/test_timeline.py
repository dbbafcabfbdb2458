"""One visitor's journeys: what is in them, why they ended, whom a name stands for."""

import pytest

from flowaudit.journeys.engine import Engine
from flowaudit.journeys.timeline import find_visitors, journeys_of

pytest.importorskip("duckdb")

PAUSE = 1_800_000_000


def request(ts, who="ann", **fields):
    return {"kind": "request", "ts": ts, "actor": who, **fields}


def journeys(events, *who):
    with Engine.from_events(events, threads=1) as engine:
        return journeys_of(engine, who)


@pytest.mark.parametrize(
    ("other_ts", "ended"),
    [(PAUSE, "open"), (PAUSE + 1, "left")],
)
def test_a_last_journey_is_open_until_the_trail_goes_on_for_longer_than_a_pause(other_ts, ended):
    (journey,) = journeys([request(0), request(other_ts, "bob")], "ann")
    assert journey.ended == ended


def test_a_journey_before_another_ended_with_a_pause():
    first, second = journeys([request(0), request(PAUSE + 1)], "ann")
    assert (first.number, first.ended) == (1, "pause")
    assert (second.number, second.ended) == (2, "open")


def test_what_is_no_request_does_not_say_that_a_visitor_left():
    reading = {"kind": "access", "action": "read", "ts": 9 * PAUSE, "actor": "admin"}
    (journey,) = journeys([request(0), reading], "ann")
    assert journey.ended == "open"


def test_moments_have_the_gap_since_the_one_before():
    (journey,) = journeys([request(3), request(10), request(10)], "ann")
    assert [moment.gap_us for moment in journey.moments] == [0, 7, 0]
    assert (journey.first_ts, journey.last_ts, journey.events) == (3, 10, 3)


def test_what_does_not_count_is_shown_and_neither_cuts_nor_joins():
    note = {"kind": "note", "ts": PAUSE, "actor": "ann"}
    first, second = journeys([request(0), note, request(PAUSE + 1)], "ann")
    assert [moment.kind for moment in first.moments] == ["request", "note"]
    assert (first.events, second.events) == (1, 1)


def test_what_comes_before_the_first_request_is_in_the_first_journey():
    sign_in = {"kind": "auth", "action": "login", "ts": 1, "actor": "ann", "session": "s"}
    (journey,) = journeys([sign_in, request(2)], "ann")
    assert [moment.kind for moment in journey.moments] == ["auth", "request"]


def test_intermediate_events_of_a_strict_request_are_not_shown():
    events = [request(0, action="received"), request(0), request(1, action="finished")]
    (journey,) = journeys(events, "ann")
    assert len(journey.moments) == 1


def test_an_address_stands_for_all_its_visitors_and_a_bound_session_for_its_person():
    events = [
        {"kind": "request", "ts": 0, "client": "192.0.2.1", "ua": "x"},
        {"kind": "request", "ts": 0, "client": "192.0.2.1", "ua": "y"},
        {"kind": "auth", "action": "login", "ts": 1, "actor": "ann", "session": "s"},
        {"kind": "request", "ts": 2, "session": "s"},
        {"kind": "request", "ts": 2, "session": "t"},
    ]
    with Engine.from_events(events, threads=1) as engine:
        at_address = find_visitors(engine, "192.0.2.1")
        assert len(at_address) == 2
        assert find_visitors(engine, at_address[0]) == (at_address[0],)
        assert find_visitors(engine, "session:s") == ("ann",)
        assert find_visitors(engine, "session:t") == ("session:t",)
        assert find_visitors(engine, "nobody") == ()


def test_a_visitor_of_whom_nothing_is_known_has_no_journeys():
    assert journeys([request(0)], "bob") == ()
