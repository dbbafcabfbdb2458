"""What the policy says of a request once its handler has run, and what becomes of its bodies."""

from typing import Final

from ..event import MAX_PERSONAL_BYTES, Personal, encode_personal
from ..policy.rule import Late, Rule
from ..policy.rules import Policy
from .bodies import Payload
from .facts import Facts

__all__ = ["add_payload", "ruling"]

MAX_DATA_BYTES: Final = MAX_PERSONAL_BYTES - 32 * 1024
"""Room for `data` with the payload in it; the rest is for the event's other fields."""


def ruling(policy: Policy, facts: Facts, kind: str) -> Rule:
    """The rule that decides about a request of an actor of some kind, now that its handler has run.

    Where it is of level `payload`, `facts.payload` is ready to be told; else it is let go.
    """
    rule = policy.decide(facts.method, facts.target.raw).rule(_late(facts, kind))
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


def _late(facts: Facts, kind: str) -> Late:
    said = facts.said_
    resource = facts.resource
    if said is not None and said.resource is not None:
        resource = said.resource
    return Late(facts.route, resource, kind)
