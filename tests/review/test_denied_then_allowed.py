import pytest

from tests.review.scenes import DAY, HOUR, Detection, other, request, seconds, signed_in

pytest.importorskip("duckdb")

rule = Detection("denied-then-allowed")


def ask(at, path="/admin/report", status=403, **fields):
    return request(at, path, status, **{"actor": "dave", **fields})


def change(finding):
    return finding.title.rpartition("what changed: ")[2]


def test_a_dot_segment_twenty_seconds_later():
    finding = rule.one([ask(0), ask(20, "/admin/./report", 200)])
    assert finding.severity == "critical"
    assert finding.key == {"actor": "dave", "resource": "/admin/report"}
    assert finding.events == (0, 1)
    assert (finding.count, seconds(finding.first_ts), seconds(finding.last_ts)) == (2, 0, 20)
    assert finding.thresholds == {"window_s": 3600}
    assert finding.succeeded
    assert "dave was refused /admin/report and allowed it 20 s later" in finding.title


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/Admin/report", "case of the path"),
        ("/admin/report/", "slash at the end of the path"),
        ("/admin;x=1/report", "a ; in the path"),
        ("//admin/report", "a doubled slash in the path"),
        ("/admin/%72eport", "encoding of the path"),
        ("/admin/%2572eport", "encoding of the path"),
        ("/x/../admin/report", "a dot segment in the path"),
        ("/admin/report%20", "encoding of the path"),
        ("/admin\\report", "spelling of the path"),
    ],
)
def test_only_the_spelling_of_the_path_is_critical(path, what):
    finding = rule.one([ask(0), ask(20, path, 200)])
    assert (finding.severity, change(finding)) == ("critical", what)
    # and the other way round
    assert rule.one([ask(0, path), ask(20, status=200)]).severity == "critical"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({}, "nothing"),
        ({"method": "POST"}, "verb (GET to POST)"),
        ({"flags": ["url-override"]}, "headers"),
        ({"query": "debug=1"}, "parameters"),
        ({"path": "/admin/report/", "method": "POST"},
         "verb (GET to POST), slash at the end of the path"),
        ({"path": "/admin/report/", "flags": ["method-override"]},
         "slash at the end of the path, headers"),
    ],
    ids=str,
)  # fmt: skip
def test_anything_else_is_high(fields, what):
    finding = rule.one([ask(0), ask(20, **{"status": 200, **fields})])
    assert (finding.severity, change(finding)) == ("high", what)


def test_a_sign_of_attack_in_the_path_is_no_other_header():
    events = [ask(0), ask(20, "/x/../admin/report", 200, flags=["traversal"])]
    assert rule.one(events).severity == "critical"


def test_the_window_is_open_at_its_old_end():
    rule.none([ask(0), ask(HOUR, status=200)])
    assert rule.one([ask(0), ask(HOUR - 0.000001, status=200)])


def test_allowed_and_then_refused_is_none():
    rule.none([ask(0, status=200), ask(20)])


def test_refused_only_is_none():
    rule.none([ask(0), ask(20)])


def test_another_actor_is_none():
    rule.none([ask(0), ask(20, status=200, actor="erin")])


def test_a_hidden_thing_counts():
    assert rule.one([ask(0, outcome="hidden", reason="hidden"), ask(20, status=200)])


@pytest.mark.parametrize("outcome", ["missing", "invalid", "error", "throttled", "aborted"])
def test_what_is_no_refusal_is_none(outcome):
    rule.none([ask(0, outcome=outcome), ask(20, status=200)])


def test_a_session_stands_for_whom_nobody_knows():
    events = [ask(0, actor=None, session="s1"), ask(20, status=200, actor=None, session="s1")]
    assert rule.one(events).key == {"session": "s1", "resource": "/admin/report"}


