"""One rule of the policy: which requests it speaks of, and what is kept of them.

A rule is *early* if method and path decide whether it fits, and *late* if it also asks for what is
known only once the handler has run: route, resource, kind of actor.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..errors import SettingError
from ..event import Value, clean_text
from .named import PAYLOAD_KEYS, Named, named_parts
from .patterns import compile_pattern
from .reading import check_keys, table, texts

__all__ = ["ACTOR_KINDS", "LEVELS", "NOTHING_LATE", "NO_RULE", "Late", "Rule", "read_rule"]

LEVELS: Final = ("none", "meta", "payload")
"""What a rule may ask to keep: nothing, the event, or the event with named parts of bodies."""

ACTOR_KINDS: Final = ("user", "service", "agent", "bot", "anonymous", "system")

MAX_TEXT: Final = 200
"""Characters of a reason, route pattern or resource: they are told in the trail."""

_DURABILITIES: Final = ("relaxed", "strict")
_LATE_KEYS: Final = ("route", "resource", "actor_kind")
_KEYS: Final = frozenset(
    ("methods", "path", "level", "durability", "reason", *_LATE_KEYS, *PAYLOAD_KEYS)
)
_METHOD: Final = re.compile(r"[A-Za-z]{1,20}")


class Late(NamedTuple):
    """What is known of a request only once its handler has run."""

    route: str | None = None
    resource: str | None = None
    actor_kind: str | None = None


NOTHING_LATE: Final = Late()


@dataclass(frozen=True, slots=True)
class Rule:
    """What to keep of some requests."""

    name: str
    """Where it stands in the policy file: `policy[0]` is the first."""
    level: str
    path: str = "/**"
    """The path pattern as written, for people."""
    methods: frozenset[str] = frozenset()
    """All if empty."""
    durability: str = "relaxed"
    reason: str | None = None
    """Whose decision it is and why; shown with what was left out."""
    route: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    actor_kind: tuple[str, ...] = ()
    named: Named | None = None
    """For level `payload`: what is kept of bodies and headers."""
    path_pattern: re.Pattern[str] | None = None
    route_patterns: tuple[re.Pattern[str], ...] = ()

    @property
    def is_late(self) -> bool:
        """Whether it is decided only when the event is made."""
        return bool(self.route or self.resource or self.actor_kind)

    @property
    def text(self) -> str:
        """What it speaks of, for people: `POST /orders/**, route /orders/{id}`."""
        methods = ", ".join(sorted(self.methods)) or "any method"
        late = {"route": self.route, "resource": self.resource, "actor kind": self.actor_kind}
        asked = [f"{what} {' or '.join(names)}" for what, names in late.items() if names]
        return ", ".join([f"{methods} {self.path}", *asked])

    def why_not_early(self, method: str, path: str) -> str | None:
        """Why method or path keep this rule from fitting; `None` if they do not."""
        if self.methods and method not in self.methods:
            return f"its methods are {', '.join(sorted(self.methods))}"
        if self.path_pattern is not None and self.path_pattern.fullmatch(path) is None:
            return f"its path is {self.path}"
        return None

    def why_not_late(self, late: Late) -> str | None:
        """Why what is known later keeps this rule from fitting; `None` if it does not."""
        if self.route and not _fits_one(self.route_patterns, late.route):
            return _why_not("route", self.route, late.route)
        if self.resource and late.resource not in self.resource:
            return _why_not("resource", self.resource, late.resource)
        if self.actor_kind and late.actor_kind not in self.actor_kind:
            return _why_not("actor kind", self.actor_kind, late.actor_kind)
        return None

    def told(self) -> dict[str, Value]:
        """The rule as evidence: what stands on the process's start event."""
        parts: dict[str, Any] = {
            "pattern": self.path,
            "methods": sorted(self.methods),
            "route": list(self.route),
            "resource": list(self.resource),
            "actor_kind": list(self.actor_kind),
            "level": self.level,
            "durability": self.durability if self.durability != "relaxed" else None,
            "reason": self.reason,
            **(self.named.told() if self.named is not None else {}),
        }
        return {key: value for key, value in parts.items() if value}


