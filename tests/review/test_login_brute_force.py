import pytest

from tests.review.scenes import (
    DAY,
    HOUR,
    MINUTE,
    PHONE,
    Detection,
    failed,
    office,
    request,
    seconds,
    signed_in,
)

pytest.importorskip("duckdb")

rule = Detection("login-brute-force")


def test_six_failures_in_seventy_seconds_are_one_finding_at_the_fifth():
    finding = rule.one([failed(at) for at in (0, 14, 28, 42, 56, 70)])
    assert finding.severity == "medium"
    assert finding.key == {"login": "alice", "client": "203.0.113.9"}
    assert finding.events == (0, 1, 2, 3, 4)
    assert (finding.count, seconds(finding.first_ts), seconds(finding.last_ts)) == (6, 0, 70)
    assert finding.thresholds == {"failures": 5, "window_s": 600}
    assert not finding.succeeded
    assert "no sign-in succeeded" in finding.title


def test_four_failures_are_none():
    rule.none([failed(at) for at in range(4)])


def test_the_window_is_open_at_its_old_end():
    rule.none([failed(at) for at in (0, 1, 2, 3, 10 * MINUTE)])
    finding = rule.one([failed(at) for at in (0, 1, 2, 3, 10 * MINUTE - 0.000001)])
    assert finding.events == (0, 1, 2, 3, 4)


def test_five_failures_in_one_microsecond_fire_at_the_fifth_seq():
    assert rule.one([failed(0) for _ in range(5)]).events == (0, 1, 2, 3, 4)


def test_time_decides_and_not_the_order_in_the_trail():
    finding = rule.one([failed(at) for at in (40, 30, 20, 10, 0)])
    assert finding.events == (4, 3, 2, 1, 0)


def test_other_logins_and_other_sources_count_apart():
    rule.none([failed(at, login=f"user-{at % 2}") for at in range(8)])
    rule.none([failed(at, client=f"203.0.113.{at % 4}") for at in range(16)])


def test_addresses_of_one_v6_network_are_one_source():
    finding = rule.one([failed(at, client=f"2001:db8:0:1::{at:x}") for at in range(5)])
    assert finding.key["client"] == "2001:db8:0:1::/64"
    rule.none([failed(at, client=f"2001:db8:0:{at:x}::1") for at in range(5)])


def test_an_outage_counts_for_nothing():
    rule.none([failed(at, outcome="error", reason="OSError") for at in range(30)])


def test_a_failure_without_a_reason_counts():
    assert rule.one([failed(at, reason=None) for at in range(5)])


def test_four_typing_errors_and_success_are_none():
    rule.none([*[failed(at) for at in range(4)], signed_in(5)])


def test_a_success_afterwards_is_told():
    finding = rule.one([*[failed(at) for at in range(5)], signed_in(60)])
    assert finding.succeeded
    assert "; a sign-in succeeded" in finding.title
    assert finding.events == (0, 1, 2, 3, 4)
    assert finding.count == 5


def test_a_success_after_a_quiet_window_is_another_matter():
    assert not rule.one([*[failed(at) for at in range(5)], signed_in(4 + 10 * MINUTE)]).succeeded


def test_a_success_of_another_source_is_another_matter():
    events = [*[failed(at) for at in range(5)], signed_in(60, client="192.0.2.1")]
    assert not rule.one(events).succeeded


class TestSpread:
    def test_twenty_failures_from_twenty_sources_are_high(self):
        events = [failed(at * 180 - 0.001 * at, client=f"203.0.113.{at}") for at in range(20)]
        finding = rule.one(events)
        assert finding.severity == "high"
        assert finding.key == {"login": "alice"}
        assert finding.events == tuple(range(20))
        assert finding.thresholds == {"spread_failures": 20, "spread_window_s": 3600}
        assert "20 sources" in finding.title

    def test_nineteen_are_none(self):
        rule.none([failed(at, client=f"203.0.113.{at}") for at in range(19)])

    def test_the_first_of_twenty_just_outside_the_window_is_out(self):
        ats = [0, *range(1, 19), HOUR]
        rule.none([failed(at, client=f"203.0.113.{i}") for i, at in enumerate(ats)])

    def test_one_slow_source_counts_too(self):
        finding = rule.one([failed(at * 170) for at in range(20)])
        assert finding.key == {"login": "alice"}

    def test_fast_and_many_are_two_findings(self):
        keys = [finding.key for finding in rule.find([failed(at) for at in range(20)])]
        assert keys == [{"login": "alice"}, {"login": "alice", "client": "203.0.113.9"}]

    def test_a_shared_source_changes_nothing_for_the_account(self):
        events = [*office("203.0.113.9"), *[failed(60 + at * 170) for at in range(20)]]
        assert rule.one(events).key == {"login": "alice"}


