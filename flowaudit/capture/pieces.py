"""A request's event as text, out of members that are mostly encoded once and kept.

Requests differ from each other in few fields. What repeats (a visitor, a target, a route, an
outcome) stands ready as the text it takes in an event, so that making one is to put members in
the order of their keys (RFC 8785). The text is what `encode_core` and `encode_personal`
would give.
"""

import time
from typing import Final

from ..event import SCHEMA_VERSION, Pieces, member
from ..policy.classify import Verdict
from .facts import Facts
from .readable import readable_text

__all__ = ["request_pieces"]

CACHE_SIZE: Final = 4_096
"""Names remembered as members; emptied when full. They are the app's own words, thus few."""

_METHODS: Final = {
    name: member("method", name)
    for name in ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
}


class _Names(dict[tuple[str, str], str]):
    """Members of text fields by (name, value), encoded at the first need."""

    def __missing__(self, key: tuple[str, str]) -> str:
        made = member(*key)
        if len(self) >= CACHE_SIZE:
            self.clear()
        self[key] = made
        return made


_names: Final = _Names()


def request_pieces(
    facts: Facts,
    verdict: Verdict,
    actor: str | None,
    kind: str,
    session: str | None,
    via: str | None,
    flags: str,
    query: str | None,
    referer: str,
) -> Pieces:
    """The event of a request, a websocket or a job.

    Args:
        facts: what happened; its visitor and target bring the members that are theirs.
        verdict: outcome and reason.
        actor: token of who acted, and `kind` of actor; `via`: token of who really acts.
        session: keyed hash of the session.
        flags: the member of the flags; `referer` that of the referer.
        query: what may be kept of the query.
    """
    said, visitor, target = facts.said_, facts.visitor, facts.target
    roles = facts.roles
    resource, resource_id = facts.resource, facts.resource_id
    flow = privileged = rows = step = ""
    data = visitor.data_member
    if said is not None:
        roles = said.roles or roles
        if said.resource is not None:
            resource, resource_id = said.resource, said.resource_id
        flow, step = member("flow", said.flow), member("step", said.step)
        privileged, rows = member("privileged", said.privileged), member("rows", said.rows)
        if said.data:
            data = member("data", {**said.data, **(visitor.data or {})})
    action = "" if facts.action is None else _names["action", facts.action]
    actor = "" if actor is None else f',"actor":"{actor}"'
    bytes_in = f',"bytes_in":{facts.bytes_in}' if facts.bytes_in else ""
    has_body = facts.bytes_out and facts.method != "HEAD"  # of a HEAD the server sends none
    bytes_out = f',"bytes_out":{facts.bytes_out}' if has_body else ""
    duration_us = (time.perf_counter_ns() - facts.start_ns) // 1_000
    method = _METHODS.get(facts.method) or member("method", _method(facts.method))
    before_n = (
        f'{action}{actor},"actor_kind":"{kind}"{bytes_in}{bytes_out},"duration_us":{duration_us}'
        f'{flags}{flow}{visitor.host_member},"kind":"{facts.kind}"{method},"n":'
    )
    outcome, reason = verdict
    because = "" if reason is None else _names["reason", reason]
    request = ""
    if facts.request_id and (request_id := facts.request) is not None:
        request = f',"request":"{request_id}"'
    thing = "" if resource is None else _names["resource", resource]
    held = "" if roles is None else member("roles", roles)
    route = "" if facts.route is None else _names["route", facts.route]
    session = "" if session is None else f',"session":"{session}"'
    of = "" if facts.of is None else f',"of":{facts.of}'
    after_n = (
        f'{visitor.nav_member or target.nav_member}{of},"outcome":"{outcome}"{privileged}{because}'
        f'{request}{thing}{held}{route}{rows}{session},"source":"'
    )
    status = "" if facts.status is None else f',"status":{facts.status}'
    trace = ""
    if facts.traceparent and (trace_id := facts.trace) is not None:
        trace = f',"trace":"{trace_id}"'
    via = "" if via is None else f',"via":"{via}"'
    after_source = f'"{status}{step}{trace},"ts":{facts.ts},"v":{SCHEMA_VERSION}{via}}}'
    query = "" if query is None else member("query", query)
    which = "" if resource_id is None else member("resource_id", resource_id)
    personal = (
        f"{visitor.client_member}{data}{target.path_member}{visitor.peer_member}{query}{referer}"
        f"{which}{visitor.ua_member}"
    )
    return f"{{{before_n[1:]}", after_n, after_source, f"{{{personal[1:]}}}" if personal else ""


def _method(sent: object) -> str | None:
    method = readable_text(sent)
    is_shaped = method.isascii() and method.isalpha() and len(method) <= 20
    return method.upper() if is_shaped else None