NO_RULE: Final = Rule(name="", level="meta")
"""What holds where no rule fits."""


def read_rule(name: str, value: object) -> Rule:
    """A rule from its table. Raises `SettingError` that names the wrong key."""
    given = table(name, value)
    check_keys(f"{name}.", given, _KEYS)
    level = given.get("level")
    if level not in LEVELS:
        raise SettingError(f"{name}.level", level, " or ".join(LEVELS))
    path = given.get("path", "/**")
    if not isinstance(path, str) or not path.startswith("/"):
        raise SettingError(f"{name}.path", path, "a pattern that starts with /, such as /static/**")
    late = {key: _one_or_more(f"{name}.{key}", given.get(key, [])) for key in _LATE_KEYS}
    for kind in late["actor_kind"]:
        if kind not in ACTOR_KINDS:
            raise SettingError(f"{name}.actor_kind", kind, " or ".join(ACTOR_KINDS))
    return Rule(
        name=name,
        level=level,
        path=path,
        methods=_methods(f"{name}.methods", given.get("methods", [])),
        durability=_durability(name, given, is_late=any(late.values())),
        reason=_reason(f"{name}.reason", given.get("reason")),
        **late,
        named=_named(name, level, given),
        path_pattern=None if path == "/**" else _pattern(f"{name}.path", path),
        route_patterns=tuple(_pattern(f"{name}.route", each) for each in late["route"]),
    )


def _why_not(what: str, names: tuple[str, ...], given: str | None) -> str:
    return f"its {what} is {' or '.join(names)}{'' if given else '; none was given'}"


def _fits_one(patterns: tuple[re.Pattern[str], ...], text: str | None) -> bool:
    return text is not None and any(pattern.fullmatch(text) for pattern in patterns)


def _pattern(name: str, text: str) -> re.Pattern[str]:
    try:
        return compile_pattern(text)
    except ValueError:
        raise SettingError(
            name, text, "at most 200 characters, with * within a segment and ** across segments"
        ) from None


def _one_or_more(name: str, value: object) -> tuple[str, ...]:
    found = tuple(texts(name, [value] if isinstance(value, str) else value))
    for text in found:
        if not 0 < len(text) <= MAX_TEXT:
            raise SettingError(name, text, f"a text of 1 to {MAX_TEXT} characters")
    return found


def _methods(name: str, value: object) -> frozenset[str]:
    found = texts(name, value)
    for method in found:
        if not _METHOD.fullmatch(method):
            raise SettingError(name, method, "a method such as GET")
    return frozenset(method.upper() for method in found)


def _durability(name: str, given: Mapping[str, Any], *, is_late: bool) -> str:
    value = given.get("durability", "relaxed")
    if value not in _DURABILITIES:
        raise SettingError(f"{name}.durability", value, " or ".join(_DURABILITIES))
    if is_late and "durability" in given:
        raise SettingError(
            f"{name}.durability",
            value,
            "no durability in a rule by route, resource or actor_kind: it must be known before"
            " the handler runs",
        )
    if value == "strict" and given.get("level") == "none":
        raise SettingError(f"{name}.durability", value, "relaxed: of level none nothing is kept")
    return str(value)


def _reason(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or "\n" in value:
        raise SettingError(name, value, f"a text of one line, at most {MAX_TEXT} characters")
    return clean_text(value, MAX_TEXT)


def _named(name: str, level: str, given: Mapping[str, Any]) -> Named | None:
    if level == "payload":
        return named_parts(name, given)
    for key in PAYLOAD_KEYS:
        if key in given:
            raise SettingError(f"{name}.{key}", given[key], 'level = "payload" in the same rule')
    return None