class TestPrivilegedAccount:
    def test_a_declared_role_raises_it(self):
        events = [
            signed_in(0),
            request(1, "/", actor="a-alice", roles=["staff", "admin"]),
            *[failed(DAY + at, client="192.0.2.1") for at in range(5)],
        ]
        assert rule.one(events, privileged_roles=["admin"]).severity == "high"
        assert rule.one(events, privileged_roles=["root"]).severity == "medium"
        assert rule.one(events).severity == "medium"

    def test_a_privileged_action_raises_it(self):
        events = [
            signed_in(0),
            request(1, "/users", actor="a-alice", privileged=True),
            *[failed(DAY + at, client="192.0.2.1") for at in range(5)],
        ]
        assert rule.one(events).severity == "high"

    def test_a_refused_privileged_action_does_not(self):
        events = [
            signed_in(0),
            request(1, "/users", 403, actor="a-alice", privileged=True),
            *[failed(DAY + at, client="192.0.2.1") for at in range(5)],
        ]
        assert rule.one(events).severity == "medium"

    def test_what_shows_only_later_raises_nothing(self):
        events = [
            signed_in(0),
            *[failed(DAY + at, client="192.0.2.1") for at in range(5)],
            request(2 * DAY, "/users", actor="a-alice", privileged=True),
        ]
        assert rule.one(events).severity == "medium"

    def test_what_shows_while_it_is_open_raises_it(self):
        events = [
            *[failed(at, client="192.0.2.1") for at in range(5)],
            signed_in(30, client="192.0.2.1"),
            request(31, "/users", actor="a-alice", client="192.0.2.1", privileged=True),
        ]
        finding = rule.one(events)
        assert (finding.severity, finding.succeeded) == ("high", True)

    def test_the_account_may_be_known_from_the_failure_itself(self):
        events = [failed(at, actor="a-alice", privileged=True) for at in range(5)]
        assert rule.one(events).severity == "high"


class TestDeviceWithAnOldPassword:
    """A phone that retries by itself: constant interval, known client, so info only."""

    def phone(self, pause, times=40, client="198.51.100.7", ua=PHONE):
        return [failed(DAY + i * pause, client=client, ua=ua) for i in range(times)]

    def known(self, client="198.51.100.7", ua=PHONE, at=0):
        return signed_in(at, client=client, ua=ua)

    def test_it_is_info_only(self):
        finding = rule.one([self.known(), *self.phone(10)])
        assert finding.severity == "info"
        assert finding.key == {"login": "alice", "client": "198.51.100.7"}
        assert any("old password" in note for note in finding.notes)

    def test_the_name_that_opened_it_is_enough_to_know_the_client(self):
        known = {**self.known(), "actor": None}
        known = {name: value for name, value in known.items() if value is not None}
        assert rule.one([known, *self.phone(10)]).severity == "info"

    def test_slow_retries_are_not_taken_for_a_spread_attack(self):
        rule.none([self.known(), *self.phone(150)])

    def test_an_unknown_client_is_an_attack(self):
        assert {f.severity for f in rule.find(self.phone(10))} == {"medium", "high"}

    def test_another_kind_of_client_is_an_attack(self):
        events = [self.known(), *self.phone(10, ua="python-requests/2.31")]
        assert "medium" in {f.severity for f in rule.find(events)}

    def test_another_network_is_an_attack(self):
        events = [self.known(), *self.phone(10, client="192.0.2.77")]
        assert "medium" in {f.severity for f in rule.find(events)}

    def test_a_client_known_for_too_long_ago_is_an_attack(self):
        events = self.phone(10, times=5)
        assert rule.one([self.known(at=-29 * DAY), *events]).severity == "medium"
        assert rule.one([self.known(at=-29 * DAY + 60), *events]).severity == "info"

    def test_a_client_that_becomes_known_only_afterwards_is_an_attack(self):
        events = [*self.phone(10, times=6), self.known(at=2 * DAY)]
        assert rule.one(events).severity == "medium"

    def test_uneven_pauses_are_a_person_or_a_guesser(self):
        ats = (0, 10, 25, 32, 50, 61)
        events = [failed(DAY + at, client="198.51.100.7", ua=PHONE) for at in ats]
        assert rule.one([self.known(), *events]).severity == "medium"

    def test_pauses_below_a_second_are_a_program(self):
        assert rule.find([self.known(), *self.phone(0.5)])[0].severity == "high"

    def test_a_newer_version_of_the_same_client_is_known(self):
        newer = PHONE.replace("17_4", "17_5").replace("17.4", "17.5")
        assert rule.one([self.known(), *self.phone(10, ua=newer)]).severity == "info"


