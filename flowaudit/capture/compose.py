"""From the facts of a request to its events: redacted, pseudonymised, classified."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from msgspec.structs import force_setattr

from ..errors import VaultError
from ..event import ACTIONS, KINDS, Core, Personal
from ..policy.classify import classify
from ..policy.redact import clean_request_id, clean_trace_id, redact_query, redact_referer
from ..policy.signs import attack_flags
from ..vault.tokens import Vault
from .facts import Facts, Said, SignIn, cookie_value

__all__ = ["Composer", "Event"]

Event = tuple[Core, Personal]
"""The two parts of an event that is not numbered yet."""

CACHE_SIZE: Final = 4_096
"""Distinct texts remembered of each kind; emptied when full, since most repeat soon."""

MAX_CACHED: Final = 1_024
"""Longer texts are not remembered."""

UNAVAILABLE: Final = "identity-unavailable"

_METHODS: Final = frozenset(
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
)
_ACTOR_KINDS: Final = frozenset(["user", "service", "agent", "bot", "anonymous", "system"])
_IN_FACTS: Final = frozenset(["ops", "access", "process", "gap"])
"""Kinds whose values are evidence and no one's private matter."""

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(slots=True)
class _Who:
    """The pseudonyms of one request."""

    tokens: dict[str, str] = field(default_factory=dict)
    hashes: dict[tuple[str, str], str] = field(default_factory=dict)
    is_known: bool = True
    old_session: str | None = None
    session: str | None = None