def test_one_finding_until_it_is_quiet_for_an_hour():
    events = [ask(0), *[ask(600 * i, status=200) for i in range(1, 6)]]
    finding = rule.one(events)
    assert (finding.count, finding.events) == (6, (0, 1))
    assert len(rule.find([*events, ask(3 * HOUR), ask(3 * HOUR + 20, status=200)])) == 2


def test_the_latest_refusal_is_the_evidence():
    assert rule.one([ask(0), ask(10), ask(20, status=200)]).events == (1, 2)


class TestThing:
    """What was refused: the path in one spelling, or the route with its id."""

    def test_other_paths_are_other_things(self):
        rule.none([ask(0), ask(20, "/admin/reports", 200)])
        rule.none([ask(0, "/r/17", route="/r/{id}"), ask(20, "/r/18", 200, route="/r/{id}")])

    def test_one_id_by_two_paths_of_one_route(self):
        first = ask(0, "/r/17", route="/r/{id}", resource_id="17")
        second = ask(20, "/r/017", 200, route="/r/{id}", resource_id="17")
        finding = rule.one([first, second])
        assert (finding.severity, change(finding)) == ("high", "another path to it")
        assert finding.key["resource"] == "/r/{id} 17"

    def test_without_paths_the_route_and_id_tell(self):
        fields = {"route": "/r/{id}", "resource_id": "17"}
        assert rule.one([ask(0, None, **fields), ask(20, None, 200, **fields)])
        rule.none([ask(0, None, **fields), ask(20, None, 200, **{**fields, "resource_id": "18"})])
        rule.none([ask(0, None, route="/r/{id}"), ask(20, None, 200, route="/r/{id}")])

    def test_ids_that_differ_only_in_case_are_two_things(self):
        first = ask(0, "/f/AbC", route="/f/{id}", resource_id="AbC")
        rule.none([first, ask(20, "/f/abc", 200, route="/f/{id}", resource_id="abc")])

    def test_a_websocket_is_refused_and_accepted(self):
        events = [
            other(0, "websocket", "refuse", actor="dave", path="/ws", outcome="denied"),
            other(9, "websocket", "accept", actor="dave", path="/ws", outcome="ok"),
        ]
        assert rule.one(events).events == (0, 1)


class TestExplained:
    @pytest.mark.parametrize(
        "between",
        [
            signed_in(10, actor="dave", login=None),
            other(10, "auth", "grant", actor="root", data={"target": "dave", "role": "x"}),
            other(10, "auth", "grant", actor="root", resource="user", resource_id="dave"),
            other(10, "auth", "enabled", actor="root", data={"target": "dave"}),
            other(10, "change", "create", actor="erin", data={"target": "dave"}),
            other(10, "change", "update", actor="erin", resource="report", resource_id="5"),
            other(
                10, "change", "update", actor="erin",
                data={"resource": "report", "resource_id": "5"},
            ),
        ],
        ids=["login", "grant", "grant of user", "enabled", "shared with", "shared", "shared data"],
    )  # fmt: skip
    def test_by_what_happened_in_between(self, between):
        first = ask(0, resource="report", resource_id="5")
        second = ask(20, status=200, resource="report", resource_id="5")
        rule.none([first, between, second])
        assert rule.one([{**between, "ts": first["ts"] - 1}, first, second])
        assert rule.one([first, second, {**between, "ts": second["ts"] + 1}])

    @pytest.mark.parametrize(
        "between",
        [
            signed_in(10, actor="erin"),
            other(10, "auth", "grant", actor="root", data={"target": "erin"}),
            other(10, "auth", "logout", actor="dave"),
            other(10, "change", "update", actor="erin", resource="report", resource_id="6"),
            other(10, "change", "update", actor="dave", resource="report", resource_id="5"),
        ],
        ids=["login of another", "grant to another", "logout", "another thing", "own change"],
    )
    def test_but_not_by_anything(self, between):
        first = ask(0, resource="report", resource_id="5")
        second = ask(20, status=200, resource="report", resource_id="5")
        assert rule.one([first, between, second])

    def test_what_lies_before_the_latest_refusal_explains_nothing(self):
        fields = {"route": "/r/{id}", "resource_id": "17"}
        finding = rule.one(
            [
                ask(0, "/x/17", **fields),
                signed_in(10, actor="dave", login=None),
                ask(20, "/r/17"),
                ask(30, "/r/17", 200, **fields),
            ]
        )
        assert finding.events == (2, 3)

    def test_a_sign_in_during_the_request_that_was_allowed(self):
        during = signed_in(20.005, actor="dave", login=None)
        rule.none([ask(0), during, ask(20, status=200, duration_us=9_000)])

    def test_a_session_signs_in(self):
        first = ask(0, actor=None, session="s1")
        login = signed_in(10, actor="dave", login=None, session="s1")
        rule.none([first, login, ask(20, status=200, actor=None, session="s1")])

    @pytest.mark.parametrize(
        "reason",
        ["csrf", "rate-limit", "locked", "bad-credentials", "method", "origin", "bad-host"],
    )
    def test_by_the_reason_of_the_refusal(self, reason):
        rule.none([ask(0, reason=reason), ask(20, status=200)])

    @pytest.mark.parametrize("reason", ["forbidden", "login-required", "not-my-report", None])
    def test_not_by_other_reasons(self, reason):
        assert rule.one([ask(0, reason=reason), ask(20, status=200)])


