import pytest

from flowaudit.review.catalogue import never_paths, sensitive_paths
from tests.review.scenes import MINUTE, Detection, office, request, seconds

pytest.importorskip("duckdb")

rule = Detection("sensitive-path-probe")


def probe(at, path, status=404, **fields):
    return request(at, path, status, **fields)


def test_three_paths_in_ten_seconds_are_medium():
    finding = rule.one([probe(0, "/.env"), probe(5, "/.git/HEAD"), probe(10, "/wp-login.php")])
    assert finding.severity == "medium"
    assert finding.key == {"client": "203.0.113.9"}
    assert finding.events == (0, 1, 2)
    assert (finding.count, seconds(finding.first_ts), seconds(finding.last_ts)) == (3, 0, 10)
    assert finding.thresholds == {"hits": 1, "paths": 3, "window_s": 300}
    assert not finding.succeeded


def test_one_hit_is_low():
    finding = rule.one([probe(0, "/.env")])
    assert (finding.severity, finding.events) == ("low", (0,))
    assert "1 sensitive path (" in finding.title


def test_two_paths_are_low_however_often():
    finding = rule.one([probe(at, ["/.env", "/.git/HEAD"][at % 2]) for at in range(10)])
    assert (finding.severity, finding.events, finding.count) == ("low", (0,), 10)


def test_the_window_is_open_at_its_old_end():
    out = [probe(0, "/.env"), probe(1, "/.git/HEAD"), probe(5 * MINUTE, "/wp-login.php")]
    assert rule.one(out).severity == "low"
    within = [*out[:2], probe(5 * MINUTE - 0.000001, "/wp-login.php")]
    assert rule.one(within).events == (0, 1, 2)


def test_a_path_asked_for_again_stays_in_the_window():
    ats = [(0, "/.env"), (299, "/.env"), (400, "/.git/HEAD"), (500, "/wp-login.php")]
    finding = rule.one([probe(at, path) for at, path in ats])
    assert (finding.severity, finding.events) == ("medium", (1, 2, 3))
    assert (finding.count, seconds(finding.first_ts)) == (4, 0)


def test_after_a_quiet_window_it_is_another_finding():
    findings = rule.find([probe(0, "/.env"), probe(5 * MINUTE, "/.env")])
    assert [finding.events for finding in findings] == [(1,), (0,)]
    assert rule.one([probe(0, "/.env"), probe(5 * MINUTE - 0.001, "/.env")]).count == 2


LISTED = [
    "/.env",
    "/.ENV",
    "/%2eenv",
    "/.env?x=1",
    "/app/.env",
    "/a/b/c/.git/config",
    "/wp-admin",
    "/wp-admin/",
    "/wp-admin/install.php",
    "/site/phpmyadmin/index.php",
    "/cgi-bin/luci",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/.well-known/../.env",
]
NOT_LISTED = [
    "/",
    "/environment",
    "/.envoy",
    "/my.env",
    "/wp-administrator",
    "/docs/wp-login.php.html",
    "/%252eenv",
    "/backup.sql.html",
    "/robots.txt",
    "/favicon.ico",
    "/sitemap.xml",
    "/ads.txt",
    "/apple-app-site-association",
    "/humans.txt",
    "/manifest.json",
    "/sw.js",
    "/.well-known/acme-challenge/x",
    "/.well-known/change-password",
    "/.well-known/.env",
]


def test_the_list_is_matched_decoded_in_lower_case_and_under_a_prefix():
    events = [probe(0, path, client=f"10.0.0.{i}") for i, path in enumerate(LISTED)]
    found = {events[f.events[0]]["path"]: f.severity for f in rule.find(events)}
    assert found == dict.fromkeys(LISTED, "low")


def test_what_is_not_on_the_list_is_none():
    rule.none([probe(0, path, client=f"10.0.0.{i}") for i, path in enumerate(NOT_LISTED)])


