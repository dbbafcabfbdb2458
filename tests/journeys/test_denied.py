"""Refusals: what counts as one, and the redirect to the login page."""

import pytest

from flowaudit.journeys.denied import denied
from flowaudit.journeys.engine import Engine

pytest.importorskip("duckdb")

MINUTE = 60_000_000
HOUR = 3_600_000_000


def request(ts, status=200, path="/x", client="192.0.2.1", outcome="ok", **fields):
    return {
        "kind": "request",
        "ts": ts,
        "status": status,
        "path": path,
        "client": client,
        "outcome": outcome,
        **fields,
    }


def report_of(events, **options):
    with Engine.from_events(events, threads=1) as engine:
        return denied(engine, **options)


@pytest.mark.parametrize(
    ("event", "count"),
    [
        (request(0, 403, outcome="denied"), 1),
        (request(0, 404, outcome="hidden"), 1),
        (request(0, 429, outcome="throttled"), 0),
        (request(0, 404, outcome="missing"), 0),
        (request(0, 403, outcome="denied", action="finished"), 0),
        ({"kind": "auth", "action": "login-failed", "ts": 0, "outcome": "denied"}, 0),
        ({"kind": "websocket", "action": "refuse", "ts": 0, "outcome": "denied"}, 1),
        ({"kind": "websocket", "action": "refuse", "ts": 0}, 1),
        ({"kind": "websocket", "action": "refuse", "ts": 0, "outcome": "throttled"}, 0),
        ({"kind": "websocket", "action": "close", "ts": 0, "outcome": "denied"}, 0),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "-".join(map(str, value.values())),
)
def test_what_a_refusal_is(event, count):
    assert report_of([event]).total == count


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_redirect_to_the_login_page_is_a_refusal_dated_at_the_redirect(status):
    events = [request(HOUR - 1, status, "/secret"), request(HOUR + 5, path="/login?next=/secret")]
    report = report_of(events, login_path="/login")
    assert report.by_route == (("/secret", 1),)
    assert report.by_reason == (("login-required", 1),)
    assert report.per_hour == ((0, 1),)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([request(0, 308), request(1, path="/login")], "status"),
        ([request(0, 302), request(MINUTE + 1, path="/login")], "too late"),
        ([request(0, 302), request(1, path="/other"), request(2, path="/login")], "not the next"),
        ([request(0, 302), request(1, path="/login", client="192.0.2.2")], "another visitor"),
        ([request(0, 302), request(1, path="/my/login")], "not its beginning"),
        ([request(0, 302), request(1, path=None)], "no path"),
        ([request(0, 302)], "nothing follows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_redirect_that_is_no_refusal(events, why):
    assert report_of(events, login_path="/login").total == 0, why


def test_the_login_page_may_follow_after_exactly_sixty_seconds():
    events = [request(0, 302), request(MINUTE, path="/login/form")]
    assert report_of(events, login_path="/login").total == 1


def test_the_next_request_is_the_next_in_order_of_time_then_place():
    events = [
        request(5, path="/login", seq=2),
        request(5, 302, path="/secret", seq=1),
        request(5, path="/other", seq=0),
    ]
    assert report_of(events, login_path="/login").by_route == (("/secret", 1),)


def test_a_redirect_that_is_a_refusal_already_counts_once():
    events = [request(0, 302, outcome="denied", reason="csrf"), request(1, path="/login")]
    report = report_of(events, login_path="/login")
    assert report.by_reason == (("csrf", 1),)


def test_without_a_login_path_redirects_are_no_refusals():
    assert report_of([request(0, 302), request(1, path="/login")]).total == 0


def test_every_list_has_a_row_for_what_is_absent():
    report = report_of([request(0, path=None, client=None, outcome="denied")])
    for counts in (report.by_client, report.by_actor, report.by_route, report.by_reason):
        assert counts == ((None, 1),)


def test_hours_are_in_order_without_empty_ones_and_never_cut():
    events = [request(hour * HOUR + 1, outcome="denied") for hour in (40, *range(0, 30, 2))]
    report = report_of(events, top=1)
    assert report.per_hour == tuple((hour * HOUR, 1) for hour in (*range(0, 30, 2), 40))


def test_lists_are_cut_at_top_by_count_then_key():
    clients = ["b", "a", "c", "c"]
    events = [request(0, client=client, outcome="denied") for client in clients]
    report = report_of(events, top=2)
    assert report.by_client == (("c", 2), ("a", 1))
    assert report.total == 4
