"""What the policy left out: the rules of level `none` that were in force, and how often."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .engine import Engine
from .tables import run_analysis

__all__ = ["LeftOut", "left_out"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Requests that gave no event, by one rule."""

    pattern: str
    """Of the path."""
    methods: tuple[str, ...]
    """All if empty; so with the next three."""
    route: tuple[str, ...]
    resource: tuple[str, ...]
    actor_kind: tuple[str, ...]
    reason: str | None
    """Whose decision it was."""
    requests: int = 0
    at_least: bool = False
    """Whether a process has not told its last count: it still runs, or was killed."""


def left_out(engine: Engine) -> tuple[LeftOut, ...]:
    """Every such rule that was in force in a process of the trail, the most used first."""
    rules: dict[str, list[Mapping[str, Any]]] = {}
    signs: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for source, action, facts in run_analysis(engine, "left_out"):
        told = _map(facts)
        if action == "start":
            rules[source] = [rule for rule in _list(told.get("policy")) if isinstance(rule, dict)]
        else:
            signs[source] = action, told
    found: dict[LeftOut, tuple[int, bool]] = {}
    for source, listed in rules.items():
        action, told = signs.get(source, ("", {}))
        counts = told.get("left_out")
        for place, rule in enumerate(listed):
            if rule.get("level") != "none":
                continue
            which = _rule(rule)
            so_far, at_least = found.get(which, (0, False))
            count = counts.get(f"policy[{place}]") if isinstance(counts, dict) else None
            so_far += count if isinstance(count, int) else 0
            found[which] = so_far, at_least or action != "stop"
    told_all = [replace(rule, requests=n, at_least=least) for rule, (n, least) in found.items()]
    return tuple(sorted(told_all, key=lambda each: (-each.requests, each.pattern, each.methods)))


def _rule(rule: Mapping[str, Any]) -> LeftOut:
    reason = rule.get("reason")
    return LeftOut(
        pattern=str(rule.get("pattern")),
        methods=_texts(rule.get("methods")),
        route=_texts(rule.get("route")),
        resource=_texts(rule.get("resource")),
        actor_kind=_texts(rule.get("actor_kind")),
        reason=str(reason) if reason else None,
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, _list(value)))


def _list(value: object) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _map(text: str | None) -> Mapping[str, Any]:
    try:
        told = json.loads(text) if text else {}
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
