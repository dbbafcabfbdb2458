import pytest

from tests.review.scenes import (
    CRAWLER,
    HOUR,
    MINUTE,
    Detection,
    office,
    request,
    seconds,
)

pytest.importorskip("duckdb")

rule = Detection("object-id-enumeration")


def ask(at, number, status=403, **fields):
    defaults = {"path": f"/invoices/{number}", "route": "/invoices/{id}", "actor": "bob"}
    return request(at, status=status, **{**defaults, **fields})


def test_twelve_invoices_at_two_a_second():
    """Eleven refused, one allowed (his own): a finding at the eighth refusal."""
    events = [ask(i / 2, 1001 + i, 200 if i == 6 else 403) for i in range(12)]
    finding = rule.one(events)
    assert finding.severity == "high"
    assert finding.key == {"actor": "bob"}
    assert finding.events == (0, 1, 2, 3, 4, 5, 7, 8)
    assert (finding.count, seconds(finding.first_ts), seconds(finding.last_ts)) == (11, 0, 5.5)
    assert finding.thresholds == {"refused_ids": 8, "window_s": 600}
    assert finding.succeeded
    assert "/invoices/{id}" in finding.title
    assert any(note.startswith("Asked for in order") for note in finding.notes)


def test_seven_ids_are_none():
    rule.none([ask(at, at) for at in range(7)])


def test_one_id_asked_for_often_is_one():
    rule.none([ask(at, at % 7) for at in range(70)])


def test_the_window_is_open_at_its_old_end():
    rule.none([ask(at, at) for at in (0, 1, 2, 3, 4, 5, 6, 10 * MINUTE)])
    finding = rule.one([ask(at, i) for i, at in enumerate((0, 1, 2, 3, 4, 5, 6, 599.999999))])
    assert finding.events == tuple(range(8))


@pytest.mark.parametrize("outcome", ["denied", "hidden", "missing"])
def test_refused_hidden_and_missing_count(outcome):
    finding = rule.one([ask(at, at, outcome=outcome, reason=None) for at in range(8)])
    missing = [note for note in finding.notes if "do not exist" in note]
    assert missing == (["8 of 8 ids do not exist."] if outcome == "missing" else [])


@pytest.mark.parametrize("outcome", ["ok", "error", "invalid", "throttled", "aborted"])
def test_other_outcomes_do_not(outcome):
    rule.none([ask(at, at, outcome=outcome, reason=None) for at in range(30)])


@pytest.mark.parametrize("reason", ["csrf", "origin", "method", "bad-host"])
def test_a_refusal_that_says_nothing_of_the_object_does_not(reason):
    rule.none([ask(at, at, reason=reason) for at in range(30)])


def test_routes_count_apart():
    rule.none([ask(at, at, route=f"/{at % 3}/{{id}}") for at in range(20)])


def test_the_id_that_the_app_tells_counts():
    fields = {"route": "/invoice", "resource": "invoice"}
    events = [ask(at, at, path="/invoice", resource_id=str(at), **fields) for at in range(8)]
    assert rule.one(events).events == tuple(range(8))
    rule.none([ask(at, at, resource_id="17") for at in range(20)])


@pytest.mark.parametrize("route", ["/invoices/<int:id>", "invoices/(?P<pk>[0-9]+)/"])
def test_routes_of_other_frameworks_have_ids_too(route):
    assert rule.one([ask(at, at, route=route) for at in range(8)])


def test_uuids_count_and_have_no_order():
    ids = [f"0000000{i}-0000-4000-8000-00000000000{i}" for i in range(8)]
    assert rule.one([ask(at, each) for at, each in enumerate(ids)]).notes == ()