class Composer:
    """Makes events out of facts; one for each `FlowAudit`, used from any thread."""

    def __init__(
        self,
        vault: Vault,
        *,
        query_keys: frozenset[str],
        login_paths: tuple[str, ...],
        session_cookies: tuple[str, ...],
    ) -> None:
        self._vault = vault
        self._query_keys = query_keys
        self._login_paths = login_paths
        self._session_cookies = session_cookies
        self._sessions: dict[str | bytes, str | None] = {}
        self._referers: dict[str | bytes, str | None] = {}

    def plain(self, facts: Facts) -> Event | None:
        """The event of a request that the app said nothing of, from memory alone.

        `None` if the app did, or if the vault's file must be asked first: then `compose`.
        """
        if facts.said_ is not None or facts.session is not None or facts.new_session is not None:
            return None
        actor = session = via = None
        if facts.user is not None:
            actor = self._vault.cached(facts.user)
            if actor is None:
                return None
        if facts.via is not None:
            via = self._vault.cached(facts.via)
            if via is None:
                return None
        cookie = facts.head.cookie
        if cookie and self._session_cookies:
            try:
                session = self._sessions[cookie]
            except KeyError:
                return None
        return self._request(facts, None, actor, session, True, via)

    def is_ready(self, facts: Facts) -> bool:
        """Whether `compose` can do without touching the vault's file."""
        vault = self._vault
        return all(vault.cached(name) is not None for name in facts.identities()) and all(
            vault.cached_hash(*tag) is not None for tag in self._tags(facts)
        )

    def compose(self, facts: Facts) -> list[Event]:
        """The events of a request: its sign-ins and other events first, itself last.

        May ask the vault (see `is_ready`); where the vault cannot answer, the events carry no
        actor and the flag `identity-unavailable`.
        """
        who = self._who(facts)
        said = facts.said_
        identity = facts.identity
        actor = who.tokens.get(identity) if identity is not None else None
        via = facts.delegate
        event = self._request(
            facts, said, actor, who.session, who.is_known, who.tokens.get(via) if via else None
        )
        if said is None:
            return [event]
        event = _with_said(*event, said, who)
        return [*self._sign_ins(facts, said, who), *self._others(facts, said, who), event]

    # -- the request itself ------------------------------------------------------------------

    def _request(
        self,
        facts: Facts,
        said: Said | None,
        actor: str | None,
        session: str | None,
        is_known: bool,
        via: str | None,
    ) -> Event:
        head, target, query, status = facts.head, facts.target, facts.query, facts.status
        visitor = head.visitor
        flags = visitor.flags
        if target.flags or query or not is_known:
            flags = self._flags(facts, is_known)
        outcome, reason = "ok", None
        if (
            status is None
            or status >= 300
            or said is not None
            or facts.cause is not None
            or facts.exception is not None
            or facts.disconnected
        ):
            outcome, reason = self._classify(facts, said)
        method = facts.method
        core = Core(
            action=facts.action,
            actor=actor,
            actor_kind=_kind_of_actor(actor, facts.actor_kind),
            bytes_in=facts.bytes_in or None,
            bytes_out=facts.bytes_out or None,
            duration_us=(time.perf_counter_ns() - facts.start_ns) // 1_000,
            flags=sorted(flags) if flags else None,
            host=visitor.host,
            kind=facts.kind,
            method=method if method in _METHODS else _method(method),
            nav=visitor.nav or ("api" if target.is_page_like else "asset"),
            outcome=outcome,
            reason=reason,
            request=clean_request_id(_text(head.request_id)) if head.request_id else None,
            resource=facts.resource,
            roles=facts.roles,
            route=facts.route,
            session=session,
            status=status,
            trace=clean_trace_id(_text(head.traceparent)) if head.traceparent else None,
            ts=facts.ts,
            via=via,
        )
        personal = Personal(
            client=visitor.client,
            data=visitor.data,
            path=target.path or None,
            peer=visitor.peer,
            query=redact_query(query, self._query_keys) if query and self._query_keys else None,
            referer=self._referer(head.referer) if head.referer else None,
            resource_id=facts.resource_id,
            ua=visitor.ua,
        )
        return core, personal

    def _flags(self, facts: Facts, is_known: bool) -> tuple[str, ...]:
        found = facts.target.flags
        if facts.query:
            found = (*found, *attack_flags(facts.target.raw, facts.query))
        found = found if is_known else (*found, UNAVAILABLE)
        return tuple({*facts.head.visitor.flags, *found}) if found else facts.head.visitor.flags

    def _classify(self, facts: Facts, said: Said | None) -> tuple[str, str | None]:
        cause = facts.cause
        if cause is None and facts.location is not None and self._leads_to_login(facts):
            cause = "login-required"
        return classify(
            facts.status,
            denied=said.denied if said is not None else None,
            hidden=said is not None and said.hidden,
            cause=cause,
            exception=facts.exception,
            aborted=facts.disconnected,
        )

    def _leads_to_login(self, facts: Facts) -> bool:
        """Whether a redirect goes to the sign-in page, from elsewhere than that page."""
        target = facts.location
        if not target or not self._login_paths or not 300 <= (facts.status or 0) < 400:
            return False
        said = facts.said_
        if said is not None and (said.sign_ins or any(kind == "auth" for kind, *_ in said.events)):
            return False  # after a sign-out or a new password everybody is sent there
        if "://" in target[:12] or target.startswith("//"):
            target = "/" + target.split("//", 1)[1].partition("/")[2]
        return target.startswith(self._login_paths) and not facts.target.raw.startswith(
            self._login_paths
        )

    def _referer(self, raw: str | bytes) -> str | None:
        return _remember(self._referers, raw, lambda value: redact_referer(_text(value)))

    # -- who ---------------------------------------------------------------------------------

    def _who(self, facts: Facts) -> _Who:
        who = _Who()
        try:
            for name in facts.identities():
                who.tokens[name] = self._vault.token(name)
            who.old_session = who.session = self._session(facts)
            if facts.new_session is not None:
                who.session = self._vault.keyed_hash("session", facts.new_session)
            if facts.said_ is not None:
                for tag in self._tags(facts):
                    who.hashes[tag] = self._vault.keyed_hash(*tag)
        except VaultError:
            return _Who(is_known=False)
        return who

    def _session(self, facts: Facts) -> str | None:
        """Keyed hash of the session that a request came with."""
        if facts.session is not None:
            return self._vault.keyed_hash("session", facts.session)
        cookie = facts.head.cookie
        if not cookie or not self._session_cookies:
            return None
        return _remember(self._sessions, cookie, self._session_of_cookie)

    def _session_of_cookie(self, cookie: str | bytes) -> str | None:
        value = cookie_value(_text(cookie), self._session_cookies)
        return self._vault.keyed_hash("session", value) if value is not None else None

    def _tags(self, facts: Facts) -> list[tuple[str, str]]:
        """What must be hashed for a request: (purpose, value)."""
        tags = [("session", value) for value in (facts.session, facts.new_session) if value]
        if facts.said_ is not None:
            tags += [("login", each.name) for each in facts.said_.sign_ins if each.name]
        if self._session_cookies and facts.head.cookie and facts.session is None:
            value = cookie_value(_text(facts.head.cookie), self._session_cookies)
            tags += [("session", value)] if value is not None else []
        return tags

    # -- events beside the request -----------------------------------------------------------

    def _sign_ins(self, facts: Facts, said: Said, who: _Who) -> list[Event]:
        return [self._sign_in(facts, each, who) for each in said.sign_ins]

    def _sign_in(self, facts: Facts, sign_in: SignIn, who: _Who) -> Event:
        data = dict(sign_in.data or {})
        session = who.session
        if sign_in.action == "login" and who.old_session and who.old_session != session:
            data["previous_session"] = who.old_session
        if sign_in.action == "logout":
            session = who.old_session or session
        actor = who.tokens.get(sign_in.identity) if sign_in.identity else None
        core, personal = _beside(facts, "auth", sign_in.action, sign_in.ts, actor, session, who)
        core.update(outcome=sign_in.outcome, reason=sign_in.reason)
        personal["login"] = who.hashes.get(("login", sign_in.name)) if sign_in.name else None
        return Core(**core), Personal(data=data or None, **personal)

    def _others(self, facts: Facts, said: Said, who: _Who) -> list[Event]:
        events: list[Event] = []
        for kind, action, ts, values in said.events:
            if kind not in KINDS or (action is not None and action not in ACTIONS[kind]):
                continue
            actor = who.tokens.get(facts.identity) if facts.identity else None
            core, personal = _beside(facts, kind, action, ts, actor, who.session, who)
            if kind == "auth" and "target" in values:
                values = _with_token(values, who.tokens.get(str(values["target"])))
            if kind in _IN_FACTS:
                core["facts"] = values or None
            else:
                personal["data"] = values or None
            events.append((Core(**core), Personal(**personal)))
        return events


