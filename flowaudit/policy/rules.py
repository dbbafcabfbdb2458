"""The policy file `flowaudit.toml`: which requests are kept, and what detections are told.

Sections: `[flowaudit]` (settings), `[[policy]]` (rules, first match wins), `[review]` and
`[flows.NAME]` (declarations that the read side uses). An unknown key is refused with its name.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..errors import SettingError

__all__ = ["LEVELS", "Policy", "Rule", "load_policy", "parse_policy"]

LEVELS: Final = ("none", "meta")
"""What a rule may ask to keep: nothing, or the event."""

_SECTIONS: Final = {"flowaudit", "policy", "review", "flows"}
_RULE_KEYS: Final = {"methods", "path", "level"}
_REVIEW_KEYS: Final = {
    "scanners",
    "build_networks",
    "shared_accounts",
    "public_clients",
    "identity_lookup",
    "health_routes",
    "method_override_routes",
    "methods",
    "privileged_roles",
    "granting_roles",
    "crawlers",
    "hours",
    "maintenance",
    "rules",
}
_FLOW_KEYS: Final = {"steps", "mandatory", "reusable", "ttl_s"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What to keep of requests by method and path."""

    pattern: re.Pattern[str]
    methods: frozenset[str]
    level: str
    text: str
    """The path pattern as written, for people."""

    def fits(self, method: str, path: str) -> bool:
        """Whether this rule speaks of a request."""
        return (not self.methods or method in self.methods) and bool(self.pattern.fullmatch(path))


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy file, validated."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    review: Mapping[str, Any] = field(default_factory=dict)
    flows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def level(self, method: str, path: str) -> str:
        """`none` or `meta`: what to keep of a request. First match wins, else `meta`."""
        for rule in self.rules:
            if rule.fits(method, path):
                return rule.level
        return "meta"


def load_policy(path: Path) -> Policy:
    """Read a policy file. Raises `SettingError` that names the file and the wrong key."""
    try:
        return parse_policy(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise SettingError(
            "policy", str(path), f"a file that can be read ({error.strerror})"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError("policy", str(path), f"TOML ({error})") from None
    except SettingError as error:
        raise SettingError(f"{path.name}: {error.name}", error.value, error.expected) from None


def parse_policy(data: Mapping[str, Any]) -> Policy:
    """A policy from parsed TOML. Raises `SettingError` for an unknown key or a wrong value."""
    _check_keys("", data, _SECTIONS)
    rules = data.get("policy", [])
    if not isinstance(rules, list):
        raise SettingError("policy", rules, "a list of tables [[policy]]")
    review = _table("review", data.get("review", {}), _REVIEW_KEYS)
    flows = data.get("flows", {})
    if not isinstance(flows, Mapping):
        raise SettingError("flows", flows, "tables [flows.NAME]")
    return Policy(
        settings=_table("flowaudit", data.get("flowaudit", {}), None),
        rules=tuple(_rule(f"policy[{i}]", rule) for i, rule in enumerate(rules)),
        review=review,
        flows={name: _flow(f"flows.{name}", flow) for name, flow in flows.items()},
    )


def _rule(name: str, rule: object) -> Rule:
    table = _table(name, rule, _RULE_KEYS)
    path, level = table.get("path", "/**"), table.get("level")
    if not isinstance(path, str) or not path.startswith("/"):
        raise SettingError(f"{name}.path", path, "a pattern that starts with /, such as /static/**")
    if level not in LEVELS:
        raise SettingError(f"{name}.level", level, " or ".join(LEVELS))
    methods = _texts(f"{name}.methods", table.get("methods", []))
    return Rule(_compile(path), frozenset(m.upper() for m in methods), level, path)


def _flow(name: str, flow: object) -> Mapping[str, Any]:
    table = _table(name, flow, _FLOW_KEYS)
    if not _texts(f"{name}.steps", table.get("steps", [])):
        raise SettingError(f"{name}.steps", table.get("steps"), "a list of at least one route")
    _texts(f"{name}.mandatory", table.get("mandatory", []))
    return table


def _compile(pattern: str) -> re.Pattern[str]:
    """`**` matches anything, `*` anything within a segment; all else stands for itself."""
    parts = re.split(r"(\*\*|\*)", pattern)
    stands = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(stands.get(part) or re.escape(part) for part in parts), re.DOTALL)


def _table(name: str, value: object, keys: set[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingError(name, value, "a table")
    if keys is not None:
        _check_keys(f"{name}.", value, keys)
    return value


def _check_keys(prefix: str, table: Mapping[str, Any], known: set[str]) -> None:
    for key in table:
        if key not in known:
            raise SettingError(f"{prefix}{key}", table[key], f"one of {', '.join(sorted(known))}")


def _texts(name: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SettingError(name, value, "a list of texts")
    return value