class TestSharedSource:
    def test_the_threshold_doubles_and_says_so(self):
        events = [*office("203.0.113.9"), *[failed(60 + at) for at in range(10)]]
        finding = rule.one(events)
        assert finding.thresholds == {"failures": 10, "window_s": 600, "shared_source": True}
        assert finding.events == tuple(range(5, 15))
        assert any("Shared source" in note for note in finding.notes)

    def test_nine_failures_from_it_are_none(self):
        rule.none([*office("203.0.113.9"), *[failed(60 + at) for at in range(9)]])

    def test_four_accounts_do_not_share_a_source(self):
        events = [*office("203.0.113.9", actors=4), *[failed(60 + at) for at in range(5)]]
        assert "shared_source" not in rule.one(events).thresholds

    def test_accounts_that_were_refused_do_not_share_it(self):
        refused = [{**event, "outcome": "denied"} for event in office("203.0.113.9")]
        assert rule.one([*refused, *[failed(60 + at) for at in range(5)]])

    def test_anonymous_visitors_do_not_share_it(self):
        visitors = [{**event, "actor_kind": "anonymous"} for event in office("203.0.113.9")]
        assert rule.one([*visitors, *[failed(60 + at) for at in range(5)]])

    def test_accounts_of_the_day_before_do_not_share_it(self):
        events = office("203.0.113.9")
        last = 4
        assert rule.one([*events, *[failed(DAY + last + at) for at in range(5)]])
        # at the fifth failure, all five were there less than a day ago
        rule.none([*events, *[failed(DAY - 5 + at) for at in range(5)]])

    def test_another_source_is_not_shared_by_it(self):
        assert rule.one([*office("203.0.113.8"), *[failed(60 + at) for at in range(5)]])


class TestNotJudged:
    def gaps(self, events):
        return {gap.why.split(":")[0]: gap.count for gap in rule.review(events).not_judged}

    def test_failures_without_a_login_are_counted(self):
        gaps = self.gaps([failed(at, login=None) for at in range(7)])
        assert gaps == {"no login": 7}

    def test_failures_without_a_client_are_counted(self):
        gaps = self.gaps([failed(at, client=None) for at in range(3)])
        assert gaps["no client"] == 3

    def test_the_arm_that_needs_a_tag_of_the_secret_says_so(self):
        gaps = self.gaps([failed(at) for at in range(3)])
        assert gaps == {"no secret_tag is recorded": 3}

    def test_a_log_without_sign_ins_says_so(self):
        assert self.gaps([request(at, "/") for at in range(4)]) == {
            "no sign-in events in this log": 4
        }

    def test_a_failure_without_a_client_counts_for_the_account(self):
        finding = rule.one([failed(at, client=None) for at in range(20)])
        assert finding.key == {"login": "alice"}