class TestWalk:
    def walk(self, refused, allowed):
        total = refused + allowed
        return [ask(at, at, 403 if at < refused else 200) for at in range(total)]

    def test_twenty_ids_of_which_five_are_refused(self):
        finding = rule.one(self.walk(5, 15))
        assert finding.severity == "high"
        assert finding.events == tuple(range(20))
        assert finding.thresholds == {"walk_ids": 20, "walk_refused_ids": 5, "window_s": 600}
        assert finding.succeeded

    def test_nineteen_ids_are_none(self):
        rule.none(self.walk(5, 14))

    def test_four_refused_are_none(self):
        rule.none(self.walk(4, 60))

    def test_refused_and_later_allowed_is_one_id(self):
        events = [*self.walk(5, 10), *[ask(100 + at, at, 200) for at in range(5)]]
        rule.none(events)

    def test_the_window_is_open_at_its_old_end(self):
        events = self.walk(5, 15)
        late = {**events[-1], "ts": events[0]["ts"] + 600_000_000}
        rule.none([*events[:-1], late])
        early = {**late, "ts": late["ts"] - 1}
        assert rule.one([*events[:-1], early]).events == tuple(range(20))

    def test_eight_refused_in_a_walk_are_one_finding(self):
        assert rule.one(self.walk(8, 30)).count == 8 + 19

    def test_someone_who_goes_on_reading_what_is_allowed_does_not_keep_it_open(self):
        events = [*[ask(at, at) for at in range(8)],
                  *[ask(60 + at * 120, 500, 200) for at in range(50)]]  # fmt: skip
        finding = rule.one(events)
        assert (finding.count, seconds(finding.last_ts)) == (8, 7)


class TestMustNotFire:
    def test_a_list_whose_fifty_cards_are_all_allowed(self):
        rule.none([ask(at / 50, at, 200) for at in range(50)])

    def test_nine_old_links_over_an_hour(self):
        rule.none([ask(at * 400, at, 404) for at in range(9)])

    def test_a_crawler_on_public_ids(self):
        events = [
            ask(at, at, 404 if at % 2 else 200, actor=None, client="66.249.66.1", ua=CRAWLER)
            for at in range(60)
        ]
        rule.none(events)
        assert rule.find([{**event, "ua": "curl/8.5"} for event in events])

    def test_a_client_that_only_claims_to_crawl_and_is_refused(self):
        events = [ask(at, at, 403, actor=None, ua=CRAWLER) for at in range(8)]
        assert rule.one(events).key == {"client": "203.0.113.9"}

    def test_a_declared_family_crawls_too(self):
        events = [ask(at, at, 404, actor=None, ua="curl/8.5.0") for at in range(8)]
        assert rule.find(events)
        rule.none(events, crawlers=["curl"])


class TestKey:
    def test_a_session_stands_for_whom_nobody_knows(self):
        finding = rule.one([ask(at, at, actor=None, session="s1") for at in range(8)])
        assert finding.key == {"session": "s1"}

    def test_the_source_stands_where_there_is_no_session(self):
        finding = rule.one([ask(at, at, actor=None) for at in range(8)])
        assert finding.key == {"client": "203.0.113.9"}

    def test_addresses_of_one_v6_network_are_one_source(self):
        events = [ask(at, at, actor=None, client=f"2001:db8::{at}") for at in range(8)]
        assert rule.one(events).key == {"client": "2001:db8::/64"}

    def test_two_routes_walked_at_once_are_one_finding(self):
        events = [ask(at / 2, at, route=f"/{at % 2}/{{id}}") for at in range(20)]
        finding = rule.one(events)
        assert finding.events == tuple(range(0, 16, 2))
        assert finding.count == 20

    def test_actors_count_apart(self):
        rule.none([ask(at, at, actor=f"actor-{at % 2}") for at in range(14)])
        assert len(rule.find([ask(at, at, actor=f"actor-{at % 2}") for at in range(16)])) == 2


class TestSharedSource:
    def test_the_threshold_doubles_for_a_source(self):
        events = [ask(60 + at, at, actor=None) for at in range(16)]
        rule.none([*office("203.0.113.9"), *events[:15]])
        finding = rule.one([*office("203.0.113.9"), *events])
        assert finding.thresholds == {"refused_ids": 16, "window_s": 600, "shared_source": True}

    def test_the_walk_doubles_too(self):
        events = [ask(60 + at, at, 403 if at < 10 else 200, actor=None) for at in range(40)]
        rule.none([*office("203.0.113.9"), *events[:39]])
        assert rule.one([*office("203.0.113.9"), *events]).thresholds["walk_ids"] == 40

    def test_an_actor_is_not_a_source(self):
        events = [ask(60 + at, at) for at in range(8)]
        assert "shared_source" not in rule.one([*office("203.0.113.9"), *events]).thresholds


def test_what_has_no_id_or_route_is_counted_as_not_judged():
    events = [request(at, f"/{at}", 403) for at in range(3)]
    events += [ask(HOUR, 1, 200, resource_id="1")]
    gaps = [(gap.why.split(":")[0], gap.count) for gap in rule.review(events).not_judged]
    assert gaps == [("no route or no id", 3), ("ids shown in lists are not recorded", 1)]
