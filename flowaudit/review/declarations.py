"""What the policy file tells detections: the section `[review]`, checked and typed."""

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import SettingError

__all__ = ["Declarations", "Maintenance", "RuleSetting", "parse_declarations"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TEXT_LISTS: Final = (
    "shared_accounts",
    "public_clients",
    "identity_lookup",
    "health_routes",
    "method_override_routes",
    "methods",
    "privileged_roles",
    "granting_roles",
    "crawlers",
)
_HOURS: Final = ("timezone", "days", "from", "to")


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A declared window of time in which unusual things are expected."""

    from_ts: int
    """µs UTC."""
    to_ts: int
    """µs UTC, the first moment after it."""
    reason: str


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """What `[review.rules.ID]` says of one detection."""

    off: str = ""
    """Why it does not run; empty if it does."""
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declarations:
    """The section `[review]` of a policy file."""

    scanners: tuple[Network, ...] = ()
    """Networks whose requests are tests, and left out."""
    privileged_roles: tuple[str, ...] = ()
    crawlers: tuple[str, ...] = ()
    """User-Agent families that are known to crawl."""
    maintenance: tuple[Maintenance, ...] = ()
    rules: Mapping[str, RuleSetting] = field(default_factory=dict)


def parse_declarations(
    review: Mapping[str, Any], parameters: Mapping[str, Mapping[str, int]]
) -> Declarations:
    """The declarations of a policy file's `[review]`.

    Args:
        review: the section as the file has it.
        parameters: for each detection, the parameters it has and their smallest values.

    Raises `SettingError` that names what is wrong.
    """
    texts = {name: _texts(name, review.get(name, [])) for name in _TEXT_LISTS}
    _networks("build_networks", review.get("build_networks", []))
    zone = _zone(review.get("hours", {}))
    return Declarations(
        scanners=_networks("scanners", review.get("scanners", [])),
        privileged_roles=texts["privileged_roles"],
        crawlers=texts["crawlers"],
        maintenance=tuple(
            _maintenance(f"review.maintenance[{i}]", entry, zone)
            for i, entry in enumerate(_list("maintenance", review.get("maintenance", [])))
        ),
        rules=_rules(review.get("rules", {}), parameters),
    )


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise SettingError(f"review.{name}", value, "a list")
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    for item in _list(name, value):
        if not isinstance(item, str) or not item:
            raise SettingError(f"review.{name}", item, "a list of texts")
    return tuple(_list(name, value))


def _networks(name: str, value: object) -> tuple[Network, ...]:
    networks = []
    for text in _texts(name, value):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError:
            raise SettingError(
                f"review.{name}", text, "a network such as 192.0.2.0/24 or 2001:db8::/48"
            ) from None
    return tuple(networks)


def _zone(hours: object) -> tzinfo:
    """The time zone of times without one: that of the declared hours, else UTC."""
    if not isinstance(hours, Mapping):
        raise SettingError("review.hours", hours, "a table")
    for key in hours:
        if key not in _HOURS:
            raise SettingError(f"review.hours.{key}", hours[key], _one_of(_HOURS))
    name = hours.get("timezone")
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise SettingError("review.hours.timezone", name, "a zone such as Europe/Berlin") from None


def _maintenance(name: str, entry: object, zone: tzinfo) -> Maintenance:
    if not isinstance(entry, Mapping):
        raise SettingError(name, entry, "a table with from, to and reason")
    unknown = entry.keys() - {"from", "to", "reason"}
    if unknown:
        raise SettingError(f"{name}.{min(unknown)}", entry[min(unknown)], "from, to or reason")
    reason = entry.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise SettingError(f"{name}.reason", reason, "a reason in words")
    start = _moment(f"{name}.from", entry.get("from"), zone)
    end = _moment(f"{name}.to", entry.get("to"), zone)
    if end <= start:
        raise SettingError(f"{name}.to", entry["to"], "a time after `from`")
    return Maintenance(start, end, reason)


def _moment(name: str, value: object, zone: tzinfo) -> int:
    """µs UTC of a TOML date, a date with time, or either as text in ISO 8601."""
    when = value
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            when = None
    if isinstance(when, date) and not isinstance(when, datetime):
        when = datetime.combine(when, time())
    if not isinstance(when, datetime):
        raise SettingError(name, value, "a time such as 2026-11-24T22:00:00Z")
    aware = when if when.tzinfo is not None else when.replace(tzinfo=zone)
    seconds = aware.replace(microsecond=0).timestamp()
    return int(seconds) * 1_000_000 + aware.microsecond


def _rules(rules: object, parameters: Mapping[str, Mapping[str, int]]) -> dict[str, RuleSetting]:
    if not isinstance(rules, Mapping):
        raise SettingError("review.rules", rules, "tables [review.rules.ID]")
    for rule in rules:
        if rule not in parameters:
            raise SettingError(f"review.rules.{rule}", rules[rule], _one_of(parameters))
    return {
        rule: _rule_setting(f"review.rules.{rule}", table, parameters[rule])
        for rule, table in rules.items()
    }


def _rule_setting(name: str, table: object, known: Mapping[str, int]) -> RuleSetting:
    if not isinstance(table, Mapping):
        raise SettingError(name, table, "a table")
    values = dict(table)
    off, reason = values.pop("off", False), values.pop("reason", "")
    if not isinstance(off, bool):
        raise SettingError(f"{name}.off", off, "true or false")
    if not isinstance(reason, str) or (off and not reason.strip()):
        raise SettingError(f"{name}.reason", reason, "the reason in words why the rule is off")
    for key, value in values.items():
        _check_parameter(f"{name}.{key}", key, value, known)
    return RuleSetting(reason if off else "", values)


def _check_parameter(name: str, key: str, value: object, known: Mapping[str, int]) -> None:
    if key not in known:
        raise SettingError(name, value, _one_of(("off", "reason", *known)))
    largest = 10**9  # keeps sums of times in µs within 64 bits
    if type(value) is not int or not known[key] <= value <= largest:
        raise SettingError(name, value, f"a whole number from {known[key]} to {largest}")


def _one_of(names: Collection[str]) -> str:
    return f"one of {', '.join(names)}"
