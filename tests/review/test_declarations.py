from datetime import UTC, date, datetime

import pytest

from flowaudit.errors import SettingError
from flowaudit.review.declarations import Maintenance, RuleSetting, parse_declarations

KNOWN = {"some-rule": {"failures": 2, "jitter": 0}}


def parse(**review):
    return parse_declarations(review, KNOWN)


def test_nothing_declared():
    declared = parse()
    assert declared.scanners == declared.maintenance == declared.privileged_roles == ()
    assert declared.rules == {}


def test_lists():
    declared = parse(scanners=["192.0.2.0/24", "2001:db8::/32"], privileged_roles=["admin"])
    assert [str(network) for network in declared.scanners] == ["192.0.2.0/24", "2001:db8::/32"]
    assert declared.privileged_roles == ("admin",)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (("2026-11-24T22:00:00Z", "2026-11-24T23:00:00+00:00"), (22, 23)),
        ((datetime(2026, 11, 24, 22, tzinfo=UTC), datetime(2026, 11, 24, 23)), (22, 23)),
        ((date(2026, 11, 24), "2026-11-25"), (0, 24)),
    ],
)
def test_maintenance_is_from_a_moment_to_another(times, expected):
    day = 1_795_478_400_000_000
    (window,) = parse(maintenance=[{"from": times[0], "to": times[1], "reason": "x"}]).maintenance
    assert window == Maintenance(*(day + hour * 3_600_000_000 for hour in expected), "x")


def test_times_without_a_zone_are_in_the_zone_of_the_declared_hours():
    entry = {"from": datetime(2026, 7, 1, 12), "to": datetime(2026, 7, 1, 13), "reason": "x"}
    (here,) = parse(maintenance=[entry]).maintenance
    (there,) = parse(maintenance=[entry], hours={"timezone": "Europe/Berlin"}).maintenance
    assert here.from_ts - there.from_ts == 2 * 3_600_000_000


def test_rules():
    assert parse(rules={"some-rule": {"failures": 7, "jitter": 0}}).rules == {
        "some-rule": RuleSetting("", {"failures": 7, "jitter": 0})
    }
    assert parse(rules={"some-rule": {"off": True, "reason": "elsewhere"}}).rules == {
        "some-rule": RuleSetting("elsewhere", {})
    }
    assert parse(rules={"some-rule": {"off": False}}).rules["some-rule"].off == ""


@pytest.mark.parametrize(
    ("review", "name"),
    [
        ({"scanners": "192.0.2.0/24"}, "review.scanners"),
        ({"scanners": ["192.0.2.1/24"]}, "review.scanners"),
        ({"build_networks": ["nowhere"]}, "review.build_networks"),
        ({"privileged_roles": [1]}, "review.privileged_roles"),
        ({"crawlers": [""]}, "review.crawlers"),
        ({"hours": 1}, "review.hours"),
        ({"hours": {"timezone": "Mars/Base"}}, "review.hours.timezone"),
        ({"hours": {"timezone": 5}}, "review.hours.timezone"),
        ({"hours": {"till": "18:00"}}, "review.hours.till"),
        ({"maintenance": {}}, "review.maintenance"),
        ({"maintenance": ["now"]}, "review.maintenance[0]"),
        ({"maintenance": [{"from": "x", "to": "2026-01-01", "reason": "r"}]},
         "review.maintenance[0].from"),
        ({"maintenance": [{"from": "2026-01-02", "to": "2026-01-01", "reason": "r"}]},
         "review.maintenance[0].to"),
        ({"maintenance": [{"from": "2026-01-01", "to": "2026-01-02"}]},
         "review.maintenance[0].reason"),
        ({"maintenance": [{"from": "2026-01-01", "to": "2026-01-02", "reason": "r", "x": 1}]},
         "review.maintenance[0].x"),
        ({"rules": []}, "review.rules"),
        ({"rules": {"some-rule": 1}}, "review.rules.some-rule"),
        ({"rules": {"some-rule": {"off": "yes"}}}, "review.rules.some-rule.off"),
        ({"rules": {"some-rule": {"failures": True}}}, "review.rules.some-rule.failures"),
        ({"rules": {"some-rule": {"failures": 1.5}}}, "review.rules.some-rule.failures"),
        ({"rules": {"some-rule": {"failures": 10**12}}}, "review.rules.some-rule.failures"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_wrong_is_refused_by_name(review, name):
    with pytest.raises(SettingError) as caught:
        parse(**review)
    assert caught.value.name == name
