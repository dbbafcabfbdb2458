"""Journeys at their boundaries: pauses, ties, pages, entries and exits, ways."""

import pytest

from flowaudit.journeys.engine import Engine
from flowaudit.journeys.flows import Way, flow_report, ways
from flowaudit.journeys.scope import scope_of

pytest.importorskip("duckdb")

SECOND = 1_000_000
PAUSE = 1_800 * SECOND


def page(ts, path, client="192.0.2.1", **fields):
    return {
        "kind": "request",
        "ts": ts,
        "method": "GET",
        "path": path,
        "status": 200,
        "outcome": "ok",
        "client": client,
        **fields,
    }


def report_of(events, **options):
    with Engine.from_events(events, threads=1) as engine:
        return flow_report(engine, **options)


@pytest.mark.parametrize(("pause_us", "journeys"), [(PAUSE, 1), (PAUSE + 1, 2)])
def test_a_journey_ends_after_more_than_thirty_minutes(pause_us, journeys):
    assert report_of([page(0, "/"), page(pause_us, "/")]).sessions == journeys


def test_an_asset_between_two_pages_keeps_the_journey_alive():
    events = [page(0, "/"), page(PAUSE, "/x.css"), page(2 * PAUSE, "/")]
    assert report_of(events).sessions == 1


def test_midnight_does_not_cut_a_journey():
    midnight = 86_400 * SECOND
    assert report_of([page(midnight - 1, "/"), page(midnight, "/")]).sessions == 1


def test_events_of_one_moment_stand_in_the_order_of_the_trail():
    events = [page(5, "/b", seq=1), page(5, "/a", seq=0), page(5, "/c", seq=2)]
    report = report_of(events)
    assert report.entry == (("/a", 1),)
    assert report.exit == (("/c", 1),)
    assert report.transitions == (("/a", "/b", 1), ("/b", "/c", 1))


def test_a_page_after_itself_is_counted_apart():
    report = report_of([page(t, path) for t, path in enumerate(["/a", "/a", "/b", "/a"])])
    assert report.transitions_total == 2
    assert report.self_transitions == (("/a", "/a", 1),)
    assert report.self_transitions_total == 1


def test_a_bounce_is_a_journey_with_one_page_whatever_else_it_loads():
    report = report_of([page(0, "/"), page(1, "/x.css"), page(2, "/y.png")])
    assert (report.bounces, report.pages, report.events) == (1, 1, 3)


def test_a_journey_without_a_page_has_no_entry_and_stands_under_zero():
    report = report_of([page(0, "/x.css")])
    assert report.entry == report.exit == ()
    assert report.pages_per_session == {"0": 1}
    assert (report.sessions, report.sessions_with_page, report.bounces) == (1, 0, 0)


@pytest.mark.parametrize(
    ("fields", "is_page"),
    [
        ({"path": "/a.b/c"}, True),
        ({"path": "/a/b.PDF"}, False),
        ({"path": "/a.pdf/"}, True),
        ({"path": "/css"}, True),
        ({"path": "/a."}, True),
        ({"path": "/.txt"}, False),
        ({"path": "/a.min.js"}, False),
        ({"path": "/a.js.html"}, True),
        ({"status": 304}, True),
        ({"status": 206}, False),
        ({"method": "POST"}, False),
        ({"method": "HEAD"}, False),
        ({"nav": "page", "path": "/report.pdf"}, True),
        ({"nav": "api"}, False),
        ({"nav": "prefetch"}, False),
        ({"path": None, "route": "/x/{id}"}, True),
        ({"path": None}, False),
        ({"method": None, "path": None}, False),
        ({"action": "received"}, False),
        ({"kind": "websocket"}, False),
    ],
    ids=str,
)
def test_what_a_page_is(fields, is_page):
    assert report_of([page(0, "/a") | fields]).pages == int(is_page)


def test_a_step_is_the_route_and_by_path_the_path():
    events = [page(0, "/d/1", route="/d/{id}"), page(1, "/d/2", route="/d/{id}")]
    assert report_of(events).pages_top == (("/d/{id}", 2),)
    assert report_of(events, by="path").pages_top == (("/d/1", 1), ("/d/2", 1))


def test_top_lists_go_by_count_then_key_in_code_point_order():
    paths = ["/b", "/a", "/Z", "/é", "/a", "/~"]
    report = report_of([page(t, path, client=str(t)) for t, path in enumerate(paths)], top=4)
    assert report.entry == (("/a", 2), ("/Z", 1), ("/b", 1), ("/~", 1))


def test_an_absent_step_is_a_row_without_key_and_comes_last_among_equals():
    events = [page(0, None, nav="page"), page(1, "/a")]
    report = report_of(events)
    assert report.pages_top == (("/a", 1), (None, 1))
    assert report.transitions == ((None, "/a", 1),)


def test_an_event_without_anything_to_know_its_visitor_by_is_counted_and_told():
    report = report_of([page(0, "/a", client=None), page(0, "/a")])
    assert (report.events, report.pages, report.not_joined) == (2, 2, 1)
    assert (report.visitors, report.sessions) == (1, 1)


def test_humans_and_bots_are_told_apart_by_user_agent_and_actor_kind():
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    events = [
        page(0, "/a", ua=firefox),
        page(0, "/b", ua="Googlebot/2.1 (+http://www.google.com/bot.html)"),
        page(0, "/c", ua=firefox, actor="crawler", actor_kind="bot"),
        page(0, "/d"),
    ]
    for include, paths in [("humans", {"/a", "/d"}), ("bots", {"/b", "/c"})]:
        with Engine.from_events(events, include=include, threads=1) as engine:
            assert {step for step, _ in flow_report(engine).pages_top} == paths


def test_no_events_make_an_empty_report():
    report = report_of([])
    assert (report.events, report.sessions, report.first_ts, report.last_ts) == (0, 0, None, None)
    assert report.entry == report.transitions == ()
    assert report.pages_per_session == {}


def test_ways_fold_repeats_and_say_when_they_go_on():
    long = [f"/{i}" for i in range(9)]
    events = [
        *(page(t, path, client="a") for t, path in enumerate(["/a", "/a", "/b"])),
        *(page(t, path, client="b") for t, path in enumerate(["/a", "/b", "/b"])),
        *(page(t, path, client="c") for t, path in enumerate(long)),
    ]
    with Engine.from_events(events, threads=1) as engine:
        assert ways(engine) == (
            Way(("/a", "/b"), False, 2),
            Way(tuple(long[:8]), True, 1),
        )


def test_scope_says_what_was_looked_at():
    with Engine.from_events([page(5, "/a"), page(9, "/b", client=None)], threads=1) as engine:
        scope = scope_of(engine)
    assert (scope.requests, scope.not_joined, scope.visitors) == (2, 1, 1)
    assert (scope.first_ts, scope.last_ts) == (5, 9)
