import pytest

from tests.review.scenes import DAY, MINUTE, Detection, other, request, seconds

pytest.importorskip("duckdb")

rule = Detection("privilege-probing")

ROUTES = ("/admin/users", "/admin/export", "/billing/refunds", "/settings/keys")


def forbidden(at, route, actor="carol", **fields):
    return request(at, route, 403, **{"route": route, "actor": actor, **fields})


def prefetch(at, actor, routes=ROUTES, **fields):
    """A page, and what it asks for as soon as it is loaded."""
    return [
        request(at, "/home", route="/home", actor=actor, nav="page"),
        *[forbidden(at + 0.2 * (i + 1), r, actor, **fields) for i, r in enumerate(routes)],
    ]


def test_four_routes_in_twelve_minutes():
    finding = rule.one([forbidden(at * 240, route) for at, route in enumerate(ROUTES)])
    assert finding.severity == "high"
    assert finding.key == {"actor": "carol"}
    assert finding.events == (0, 1, 2, 3)
    assert (finding.count, seconds(finding.last_ts)) == (4, 720)
    assert finding.thresholds == {"routes": 4, "window_s": 1800}
    assert not finding.succeeded


def test_three_routes_are_none_however_often():
    rule.none([forbidden(at, ROUTES[at % 3]) for at in range(30)])


def test_the_window_is_open_at_its_old_end():
    ats = (0, 1, 2, 30 * MINUTE)
    rule.none([forbidden(at, r) for at, r in zip(ats, ROUTES, strict=True)])
    ats = (0, 1, 2, 30 * MINUTE - 0.000001)
    finding = rule.one([forbidden(at, r) for at, r in zip(ats, ROUTES, strict=True)])
    assert finding.events == (0, 1, 2, 3)


def test_actors_count_apart():
    rule.none([forbidden(at, route, actor=f"a{at % 2}") for at, route in enumerate(ROUTES)])


def test_a_word_of_the_app_is_a_refusal_too():
    assert rule.one([forbidden(i, r, reason="not-an-admin") for i, r in enumerate(ROUTES)])
    assert rule.one([forbidden(i, r, reason=None) for i, r in enumerate(ROUTES)])


@pytest.mark.parametrize(
    "reason",
    "csrf origin method bad-host locked login-required bad-credentials legal".split(),
)
def test_other_refusals_are_not_about_rights(reason):
    rule.none([forbidden(at, route, reason=reason) for at, route in enumerate(ROUTES)])


@pytest.mark.parametrize("outcome", ["hidden", "missing", "error", "throttled", "ok"])
def test_other_outcomes_are_not_refusals(outcome):
    rule.none([forbidden(at, route, outcome=outcome) for at, route in enumerate(ROUTES)])


def test_a_refused_websocket_counts():
    socket = other(3, "websocket", "refuse", actor="carol", route="/ws/admin", outcome="denied")
    events = [*[forbidden(at, route) for at, route in enumerate(ROUTES[:3])], socket]
    assert rule.one(events).events == (0, 1, 2, 3)


def test_one_that_was_allowed_in_between_is_told():
    allowed = request(10, ROUTES[0], actor="carol", route=ROUTES[0], method="POST")
    finding = rule.one([*[forbidden(at, r) for at, r in enumerate(ROUTES)], allowed])
    assert finding.succeeded
    assert "something there was allowed" in finding.title


def test_what_is_allowed_elsewhere_is_nothing():
    elsewhere = request(10, "/home", actor="carol", route="/home")
    events = [*[forbidden(at, r) for at, r in enumerate(ROUTES)], elsewhere]
    assert not rule.one(events).succeeded


class TestPrivilegedRoutes:
    def change(self, at, route, **fields):
        return forbidden(at, route, **{"method": "POST", "privileged": True, **fields})

    def test_changes_on_two_are_high(self):
        finding = rule.one([self.change(0, "/users/new"), self.change(60, "/keys/new")])
        assert finding.severity == "high"
        assert finding.events == (0, 1)
        assert finding.thresholds == {"privileged_routes": 2, "window_s": 1800}

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    def test_every_verb_that_changes_counts(self, method):
        assert rule.one([self.change(at, r, method=method) for at, r in enumerate(ROUTES[:2])])

    def test_one_is_none(self):
        rule.none([self.change(at, "/users/new") for at in range(5)])

    def test_reading_is_none(self):
        rule.none([self.change(at, r, method="GET") for at, r in enumerate(ROUTES[:3])])

    def test_what_is_not_privileged_is_none(self):
        rule.none([self.change(at, r, privileged=None) for at, r in enumerate(ROUTES[:3])])

    def test_the_window_is_open_at_its_old_end(self):
        rule.none([self.change(0, "/users/new"), self.change(30 * MINUTE, "/keys/new")])

    def test_both_arms_are_one_finding(self):
        finding = rule.one([self.change(at, r) for at, r in enumerate(ROUTES)])
        assert (finding.events, finding.count) == ((0, 1), 4)


