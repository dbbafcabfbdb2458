"""The SQL of the rules and a naive count agree, on streams with ties and on boundaries."""

import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowaudit.review.finding import EVENTS_CAP, SEVERITIES
from tests.review.oracle import Hit, distinct, found
from tests.review.scenes import SECOND, Detection, failed, request

pytest.importorskip("duckdb")

often = settings(max_examples=15, deadline=None, derandomize=True)


def stream(size, seed, window, need, items, make):
    """Events of two keys, on a grid on which many lie exactly one window apart."""
    rng = random.Random(seed)
    step = window // need
    gaps = [0, step, 2 * step, window, window - 0.000001, 1]
    weights = [6, 8, 2, 1, 1, 1]
    at, events = 0.0, []
    for _ in range(size):
        at += rng.choices(gaps, weights)[0]
        events.append(make(at, rng.choice(["k1", "k1", "k1", "k2"]), rng.choice(items), rng))
    if seed % 3 == 0:
        rng.shuffle(events)  # the order in the trail is not the order of time
    return events


def compare(findings, events, key_name, item_of, window, grade_of, is_hit=lambda event: True):
    """Findings against those of the oracle, key by key."""
    hits = defaultdict(list)
    for seq, event in enumerate(events):
        if is_hit(event):
            hits[event[key_name]].append(Hit(event["ts"], seq, item_of(event)))
    expected = {(key, each) for key in hits for each in found(hits[key], window * SECOND, grade_of)}
    assert {(f.key[key_name], as_found(f)) for f in findings} == {
        (key, capped(each)) for key, each in expected
    }


def as_found(finding):
    grade = SEVERITIES.index(finding.severity) + 1
    return (grade, finding.first_ts, finding.last_ts, finding.count, finding.events)


def capped(each):
    assert len(each.events) <= EVENTS_CAP, "streams must stay below the cap"
    return (each.grade, each.first_ts, each.last_ts, each.count, each.events)


sizes = st.integers(20, 45)
seeds = st.integers(0, 10**6)


@often
@given(sizes, seeds)
def test_failures_of_one_login_from_one_source(size, seed):
    events = stream(size, seed, 600, 5, [""], lambda at, key, _i, _r: failed(at, client=key))
    rule = Detection("login-brute-force")
    off = {"login-brute-force": {"spread_failures": 1_000}}
    findings = rule.find(events, rules=off)
    compare(findings, events, "client", lambda e: "", 600, lambda w: 3 if len(w) >= 5 else 0)


@often
@given(sizes, seeds)
def test_distinct_sensitive_paths_of_one_source(size, seed):
    paths = ["/.env", "/.git/HEAD", "/wp-login.php", "/a/.env"]
    events = stream(
        size, seed, 300, 3, paths, lambda at, key, i, _r: request(at, i, 404, client=key)
    )
    findings = Detection("sensitive-path-probe").find(events)
    compare(
        findings, events, "client", lambda e: e["path"], 300,
        lambda window: 3 if distinct(window) >= 3 else 2,
    )  # fmt: skip


@often
@given(sizes, seeds)
def test_distinct_routes_of_one_actor(size, seed):
    routes = ["/a", "/b", "/c", "/d", "/e"]
    events = stream(
        size, seed, 1800, 4, routes,
        lambda at, key, i, _r: request(at, i, 403, actor=key, route=i),
    )  # fmt: skip
    findings = Detection("privilege-probing").find(events)
    compare(
        findings, events, "actor", lambda e: e["route"], 1800,
        lambda window: 4 if distinct(window) >= 4 else 0,
    )  # fmt: skip


@often
@given(sizes, seeds)
def test_distinct_refused_ids_of_one_actor(size, seed):
    events = stream(
        size, seed, 600, 12, range(11),
        lambda at, key, i, rng: request(
            at, f"/r/{i}", rng.choice([403, 404, 404, 200]), actor=key, route="/r/{id}"
        ),
    )  # fmt: skip
    findings = Detection("object-id-enumeration").find(events)
    compare(
        findings, events, "actor", lambda e: e["path"], 600,
        lambda window: 4 if distinct(window) >= 8 else 0,
        is_hit=lambda event: event["outcome"] != "ok",
    )  # fmt: skip


@often
@given(sizes, seeds)
def test_walks_of_one_actor_with_some_refused(size, seed):
    """Fires, and where: the arm counts two kinds of distinct ids at once."""
    events = stream(
        size, seed, 600, 4, range(7),
        lambda at, key, i, rng: request(
            at, f"/r/{i}", rng.choice([403, 200]), actor=key, route="/r/{id}"
        ),
    )  # fmt: skip
    limits = {"refused_ids": 1_000, "walk_ids": 6, "walk_refused_ids": 3}
    findings = Detection("object-id-enumeration").find(
        events, rules={"object-id-enumeration": limits}
    )
    fired = {f.key["actor"]: set() for f in findings}
    for finding in findings:
        fired[finding.key["actor"]].add(finding.events)
    for key in ("k1", "k2"):
        hits = [
            Hit(e["ts"], seq, e["path"], e["outcome"] != "ok")
            for seq, e in enumerate(events)
            if e["actor"] == key
        ]
        hits.sort(key=lambda hit: (hit.ts, hit.seq))
        expected = walks(hits, 600 * SECOND)
        assert fired.get(key, set()) == expected


def walks(hits, window):
    """Evidence of each finding of the walk arm, where only refusals and firing keep it open."""
    moments = []
    for hit in hits:
        seen = [h for h in hits if h.ts > hit.ts - window and (h.ts, h.seq) <= (hit.ts, hit.seq)]
        is_walk = distinct(seen) >= 6 and distinct([h for h in seen if h.is_refused]) >= 3
        if is_walk or hit.is_refused:
            moments.append((hit, is_walk, tuple(h.seq for h in seen)))
    evidence, last_ts, is_open = set(), None, False
    for hit, is_walk, seqs in moments:
        if last_ts is None or hit.ts - last_ts >= window:
            is_open = False
        if is_walk and not is_open:
            evidence.add(seqs)
            is_open = True
        last_ts = hit.ts
    return evidence


@often
@given(sizes, seeds)
def test_the_order_in_the_trail_changes_nothing_but_seq(size, seed):
    routes = ["/a", "/b", "/c", "/d", "/e"]
    events = stream(
        size, seed - seed % 3 + 1, 1800, 4, routes,
        lambda at, key, i, _r: request(at, i, 403, actor=key, route=i),
    )  # fmt: skip
    apart = [{**event, "ts": event["ts"] + i} for i, event in enumerate(events)]
    rule = Detection("privilege-probing")

    def told(stream):
        found = rule.find(stream)
        times = [frozenset(stream[seq]["ts"] for seq in f.events) for f in found]
        return {
            (f.key["actor"], f.severity, f.first_ts, f.count, at)
            for f, at in zip(found, times, strict=True)
        }

    assert told(apart) == told(list(reversed(apart)))
