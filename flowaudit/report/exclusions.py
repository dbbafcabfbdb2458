"""What the policy left out, in a sentence: no report stays silent about it."""

from collections.abc import Sequence

from ..journeys.left_out import LeftOut
from .words import amount, printable

__all__ = ["exclusion_sentence"]


def exclusion_sentence(found: Sequence[LeftOut]) -> str:
    """Every rule that leaves requests out, how many, and why; empty if there is none."""
    if not found:
        return ""
    return f"Left out by the policy: {'; '.join(map(_one, found))}."


def _one(rule: LeftOut) -> str:
    least = "at least " if rule.at_least else ""
    late = {"route": rule.route, "resource": rule.resource, "actor kind": rule.actor_kind}
    asked = [f"{what} {' or '.join(names)}" for what, names in late.items() if names]
    methods = f"{', '.join(rule.methods)} " if rule.methods else ""
    speaks_of = ", ".join([f"{methods}{rule.pattern}", *asked])
    reason = f"reason: {rule.reason}" if rule.reason else "no reason given"
    return printable(f"{least}{amount(rule.requests, 'request')} to {speaks_of} ({reason})")
