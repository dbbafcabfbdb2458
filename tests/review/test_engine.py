"""What holds for every detection: evidence, lateness, declarations, order."""

import json

import pytest

from flowaudit.capture.beacon import BEACON
from flowaudit.errors import SettingError
from flowaudit.review.catalogue import RULE_IDS
from flowaudit.review.finding import SEVERITIES
from tests.review.scenes import (
    HOUR,
    START,
    Detection,
    failed,
    look,
    request,
    signed_in,
)

pytest.importorskip("duckdb")

brute_force = Detection("login-brute-force")
probe = Detection("sensitive-path-probe")
probing = Detection("privilege-probing")


def attack(at=0, **fields):
    return [failed(at + i, **fields) for i in range(5)]


def test_no_events_give_no_findings():
    review = look([])
    assert (review.findings, review.not_judged, review.suppressed) == ((), (), ())
    assert review.rules == RULE_IDS


def test_honest_people_give_no_findings():
    events = [
        signed_in(0, actor="ann", login="ann", session="s1"),
        *[
            request(i * 5, f"/records/{i}", actor="ann", route="/records/{id}", session="s1")
            for i in range(60)
        ],
        request(400, "/records/99", 403, actor="ann", route="/records/{id}"),
        request(410, "/nothing", 404, actor="ann"),
        request(420, "/favicon.ico", 404),
    ]
    assert look(events).findings == ()


def test_the_most_severe_come_first_then_the_latest():
    events = [
        *attack(0, login="a"),
        *attack(100, login="b"),
        request(50, "/.env", 200, bytes_out=9),
        request(60, "/x", 403, actor="eve"),
        request(61, "/x", actor="eve"),
    ]
    findings = look(events).findings
    ranks = [SEVERITIES.index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks, reverse=True)
    assert [f.key.get("login") for f in findings if f.severity == "medium"] == ["b", "a"]


def test_the_same_events_give_the_same_findings():
    events = [*attack(), *[request(i, p, 404) for i, p in enumerate(["/.env", "/.git/HEAD"])]]
    assert look(events) == look(events)


def test_an_attack_that_goes_on_is_one_finding_until_it_is_quiet():
    going_on = [failed(at) for at in range(0, 6 * HOUR, 599)]
    findings = brute_force.find([*attack(-10), *going_on], rules=_fewer(spread_failures=1_000))
    assert [finding.count for finding in findings] == [5 + len(going_on)]
    again = [*attack(), *attack(604)]
    assert [f.count for f in brute_force.find(again)] == [5, 5]
    assert [f.count for f in brute_force.find([*attack(), *attack(603)])] == [10]


def _fewer(**parameters):
    return {"login-brute-force": parameters}


class TestEvidence:
    def test_more_than_fifty_are_capped_and_said(self):
        paths = [f"/{i}" for i in range(60)]
        events = [request(i, path, 403, actor="eve", route=path) for i, path in enumerate(paths)]
        limits = {"privilege-probing": {"routes": 60}}
        finding = probing.one(events, rules=limits)
        assert len(finding.events) == 50
        assert finding.events[-1] == 59
        assert finding.events_total == 60
        assert "50 of 60 events that made it fire are listed." in finding.notes

    def test_what_is_repeated_does_not_crowd_out_what_differs(self):
        routes = ["/a"] * 100 + ["/b", "/c", "/d"]
        events = [request(i, r, 403, actor="eve", route=r) for i, r in enumerate(routes)]
        finding = probing.one(events)
        assert finding.events_total == 103
        assert {routes[seq] for seq in finding.events} == {"/a", "/b", "/c", "/d"}

    def test_it_is_in_the_order_of_time(self):
        events = [failed(at) for at in (3, 1, 4, 0, 2)]
        assert brute_force.one(events).events == (3, 1, 4, 0, 2)

    def test_the_events_alone_prove_it(self):
        """Only the listed events, and the finding is the same."""
        noise = [request(i, f"/{i}") for i in range(50)]
        events = [e for pair in zip(noise, [*attack(), *noise[5:]], strict=True) for e in pair]
        finding = brute_force.one(events)
        alone = brute_force.one([{**events[seq], "seq": seq} for seq in finding.events])
        assert alone == finding


