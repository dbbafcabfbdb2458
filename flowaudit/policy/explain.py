"""Which rule a request meets, and why: the same decision as in the request, in words."""

from dataclasses import dataclass

from .named import Named
from .rule import NO_RULE, Late, Rule
from .rules import Policy

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with its reasons."""

    rule: Rule
    """`NO_RULE` if none fits."""
    passed_over: tuple[tuple[Rule, str], ...]
    """The rules above it, each with why it did not fit."""
    records: tuple[str, ...]
    """What would be recorded."""


def explain(policy: Policy, method: str, path: str, late: Late) -> Explanation:
    """Explain what the policy decides about a request."""
    passed_over: list[tuple[Rule, str]] = []
    for rule in policy.rules:
        why = rule.why_not_early(method, path) or rule.why_not_late(late)
        if why is None:
            return Explanation(rule, tuple(passed_over), _records(rule))
        passed_over.append((rule, why))
    return Explanation(NO_RULE, tuple(passed_over), _records(NO_RULE))


def _records(rule: Rule) -> tuple[str, ...]:
    if rule.level == "none":
        return ("no event; the request is counted as left out by this rule",)
    event = "the event, with nothing of cookies, other headers and bodies"
    if rule.named is None:
        return (event,)
    return (event, f"but, of bodies up to {rule.named.max_bytes:,} bytes:", *_parts(rule.named))


def _parts(named: Named) -> tuple[str, ...]:
    given = {name.replace("_", " "): names for name, names in named.given.items() if names}
    told = [f"{what}: {', '.join(names)}" for what, names in given.items()]
    return (*told, "of all else in JSON and forms: type and length")
