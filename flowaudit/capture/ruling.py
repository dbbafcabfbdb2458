"""What the policy says of a request once its handler has run, and what becomes of its bodies."""

from typing import Final

from ..event import MAX_PERSONAL_BYTES, Personal, encode_personal
from ..policy.rule import NO_RULE, Late, Rule
from ..policy.rules import Decision, Policy
from .actors import ActorKinds
from .bodies import Payload
from .facts import Facts

__all__ = ["Rulings", "add_payload"]

MAX_DATA_BYTES: Final = MAX_PERSONAL_BYTES - 32 * 1024
"""Room for `data` with the payload in it; the rest is for the event's other fields."""


class Rulings:
    """What the policy says of requests whose handlers have run."""

    def __init__(self, policy: Policy, kinds: ActorKinds) -> None:
        self._policy = policy
        self._kinds = kinds

    def is_ready(self, facts: Facts) -> bool:
        """Whether `rule` needs memory alone: the kind of an actor may take longer."""
        return len(self._decision(facts).rules) == 1 or self._kinds.is_ready(facts)

    def rule(self, facts: Facts) -> Rule:
        """The rule that decides; of what is no request, none does.

        Where it is of level `payload`, `facts.payload` is ready to be told; else it is let go.
        """
        if facts.kind != "request":
            return NO_RULE
        decision = self._decision(facts)
        rule = decision.rules[0]
        if rule.is_late:
            rule = decision.rule(self._late(facts))
        payload = facts.payload
        if rule.named is None:
            if payload is not None:
                payload.let_go()
                facts.payload = None
        else:
            if payload is None:  # nothing stood where it could look at the bodies
                payload = facts.payload = Payload(0)
                payload.is_unseen = True
            payload.named = rule.named
        return rule

    def _decision(self, facts: Facts) -> Decision:
        return self._policy.decide(facts.method, facts.target.raw)

    def _late(self, facts: Facts) -> Late:
        said = facts.said_
        resource = facts.resource
        if said is not None and said.resource is not None:
            resource = said.resource
        return Late(facts.route, resource, self._kinds.of(facts, facts.identity is not None))


def add_payload(facts: Facts, payload: Payload) -> None:
    """Put what may be kept of the bodies to what the app notes, as far as there is room; once."""
    told = payload.told()
    if not told:
        return
    said = facts.said
    data = {**(said.data or {}), **told}
    if len(encode_personal(Personal(data=data))) > MAX_DATA_BYTES:
        data |= {name: {"skipped": "no-room"} for name in told}
    said.data = data