class TestWhatManyMeet:
    """A refusal that meets many accounts on one route is excused from the fourth account on."""

    def met_by(self, *actors, at=0):
        return [
            forbidden(at + 60 * i + j, route, actor)
            for i, actor in enumerate(actors)
            for j, route in enumerate(ROUTES)
        ]

    def keys(self, events):
        return sorted(finding.key["actor"] for finding in rule.find(events))

    def test_the_fourth_account_is_excused(self):
        assert self.keys(self.met_by("a", "b", "c")) == ["a", "b", "c"]
        assert self.keys(self.met_by("a", "b", "c", "d", "e")) == ["a", "b", "c"]

    def test_one_account_three_times_is_not_three(self):
        assert self.keys(self.met_by("a", "b", "b", "b", "d")) == ["a", "b", "d"]

    def test_services_excuse_nobody(self):
        services = [{**event, "actor_kind": "service"} for event in self.met_by("a", "b", "c")]
        assert "d" in self.keys([*services, *self.met_by("d", at=300)])

    def test_a_week_later_nobody_is_excused(self):
        before = self.met_by("a", "b", "c")
        last_of_first = 3
        excused = self.met_by("d", at=7 * DAY - 0.001)
        assert "d" not in self.keys([*before, *excused])
        again = self.met_by("d", at=7 * DAY + last_of_first)
        assert "d" in self.keys([*before, *again])

    def test_only_the_routes_that_they_met_are_excused(self):
        more = ("/x1", "/x2", "/x3", "/x4")
        own = [forbidden(400 + i, route, "d") for i, route in enumerate(more)]
        events = [*self.met_by("a", "b", "c", "d"), *own]
        assert "d" in self.keys(events)
        assert "d" not in self.keys(events[:-1])


class TestInterfaceThatAsksTooMuch:
    def info(self, events):
        return [finding for finding in rule.find(events) if finding.severity == "info"]

    def loads(self, *actors, routes=ROUTES):
        return [e for i, actor in enumerate(actors) for e in prefetch(i * DAY, actor, routes)]

    def test_a_set_that_four_accounts_meet_is_one_finding_for_its_makers(self):
        (finding,) = self.info(self.loads("a", "b", "c", "d"))
        assert finding.key == {"routes": " ".join(sorted(ROUTES))}
        assert finding.count == 16
        assert len(finding.events) == 16
        assert finding.title.startswith("The interface asks for what it may not have")

    def test_later_loads_update_it(self):
        (finding,) = self.info(self.loads("a", "b", "c", "d", "a", "e"))
        assert (finding.count, finding.events_total) == (24, 16)

    def test_three_accounts_are_none(self):
        assert self.info(self.loads("a", "b", "c", "a", "b")) == []

    def test_a_smaller_set_would_not_have_fired(self):
        assert self.info(self.loads("a", "b", "c", "d", routes=ROUTES[:3])) == []

    def test_different_sets_are_different(self):
        events = [*self.loads("a", "b"), *prefetch(2 * DAY, "c", (*ROUTES, "/x")),
                  *prefetch(3 * DAY, "d", (*ROUTES, "/y"))]  # fmt: skip
        assert self.info(events) == []

    def test_what_comes_later_than_two_seconds_was_asked_for_by_a_person(self):
        events = [
            e
            for i, actor in enumerate("abcd")
            for e in [
                request(i * DAY, "/home", actor=actor, nav="page"),
                *[forbidden(i * DAY + 2.001 + j, r, actor) for j, r in enumerate(ROUTES)],
            ]
        ]
        assert self.info(events) == []

    def test_the_fourth_account_is_not_accused(self):
        accused = {f.key.get("actor") for f in rule.find(self.loads("a", "b", "c", "d", "e"))}
        assert accused == {None, "a", "b", "c"}


def test_what_has_no_actor_or_mark_is_counted_as_not_judged():
    events = [
        forbidden(0, "/x", actor=None),
        forbidden(1, "/x", method="POST"),
        forbidden(2, "/x", reason="login-required"),
    ]
    gaps = {gap.why.split(":")[0]: gap.count for gap in rule.review(events).not_judged}
    assert gaps == {
        "no actor": 1,
        "no mark of privilege": 1,
        "a signed-in account was sent to sign in": 1,
    }
