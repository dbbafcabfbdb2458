"""Work outside requests, and how its actor travels to it from the request that ordered it."""

from collections.abc import Callable, Mapping
from typing import Final

from ..policy.redact import clean_request_id, clean_trace_id
from ..vault.tokens import Token, is_token
from .actors import kind_of_identity
from .facts import Actor, Facts, header_text, name_text

__all__ = ["carried_of", "job_facts"]

TRACE_PARENT: Final = "00-{}-0000000000000001-00"
"""A `traceparent` (W3C Trace Context) around a trace id that has come with a job."""


def carried_of(facts: Facts, token: Callable[[str], str]) -> dict[str, str]:
    """What travels from a request to the work that it orders: texts only, tokens for people.

    Raises what `token` raises.
    """
    said = facts.said_
    roles = (said.roles if said is not None else None) or facts.roles
    identity, delegate = facts.identity, facts.delegate
    told = (said.actor_kind if said is not None else None) or facts.actor_kind
    carried = {
        "actor": token(identity) if identity is not None else None,
        "kind": told or (kind_of_identity(identity) if identity is not None else None),
        "request": clean_request_id(header_text(facts.request_id)),
        "roles": "\n".join(roles) if roles else None,
        "trace": clean_trace_id(header_text(facts.traceparent)),
        "via": token(delegate) if delegate is not None else None,
    }
    return {name: value for name, value in carried.items() if value is not None}


def job_facts(
    ts: int, name: str, actor: Actor | None, carried: Mapping[str, object] | None
) -> Facts:
    """The facts of a job that begins: its name, and what was carried to it, as far as it is fit.

    An actor that is named takes the place of the one that was carried.
    """
    facts = Facts(ts, "", kind="note", route=name_text(f"job:{name}"))
    come = {
        key: value
        for key, value in (carried.items() if isinstance(carried, Mapping) else ())
        if isinstance(value, str)
    }
    if actor is None:
        roles = come["roles"].split("\n") if "roles" in come else None
        via = Token(come["via"]) if is_token(come.get("via", "")) else None
        if is_token(come.get("actor", "")):
            actor = Actor(Token(come["actor"]), roles, come.get("kind"), via)
    facts.act(actor)
    facts.request_id = come.get("request")
    facts.traceparent = TRACE_PARENT.format(come["trace"]) if "trace" in come else None
    return facts