def test_the_list_has_its_length_and_every_path_of_tier_a_fires():
    tiers = [listed.tier for listed in sensitive_paths()]
    assert (tiers.count("A"), tiers.count("B"), len(never_paths())) == (83, 22, 9)
    events = [
        probe(0, listed.entry, client=f"10.0.0.{i}")
        for i, listed in enumerate(p for p in sensitive_paths() if p.tier == "A")
    ]
    assert len(rule.find(events)) == 83


class TestTierB:
    paths = ("/graphql", "/actuator/health", "/admin/login")

    def test_three_paths_are_medium(self):
        finding = rule.one([probe(at, path) for at, path in enumerate(self.paths)])
        assert (finding.severity, finding.events) == ("medium", (0, 1, 2))
        assert finding.thresholds == {"paths": 3, "window_s": 300}

    def test_two_are_none(self):
        rule.none([probe(at, path) for at, path in enumerate(self.paths[:2])])

    def test_the_window_is_open_at_its_old_end(self):
        ats = (0, 1, 5 * MINUTE)
        rule.none([probe(at, path) for at, path in zip(ats, self.paths, strict=True)])

    @pytest.mark.parametrize("route", ["/admin/", "admin/", "^admin/", "/admin/users/{id}"])
    def test_the_apps_own_routes_are_left_out(self, route):
        staff = [
            request(at, f"/admin/page-{at}", client="198.51.100.1", route="/admin/{page}")
            for at in range(5)
        ]
        rule.none(staff)
        others = [request(100, "/elsewhere", route=route, client="192.0.2.1")]
        rule.none([*others, *[probe(at, path) for at, path in enumerate(self.paths)]])

    def test_a_catch_all_route_is_no_route_of_its_own(self):
        events = [
            probe(at, path, route="/{path:path}", status=404) for at, path in enumerate(self.paths)
        ]
        assert rule.one(events).severity == "medium"

    def test_in_a_log_without_routes_what_is_answered_is_routed(self):
        rule.none([request(at, f"/admin/page-{at}", bytes_out=500 + at) for at in range(5)])

    def test_tiers_count_apart(self):
        events = [probe(0, "/.env"), probe(1, "/.git/HEAD"), probe(2, "/graphql")]
        assert rule.one(events).severity == "low"


