"""The policy file `flowaudit.toml`: what is kept of which requests, and what detections are told.

Sections: `[flowaudit]` (settings), `[[policy]]` (rules, first match wins), `[review]` and
`[flows.NAME]` (declarations that the read side uses). An unknown key is refused with its name.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from ..errors import SettingError
from ..event import Value
from .reading import check_keys, table, texts
from .rule import NO_RULE, NOTHING_LATE, Late, Rule, read_rule

__all__ = ["Decision", "Policy", "find_policy", "load_policy", "parse_policy"]

USUAL_FILE: Final = "flowaudit.toml"
"""The policy file of a working folder, where no other is named."""

MAX_TOLD_BYTES: Final = 12 * 1024
"""Bound of the rules as told on a process's start event, whose core holds 32 KiB in all."""

MAX_PATH: Final = 4_096
"""Characters of a path that patterns look at."""

CACHE_SIZE: Final = 4_096
"""Decisions remembered by method and path; emptied when full, since most repeat soon."""

MAX_CACHED: Final = 512
"""Characters of method and path whose decision is remembered."""

_SECTIONS: Final = {"flowaudit", "policy", "review", "flows"}
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
class Decision:
    """What the rules say of a request before its handler runs."""

    rules: tuple[Rule, ...]
    """Those that may still decide it, in order; the last one fits whatever comes."""
    durability: str

    @property
    def payload(self) -> tuple[Rule, ...]:
        """Those of level `payload`: if there are any, the bodies must be looked at."""
        return tuple(rule for rule in self.rules if rule.named is not None)

    def rule(self, late: Late) -> Rule:
        """The rule that decides, by what is known when the event is made."""
        for rule in self.rules:
            if rule.why_not_late(late) is None:
                return rule
        return NO_RULE


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy file, validated."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    review: Mapping[str, Any] = field(default_factory=dict)
    flows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    digest: str | None = None
    """SHA-256 of the file, in hexadecimal."""
    _decisions: dict[tuple[str, str], Decision] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def looks_at_payload(self) -> bool:
        """Whether any rule asks for what is in a body."""
        return any(rule.named is not None for rule in self.rules)

    @property
    def has_strict(self) -> bool:
        """Whether any rule asks for requests to be recorded strictly."""
        return any(rule.durability == "strict" for rule in self.rules)

    def decide(self, method: str, path: str) -> Decision:
        """What method and path (as sent, without query) decide of a request."""
        path = path[:MAX_PATH]
        known = self._decisions.get((method, path))
        if known is None:
            known = self._decide(method, path)
            if len(method) + len(path) <= MAX_CACHED:
                if len(self._decisions) >= CACHE_SIZE:
                    self._decisions.clear()
                self._decisions[method, path] = known
        return known

    def level(self, method: str, path: str, late: Late = NOTHING_LATE) -> str:
        """`none`, `meta` or `payload`: what to keep of a request. First match wins, else `meta`."""
        return self.decide(method, path).rule(late).level

    def told(self) -> dict[str, Value]:
        """The rules in force and the file's digest, as facts of a process event."""
        told: dict[str, Value] = {"policy_sha256": self.digest} if self.digest else {}
        if self.rules:
            told["policy"] = [rule.told() for rule in self.rules]
        return told

    def _decide(self, method: str, path: str) -> Decision:
        fitting: list[Rule] = []
        for rule in self.rules:
            if rule.why_not_early(method, path) is None:
                fitting.append(rule)
                if not rule.is_late:
                    break
        else:
            fitting.append(NO_RULE)
        return Decision(tuple(fitting), fitting[-1].durability)


def find_policy(named: object = None) -> Policy:
    """The policy in force: of the file that is named, else of the environment's, else of the
    usual one if it is there; else an empty one. Raises `SettingError` as `load_policy` does.
    """
    named = named or os.environ.get("FLOWAUDIT_POLICY")
    path = Path(str(named or USUAL_FILE))
    return load_policy(path) if named or path.is_file() else Policy()


def load_policy(path: Path) -> Policy:
    """Read a policy file. Raises `SettingError` that names the file and the wrong key."""
    try:
        data = path.read_bytes()
        return parse_policy(tomllib.loads(data.decode()), digest=sha256(data).hexdigest())
    except OSError as error:
        raise SettingError(
            "policy", str(path), f"a file that can be read ({error.strerror})"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError("policy", str(path), f"TOML ({error})") from None
    except SettingError as error:
        raise SettingError(f"{path.name}: {error.name}", error.value, error.expected) from None


def parse_policy(data: Mapping[str, Any], *, digest: str | None = None) -> Policy:
    """A policy from parsed TOML. Raises `SettingError` for an unknown key or a wrong value."""
    check_keys("", data, _SECTIONS)
    review = table("review", data.get("review", {}))
    check_keys("review.", review, _REVIEW_KEYS)
    flows = data.get("flows", {})
    if not isinstance(flows, Mapping):
        raise SettingError("flows", flows, "tables [flows.NAME]")
    return Policy(
        settings=table("flowaudit", data.get("flowaudit", {})),
        rules=_rules(data.get("policy", [])),
        review=review,
        flows={name: _flow(f"flows.{name}", flow) for name, flow in flows.items()},
        digest=digest,
    )


def _rules(given: object) -> tuple[Rule, ...]:
    if not isinstance(given, list):
        raise SettingError("policy", given, "a list of tables [[policy]]")
    rules = tuple(read_rule(f"policy[{i}]", rule) for i, rule in enumerate(given))
    size = len(msgspec.json.encode([rule.told() for rule in rules]))
    if size > MAX_TOLD_BYTES:
        raise SettingError(
            "policy",
            f"{len(rules)} rules, {size:,} bytes",
            f"fewer or shorter rules: all must fit into {MAX_TOLD_BYTES:,} bytes of an event",
        )
    return rules


def _flow(name: str, flow: object) -> Mapping[str, Any]:
    given = table(name, flow)
    check_keys(f"{name}.", given, _FLOW_KEYS)
    if not texts(f"{name}.steps", given.get("steps", [])):
        raise SettingError(f"{name}.steps", given.get("steps"), "a list of at least one route")
    texts(f"{name}.mandatory", given.get("mandatory", []))
    return given