class TestLate:
    def stream(self, behind, duration_us=None):
        first = request(600 + behind, "/", duration_us=duration_us)
        return [first, *[failed(600 + at / 10) for at in range(5)]]

    def test_an_event_that_comes_over_two_minutes_late_makes_it_late(self):
        finding = brute_force.one(self.stream(120.500001))
        assert finding.late
        assert any(note.startswith("Late") for note in finding.notes)

    def test_up_to_two_minutes_are_merged(self):
        assert not brute_force.one(self.stream(120)).late

    def test_what_an_event_lasted_counts(self):
        assert brute_force.one(self.stream(0, duration_us=120_500_001)).late
        assert not brute_force.one(self.stream(0, duration_us=120_000_000)).late

    def test_its_own_duration_makes_it_later(self):
        events = [request(800, "/"), *[failed(600, duration_us=80_000_000) for _ in range(5)]]
        assert not brute_force.one(events).late
        assert brute_force.one([{**event, "duration_us": 1} for event in events]).late

    def test_late_events_elsewhere_change_nothing(self):
        events = [*attack(600), request(0, "/")]
        assert not brute_force.one(events).late

    def test_far_apart_in_the_trail(self):
        quiet = [{**request(601, "/"), "seq": 10_000 + i} for i in range(3)]
        early = {**request(900, "/"), "seq": 0}
        events = [early, *quiet, *[{**e, "seq": 50_000 + i} for i, e in enumerate(attack(600))]]
        assert brute_force.one(events).late


class TestScanners:
    networks = ("198.51.100.0/24", "2001:db8:5::/48")

    @pytest.mark.parametrize("client", ["198.51.100.7", "::ffff:198.51.100.7", "2001:db8:5::1"])
    def test_declared_ones_are_left_out_and_said(self, client):
        review = brute_force.review(attack(client=client), scanners=list(self.networks))
        assert review.findings == ()
        (left,) = [s for s in review.suppressed if s.id == "login-brute-force"]
        assert (left.count, left.why) == (5, "declared scanners")

    @pytest.mark.parametrize("client", ["198.51.101.7", "2001:db8:6::1", "scanner.example", None])
    def test_others_are_not(self, client):
        events = [failed(at, client=client) for at in range(20)]
        assert brute_force.review(events, scanners=list(self.networks)).findings

    def test_nothing_declared_is_nothing_said(self):
        assert [s.id for s in look(attack()).suppressed] == []


class TestMaintenance:
    def declared(self, first, last):
        moment = START // 1_000_000
        from datetime import UTC, datetime

        def text(at):
            return datetime.fromtimestamp(moment + at, UTC).isoformat()

        return [{"from": text(first), "to": text(last), "reason": "password reset drill"}]

    def test_events_in_a_declared_window_are_left_out_and_said(self):
        review = brute_force.review(attack(100), maintenance=self.declared(100, 105))
        assert review.findings == ()
        (left,) = [s for s in review.suppressed if s.id == "login-brute-force"]
        assert left.count == 5
        assert "password reset drill" in left.why

    def test_the_window_has_its_start_and_not_its_end(self):
        assert brute_force.review(attack(100), maintenance=self.declared(101, 200)).suppressed
        outside = brute_force.review(attack(100), maintenance=self.declared(0, 100))
        assert outside.findings


