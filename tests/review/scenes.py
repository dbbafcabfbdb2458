"""Streams of events for tests of detections, written as what happens at which second."""

from flowaudit.journeys.engine import Engine
from flowaudit.review.catalogue import RULE_IDS
from flowaudit.review.engine import review

SECOND = 1_000_000
MINUTE = 60
HOUR = 3_600
DAY = 86_400
START = 1_790_000_000 * SECOND

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Version/17.4"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

OUTCOMES = {
    200: ("ok", None),
    204: ("ok", None),
    206: ("ok", None),
    301: ("ok", None),
    302: ("ok", None),
    304: ("ok", None),
    400: ("denied", "csrf"),
    401: ("denied", "login-required"),
    403: ("denied", "forbidden"),
    404: ("missing", "not-found"),
    405: ("denied", "method"),
    429: ("throttled", "rate-limit"),
    500: ("error", "status"),
}


def _event(at, kind, fields):
    event = {"kind": kind, "ts": START + round(at * SECOND), **fields}
    return {name: value for name, value in event.items() if value is not None}


def request(at, path=None, status=200, **fields):
    outcome, reason = OUTCOMES[status]
    defaults = {
        "method": "GET",
        "path": path,
        "status": status,
        "outcome": outcome,
        "reason": reason,
        "client": "203.0.113.9",
    }
    return _event(at, "request", {**defaults, **fields})


def failed(at, login="alice", client="203.0.113.9", **fields):
    defaults = {
        "action": "login-failed",
        "login": login,
        "client": client,
        "outcome": "denied",
        "reason": "bad-credentials",
    }
    return _event(at, "auth", {**defaults, **fields})


def signed_in(at, actor="a-alice", login="alice", client="203.0.113.9", **fields):
    defaults = {
        "action": "login",
        "actor": actor,
        "login": login,
        "client": client,
        "outcome": "ok",
    }
    return _event(at, "auth", {**defaults, **fields})


def other(at, kind, action, **fields):
    return _event(at, kind, {"action": action, **fields})


def office(client, actors=5, at=0):
    """Accounts that are let in from one address: it is shared."""
    return [request(at + i, "/", actor=f"worker-{i}", client=client) for i in range(actors)]


def look(events, declared=None, only=None):
    """The review of a stream, in the order given; `only` one detection where one is asked for."""
    rules = dict((declared or {}).get("rules", {}))
    for rule_id in RULE_IDS:
        if only not in (None, rule_id):
            rules[rule_id] = {"off": True, "reason": "not under test"}
    with Engine.from_events(events, threads=1) as engine:
        return review(engine, {**(declared or {}), "rules": rules})


class Detection:
    """One detection, for tests that say what it finds in which events."""

    def __init__(self, rule_id):
        self.id = rule_id

    def review(self, events, **declared):
        return look(events, declared, self.id)

    def find(self, events, **declared):
        findings = self.review(events, **declared).findings
        assert {finding.id for finding in findings} <= {self.id}
        return list(findings)

    def one(self, events, **declared):
        (finding,) = self.find(events, **declared)
        return finding

    def none(self, events, **declared):
        assert self.find(events, **declared) == []


def seconds(ts):
    return (ts - START) / SECOND