class TestDeployment:
    def deploy(self, at):
        return other(at, "ops", "deploy", facts={"version": "2"})

    def test_in_between_it_is_info(self):
        finding = rule.one([ask(0), self.deploy(1_800), ask(3_000, status=200)])
        assert (finding.severity, change(finding)) == ("info", "nothing, after a deployment")

    def test_within_ten_minutes_after_it_too(self):
        assert rule.one([self.deploy(0), ask(60), ask(599, status=200)]).severity == "info"
        assert rule.one([self.deploy(0), ask(60), ask(600, status=200)]).severity == "high"

    def test_afterwards_it_is_none_of_its_business(self):
        assert rule.one([ask(0), ask(20, status=200), self.deploy(21)]).severity == "high"


class TestVerb:
    def test_reading_again_after_a_refused_change_is_nothing_new(self):
        view = ask(0, status=200)
        rule.none([view, ask(60, method="POST"), ask(61, status=200)])

    def test_what_was_not_read_before_is_new(self):
        assert rule.one([ask(60, method="POST"), ask(61, status=200)]).severity == "high"

    def test_what_was_read_a_day_before_is_new(self):
        view = ask(0, status=200)
        assert rule.one([view, ask(DAY, method="POST"), ask(DAY + 1, status=200)])

    def test_the_same_verb_refused_in_between_is_not_explained(self):
        assert rule.one([ask(0, status=200), ask(60), ask(61, status=200)])

    def test_a_preflight_is_nothing(self):
        rule.none([ask(0, method="DELETE"), ask(1, status=204, method="OPTIONS")])


class TestRedirect:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_of_a_page_gives_nothing_away(self, status):
        rule.none([ask(0), {**ask(20, "/admin/report/", 302), "status": status}])

    def test_after_a_change_is_success(self):
        events = [ask(0, method="POST"), ask(20, status=302, method="POST")]
        assert rule.one(events).severity == "high"

    def test_not_modified_is_read_before(self):
        assert rule.one([ask(0), ask(20, status=304)])


def test_what_has_nobody_or_no_place_is_counted_as_not_judged():
    events = [ask(0, actor=None), ask(1, path=None), ask(2, query="a=1")]
    gaps = {gap.why.split(":")[0]: gap.count for gap in rule.review(events).not_judged}
    assert gaps == {
        "no actor and no session": 1,
        "no path and no route": 1,
        "no parameters are recorded but those allowed by policy": 1,
    }
