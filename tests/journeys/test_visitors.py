"""Who did what: sessions bound by sign-ins, and the order in which a visitor is known."""

import pytest

from flowaudit.journeys.engine import Engine

pytest.importorskip("duckdb")


def request(ts, **fields):
    return {"kind": "request", "ts": ts, **fields}


def login(ts, actor, session, **data):
    event = {"kind": "auth", "action": "login", "ts": ts, "actor": actor, "session": session}
    return {**event, "data": data} if data else event


def owners(*events):
    """`who` of every event, in the order given."""
    with Engine.from_events(events, threads=1) as engine:
        return [who for (who,) in engine.rows("SELECT who FROM events ORDER BY seq")]


def test_a_visitor_is_known_by_actor_then_session_then_cookie_then_address():
    everything = {"actor": "ann", "session": "s", "visitor": "v", "client": "c", "ua": "u"}
    found = []
    for name in ("actor", "session", "visitor", "client", "ua"):
        found += owners(request(0, **everything))
        del everything[name]
    assert found[:3] == ["ann", "session:s", "visitor:v"]
    assert found[3].startswith("net:c/")
    assert found[4] is None


def test_an_address_with_another_agent_is_another_visitor():
    events = [request(0, client="c"), request(0, client="c", ua="u"), request(0, client="c", ua="")]
    without, with_agent, empty = owners(*events)
    assert without == empty != with_agent


def test_a_sign_in_owns_its_session_from_the_first_event_on():
    assert (
        owners(request(1, session="s"), login(2, "ann", "s"), request(3, session="s"))
        == ["ann"] * 3
    )


def test_a_sign_in_owns_the_session_that_it_replaced():
    assert (
        owners(
            request(1, session="old"),
            login(2, "ann", "new", previous_session="old"),
            request(3, session="new"),
        )
        == ["ann"] * 3
    )


def test_a_chain_of_replaced_sessions_leads_to_whoever_signed_in():
    assert (
        owners(
            request(1, session="a"),
            login(2, "ann", "b", previous_session="a"),
            request(3, session="b"),
            login(4, "ann", "c", previous_session="b"),
            request(5, session="c"),
        )
        == ["ann"] * 5
    )


def test_of_two_actors_in_a_session_each_owns_from_sign_in_to_the_next():
    assert owners(
        request(1, session="s"),
        login(2, "ann", "s"),
        request(3, session="s"),
        login(4, "bob", "s"),
        request(5, session="s"),
    ) == ["ann", "ann", "ann", "bob", "bob"]


def test_at_one_moment_the_place_in_the_trail_decides():
    assert owners(
        login(1, "ann", "s"),
        request(2, session="s"),
        login(2, "bob", "s"),
        request(2, session="s"),
    ) == ["ann", "ann", "bob", "bob"]


def test_an_event_with_an_actor_is_that_actors_whatever_the_session():
    events = [login(1, "ann", "s"), request(2, actor="bob", session="s")]
    assert owners(*events) == ["ann", "bob"]


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "auth", "action": "login-failed", "ts": 1, "actor": "ann", "session": "s"},
        {"kind": "auth", "action": "login", "ts": 1, "session": "s"},
        {"kind": "request", "ts": 1, "actor": "ann", "session": "s"},
    ],
    ids=["failed", "of-nobody", "no-sign-in"],
)
def test_what_is_no_sign_in_binds_nothing(event):
    assert owners(event, request(2, session="s"))[1] == "session:s"


def test_a_strict_request_takes_the_end_from_its_last_event():
    numbers = {"source": "x", "session": "s"}
    events = [
        request(1, **numbers, n=1, action="received"),
        request(1, **numbers, n=2, of=1, status=200, outcome="ok"),
        request(
            9,
            **numbers,
            n=3,
            of=1,
            action="finished",
            duration_us=8,
            bytes_out=5,
            outcome="aborted",
            reason="client-left",
        ),
        request(2, source="y", n=2, of=1, status=200, outcome="ok"),
    ]
    with Engine.from_events(events, threads=1) as engine:
        rows = engine.rows(
            "SELECT source, duration_us, bytes_out, outcome, reason FROM events"
            " WHERE counted ORDER BY source"
        )
    assert rows == [("x", 8, 5, "aborted", "client-left"), ("y", None, None, "ok", None)]