class TestExposed:
    def exposed(self, events):
        return [f for f in rule.find(events) if f.severity == "critical"]

    def test_an_answer_with_a_body_is_critical_and_a_finding_of_its_own(self):
        critical, low = rule.find([probe(0, "/.env", 200, bytes_out=312)])
        assert (critical.severity, low.severity) == ("critical", "low")
        assert critical.key == low.key == {"client": "203.0.113.9"}
        assert critical.events == (0,)
        assert critical.succeeded
        assert low.succeeded
        assert "/.env is exposed" in critical.title

    @pytest.mark.parametrize("status", [200, 206])
    def test_any_2xx_counts(self, status):
        assert self.exposed([probe(0, "/.env", status, bytes_out=312)])

    @pytest.mark.parametrize(
        "fields",
        [
            {"status": 404, "bytes_out": 312},
            {"status": 302, "bytes_out": 312},
            {"status": 204},
            {"status": 200},
            {"status": 200, "bytes_out": 312, "method": "HEAD"},
        ],
        ids=str,
    )
    def test_no_body_is_not_exposed(self, fields):
        status = fields.pop("status")
        assert self.exposed([probe(0, "/.env", status, **fields)]) == []

    def test_tier_b_is_never_exposed(self):
        assert self.exposed([probe(0, "/metrics", 200, bytes_out=312)]) == []

    def test_other_answers_of_other_lengths_change_nothing(self):
        events = [
            *[request(at, f"/page-{at}", bytes_out=1_000 + at) for at in range(20)],
            probe(30, "/.env", 200, bytes_out=312),
            probe(31, "/.git/HEAD"),
        ]
        assert len(self.exposed(events)) == 1

    def test_one_other_page_of_the_same_length_is_chance(self):
        events = [
            *[
                request(at, f"/page-{at}", bytes_out=300 + at, client="192.0.2.1")
                for at in range(20)
            ],
            probe(30, "/.env", 200, bytes_out=312),
        ]
        assert len(self.exposed(events)) == 1

    @pytest.mark.parametrize(
        "another",
        [
            request(60, "/no-such-page-7f3a", bytes_out=1_234),
            request(60, "/", bytes_out=1_234, client="192.0.2.1"),
            request(60, "/wp-login.php", bytes_out=1_234, client="192.0.2.1"),
        ],
        ids=["an invented path", "the start page", "another listed path"],
    )
    def test_a_single_page_app_is_probed_but_not_exposed(self, another):
        pages = [
            request(at, f"/p-{at}.js", bytes_out=9_000 + at, client="192.0.2.1") for at in range(30)
        ]
        events = [*pages, probe(40, "/.env", 200, bytes_out=1_234), another]
        assert self.exposed(events) == []
        assert rule.find(events)

    def test_a_single_page_app_shows_in_the_pages_of_others(self):
        events = [
            *[request(at, f"/view-{at}", bytes_out=1_234, client="192.0.2.1") for at in range(9)],
            *[
                request(at, f"/p-{at}.js", bytes_out=9_000 + at, client="192.0.2.1")
                for at in range(30)
            ],
            probe(40, "/.env", 200, bytes_out=1_234),
        ]
        assert self.exposed(events) == []

    @pytest.mark.timeout(30)
    def test_many_probes_of_an_app_that_answers_alike_are_looked_at_in_time(self):
        pages = [
            request(at, f"/view-{at}", bytes_out=1_234, client="192.0.2.1") for at in range(15_000)
        ]
        probes = [
            probe(at, "/.env", 200, bytes_out=1_234, client=f"10.{at // 250}.0.{at % 250}")
            for at in range(15_000)
        ]
        found = rule.find([*pages, *probes])
        assert {finding.severity for finding in found} == {"low"}
        assert len(found) == 15_000

    def test_another_spelling_of_the_same_file_proves_nothing(self):
        events = [
            probe(0, "/.env", 200, bytes_out=312),
            probe(1, "//.env", 200, bytes_out=312),
            probe(2, "/./.env/.", 200, bytes_out=312),
        ]
        assert len(self.exposed(events)) == 1

    def test_another_host_proves_nothing(self):
        events = [
            probe(0, "/.env", 200, bytes_out=312, host="a.example"),
            request(1, "/", bytes_out=312, host="b.example"),
        ]
        assert len(self.exposed(events)) == 1


class TestSharedSource:
    paths = ("/.env", "/.git/HEAD", "/wp-login.php", "/xmlrpc.php", "/web.config", "/.npmrc")

    def test_thresholds_double(self):
        office_events = office("203.0.113.9")
        rule.none([*office_events, probe(60, "/.env")])
        low = rule.one([*office_events, *[probe(60 + i, p) for i, p in enumerate(self.paths[:5])]])
        assert low.severity == "low"
        assert low.events == (5, 6)
        medium = rule.one([*office_events, *[probe(60 + i, p) for i, p in enumerate(self.paths)]])
        assert medium.severity == "medium"
        assert medium.events == tuple(range(5, 11))
        assert medium.thresholds == {
            "hits": 2,
            "paths": 6,
            "window_s": 300,
            "shared_source": True,
        }

    def test_what_is_exposed_is_exposed(self):
        events = [*office("203.0.113.9"), probe(60, "/.env", 200, bytes_out=312)]
        finding = rule.one(events)
        assert finding.severity == "critical"
        assert "shared_source" not in finding.thresholds


def test_what_has_no_path_or_client_is_counted_as_not_judged():
    events = [request(0), request(1, client=None), request(2, "/.env", client=None)]
    gaps = {gap.why.split(":")[0]: gap.count for gap in rule.review(events).not_judged}
    assert gaps == {"no path": 2, "no client": 1}


def test_addresses_of_one_v6_network_are_one_source():
    paths = ("/.env", "/.git/HEAD", "/wp-login.php")
    events = [probe(i, p, client=f"2001:db8::{i}") for i, p in enumerate(paths)]
    assert rule.one(events).key == {"client": "2001:db8::/64"}
