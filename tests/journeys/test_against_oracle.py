"""The SQL files and the second count agree, on streams made to disagree about."""

import json
from dataclasses import asdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowaudit.journeys.denied import denied
from flowaudit.journeys.engine import Engine
from flowaudit.journeys.flows import flow_report
from flowaudit.journeys.funnel import funnel
from flowaudit.journeys.timeline import journeys_of
from tests.journeys import oracle
from tests.journeys.strategies import PATHS, ROUTES, event_streams

pytest.importorskip("duckdb")

often = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def as_json(report):
    return json.loads(json.dumps(asdict(report)))


@often
@given(event_streams(), st.sampled_from(["route", "path"]), st.sampled_from([1, 3, 10]))
def test_flows_are_the_same_by_both_counts(events, by, top):
    with Engine.from_events(events, threads=1) as engine:
        found = as_json(flow_report(engine, by=by, top=top))
    who = oracle.visitors(events)
    assert found.pop("not_joined") == sum(
        oracle.is_counted(event) and who[event["seq"]] is None for event in events
    )
    assert found == oracle.flows(events, by, top)


@often
@given(
    event_streams(),
    st.sampled_from(["route", "path"]).flatmap(
        lambda by: st.tuples(
            st.lists(
                st.sampled_from(ROUTES[:3] if by == "route" else PATHS[:3]), min_size=1, max_size=4
            ),
            st.just(by),
        )
    ),
)
def test_a_funnel_is_the_same_by_both_counts(events, asked):
    steps, by = asked
    with Engine.from_events(events, threads=1) as engine:
        found = as_json(funnel(engine, steps, by=by))
    assert found == oracle.funnel(events, steps, by)


@often
@given(event_streams(), st.sampled_from([None, "/login", "/c", "/"]))
def test_refusals_are_the_same_by_both_counts(events, login_path):
    with Engine.from_events(events, threads=1) as engine:
        found = as_json(denied(engine, login_path=login_path))
    assert found == oracle.denied(events, login_path)


@often
@given(event_streams())
def test_who_is_the_same_by_both_counts(events):
    with Engine.from_events(events, threads=1) as engine:
        rows = engine.rows("SELECT seq, who FROM events")
        journeys = journeys_of(engine, sorted({who for _, who in rows if who is not None}))
    expected = oracle.visitors(events)
    names = {}
    for seq, who in rows:
        kind, *key = expected[seq] or (None,)
        assert (who is None) == (kind is None)
        if kind == "actor":
            assert who == key[0]
        elif kind in ("session", "visitor"):
            assert who == f"{kind}:{key[0]}"
        elif kind == "net":
            # one name for each address with its agent, and never for two of them
            assert who.startswith("net:")
            assert names.setdefault(who, key) == key
    assert len(set(map(tuple, names.values()))) == len(names)
    walks = [
        [moment.seq for moment in each.moments if moment.counted]
        for each in journeys
        if each.events
    ]
    assert sorted(walks) == sorted([e["seq"] for e in walk] for walk in oracle.journeys(events))