def _with_token(values: dict[str, Any], token: str | None) -> dict[str, Any]:
    """An account's event with the account's token; without one nobody is named at all."""
    rest = {name: value for name, value in values.items() if name != "target"}
    return {**rest, "target": token} if token is not None else rest


def _beside(
    facts: Facts,
    kind: str,
    action: str | None,
    ts: int,
    actor: str | None,
    session: str | None,
    who: _Who,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that an event beside a request shares with it."""
    head = facts.head
    visitor = head.visitor
    core = {
        "kind": kind,
        "action": action,
        "ts": ts,
        "actor": actor,
        "actor_kind": "user" if actor else None,
        "flags": None if who.is_known else [UNAVAILABLE],
        "host": visitor.host,
        "outcome": "ok",
        "request": clean_request_id(_text(head.request_id)) if head.request_id else None,
        "route": facts.route,
        "session": session,
        "trace": clean_trace_id(_text(head.traceparent)) if head.traceparent else None,
    }
    personal = {"client": visitor.client, "peer": visitor.peer, "ua": visitor.ua}
    return core, personal


def _with_said(core: Core, personal: Personal, said: Said, who: _Who) -> Event:
    """The event with what only the app can know."""
    set_core, set_personal = _setter(core), _setter(personal)
    if said.actor_kind in _ACTOR_KINDS:
        set_core("actor_kind", said.actor_kind)
    if said.roles is not None:
        set_core("roles", said.roles)
    set_core("privileged", said.privileged)
    set_core("rows", said.rows)
    set_core("flow", said.flow)
    set_core("step", said.step)
    if said.resource is not None:
        set_core("resource", said.resource)
        set_personal("resource_id", said.resource_id)
    if said.data:
        set_personal("data", {**said.data, **(personal.data or {})})
    return core, personal


def _setter(part: Core | Personal) -> Callable[[str, Any], None]:
    # the struct is frozen for whoever gets it; here it is still being made
    return lambda name, value: force_setattr(part, name, value)


def _kind_of_actor(actor: str | None, told: str | None) -> str:
    if told in _ACTOR_KINDS:
        return told
    return "anonymous" if actor is None else "user"


def _method(method: str) -> str | None:
    is_shaped = method.isascii() and method.isalpha() and len(method) <= 20
    return method.upper() if is_shaped else None


def _text(raw: str | bytes | None) -> str:
    if raw is None:
        return ""
    return raw.decode("latin-1") if isinstance(raw, bytes) else raw


def _remember(cache: dict[_K, _V], key: _K, make: Callable[[_K], _V]) -> _V:
    try:
        return cache[key]
    except KeyError:
        made = make(key)
        if len(key) <= MAX_CACHED:  # type: ignore[arg-type]
            if len(cache) >= CACHE_SIZE:
                cache.clear()
            cache[key] = made
        return made