class TestRuleSettings:
    def test_a_rule_that_is_off_says_so_with_its_reason(self):
        settings = {"login-brute-force": {"off": True, "reason": "accounts are elsewhere"}}
        review = look(attack(), {"rules": settings})
        assert review.findings == ()
        assert "login-brute-force" not in review.rules
        (left,) = review.suppressed
        assert (left.id, left.count, left.why) == (
            "login-brute-force",
            5,
            "off: accounts are elsewhere",
        )

    def test_a_parameter_is_in_force_and_told(self):
        finding = brute_force.one(attack()[:3], rules=_fewer(failures=3, window_s=60))
        assert finding.thresholds == {"failures": 3, "window_s": 60}
        assert brute_force.find(attack(), rules=_fewer(failures=6)) == []

    @pytest.mark.parametrize(
        ("rules", "name"),
        [
            ({"nonsense": {}}, "review.rules.nonsense"),
            ({"login-brute-force": {"failure": 3}}, "review.rules.login-brute-force.failure"),
            ({"login-brute-force": {"failures": 1}}, "review.rules.login-brute-force.failures"),
            ({"login-brute-force": {"off": True}}, "review.rules.login-brute-force.reason"),
        ],
        ids=["rule", "parameter", "value", "reason"],
    )
    def test_a_wrong_one_is_refused_by_name(self, rules, name):
        with pytest.raises(SettingError) as caught:
            look([], {"rules": rules})
        assert caught.value.name == name


class TestNames:
    token = "k" * 52

    def test_a_token_is_shortened_in_the_sentence_and_whole_in_the_key(self):
        events = [request(i, r, 403, actor=self.token, route=r) for i, r in enumerate("abcd")]
        finding = probing.one(events)
        assert finding.key == {"actor": self.token}
        assert self.token not in finding.title
        assert f"{self.token[:23]}…" in finding.title

    def test_a_known_name_stands_in_the_sentence_alone(self):
        from flowaudit.journeys.engine import Engine
        from flowaudit.review.engine import review

        events = [request(i, r, 403, actor=self.token, route=r) for i, r in enumerate("abcd")]
        with Engine.from_events(events, threads=1) as engine:
            (finding,) = review(engine, names={self.token: "user:carol"}).findings
        assert finding.title.startswith("user:carol was forbidden")
        assert finding.key == {"actor": self.token}


def test_braces_and_quotes_of_strangers_stay_text():
    hostile = "/{count}'; DROP TABLE event; --/.env"
    finding = probe.one([request(0, hostile, 404)])
    assert "{count}'; drop table event; --/.env" in finding.title


def test_findings_are_plain_values():
    for finding in look([*attack(), request(9, "/.env", 200, bytes_out=1)]).findings:
        json.dumps([finding.thresholds, finding.events, finding.key, finding.notes])
        assert hash(finding.events) is not None


def test_an_engine_can_be_asked_twice():
    from flowaudit.journeys.engine import Engine
    from flowaudit.review.engine import review

    with Engine.from_events(attack(), threads=1) as engine:
        assert review(engine) == review(engine)
        assert review(engine, {"scanners": ["203.0.113.0/24"]}).findings == ()
        assert len(review(engine).findings) == 1


def beacon(at, path, **fields):
    """A page that a browser says it shows."""
    return request(at, path, 200, nav="page", resource=BEACON, **fields)


@pytest.mark.parametrize(
    ("rule", "events"),
    [
        ("sensitive-path-probe", [beacon(at, path) for at, path in enumerate(["/.env", "/.git"])]),
        (
            "denied-then-allowed",
            [
                request(0, "/admin/report", 403, actor="dave"),
                beacon(20, "/admin/./report", actor="dave"),
            ],
        ),
    ],
    ids=["sensitive-path-probe", "denied-then-allowed"],
)
def test_what_a_browser_says_of_itself_is_no_finding(rule, events):
    told = [{k: v for k, v in event.items() if k != "resource"} for event in events]
    assert Detection(rule).one(told), "the same from the server is one"
    Detection(rule).none(events)


def test_what_a_browser_says_of_itself_is_no_success():
    routes = ("/admin/users", "/admin/export", "/billing/refunds", "/settings/keys")
    refused = [request(at, r, 403, actor="carol") for at, r in enumerate(routes)]
    assert probing.one([*refused, request(9, routes[0], 200, actor="carol")]).succeeded
    assert not probing.one([*refused, beacon(9, routes[0], actor="carol")]).succeeded
