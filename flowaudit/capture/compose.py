"""From the facts of a request to its events: redacted, pseudonymised, classified."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from ..errors import VaultError
from ..event import ACTIONS, KINDS, Core, Personal, Pieces, cut, member
from ..policy.classify import Verdict, classify
from ..policy.login_pages import LoginPages
from ..policy.named import query_names
from ..policy.redact import redact_query, redact_referer
from ..policy.signs import attack_flags
from ..vault.base import AnyVault
from .actors import ActorKinds, kind_of_identity
from .facts import Facts, Said, SignIn, cookie_value, header_text
from .pieces import request_pieces

__all__ = ["Composer", "Event"]

Event = tuple[Core, Personal]
"""The two parts of an event that is not numbered yet."""

CACHE_SIZE: Final = 4_096
"""Distinct texts remembered of each kind; emptied when full, since most repeat soon."""

MAX_CACHED: Final = 1_024
"""Longer texts are not remembered."""

UNAVAILABLE: Final = "identity-unavailable"
_UNKNOWN: Final = "unknown"
"""Of a User-Agent that this process has not met."""

_OK: Final = Verdict("ok", None)
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
        vault: AnyVault,
        *,
        query_keys: frozenset[str],
        login_paths: tuple[str, ...],
        session_cookies: tuple[str, ...],
        agents: tuple[str, ...] = (),
    ) -> None:
        self.kinds = ActorKinds(agents)
        self._vault = vault
        self._query_keys = query_names(query_keys)
        self._login_pages = LoginPages(login_paths) if login_paths else None
        self._session_cookies = session_cookies
        self._sessions: dict[str | bytes, str | None] = {}
        self._referers: dict[str | bytes, str] = {}

    def plain(self, facts: Facts) -> Pieces | None:
        """The event of a request that signs nobody in and adds no other, from memory alone.

        `None` if it does, or if the vault's file must be asked first: then `compose`.
        """
        said, vault = facts.said_, self._vault
        family = self.kinds.families.get(facts.visitor.ua, _UNKNOWN)
        if family is _UNKNOWN:
            return None
        if said is None:
            actor, via = facts.user, facts.via
        elif said.sign_ins or said.events:
            return None
        else:
            actor, via = facts.identity, facts.delegate
        session = None
        if actor is not None and (actor := vault.cached(actor)) is None:
            return None
        if via is not None and (via := vault.cached(via)) is None:
            return None
        value = facts.new_session or facts.session
        if value is not None:
            session = vault.cached_hash("session", value)
            if session is None:
                return None
        elif facts.cookie and self._session_cookies:
            try:
                session = self._sessions[facts.cookie]
            except KeyError:
                return None
        is_nobody = actor is None and family is None and said is None and facts.actor_kind is None
        kind = "anonymous" if is_nobody else self.kinds.of(facts, actor is not None)
        return self._request(facts, actor, kind, session, via)

    def is_ready(self, facts: Facts) -> bool:
        """Whether `compose` can do without the vault's file and without a new User-Agent."""
        vault = self._vault
        return (
            self.kinds.is_ready(facts)
            and all(vault.cached(name) is not None for name in facts.identities())
            and all(vault.cached_hash(*tag) is not None for tag in self._tags(facts))
        )

    def compose(self, facts: Facts) -> tuple[list[Event], Pieces]:
        """The events of a request: its sign-ins and other events, and itself.

        May ask the vault (see `is_ready`); where the vault cannot answer, the events carry no
        actor and the flag `identity-unavailable`. What was told beside the request is taken from
        the facts, so that a websocket's second event does not tell it again.
        """
        who = self._who(facts)
        actor, via = (
            who.tokens.get(name) if name is not None else None
            for name in (facts.identity, facts.delegate)
        )
        kind = self.kinds.of(facts, actor is not None)
        event = self._request(facts, actor, kind, who.session, via, who.is_known)
        return self._beside(facts, who), event

    def late(self, facts: Facts) -> list[Event]:
        """The events of what the app told or did after the request's own event. As `compose`."""
        return self._beside(facts, self._who(facts))

    def finished(self, facts: Facts) -> Pieces:
        """The last event of a strict request: what it came to in the end, and how much it was."""
        outcome, reason = self._classify(facts, facts.said_)
        core = Core(
            action="finished",
            bytes_in=facts.bytes_in or None,
            bytes_out=facts.bytes_out or None if facts.method != "HEAD" else None,
            duration_us=facts.elapsed_us,
            kind="request",
            of=facts.of,
            outcome=outcome,
            reason=reason,
            status=facts.status,
            ts=facts.ts,
        )
        return cut(core)

    # -- the request itself ------------------------------------------------------------------

    def _request(
        self,
        facts: Facts,
        actor: str | None,
        kind: str,
        session: str | None,
        via: str | None,
        is_known: bool = True,
    ) -> Pieces:
        query, status, said = facts.query, facts.status, facts.said_
        flags = facts.visitor.flags_member
        if facts.target.flags or query or not is_known:
            flags = self._flags(facts, is_known)
        verdict = _OK
        if (
            status is None
            or status >= 300
            or said is not None
            or facts.cause is not None
            or facts.exception is not None
            or facts.disconnected
        ):
            verdict = self._classify(facts, said)
        kept = redact_query(query, self._query_keys) if query and self._query_keys else None
        referer = ""
        if facts.referer:
            referer = self._referers.get(facts.referer) or self._referer(facts.referer)
        return request_pieces(facts, verdict, actor, kind, session, via, flags, kept, referer)

    def _flags(self, facts: Facts, is_known: bool) -> str:
        """The member of the flags of a request whose target, query or identity is odd."""
        visitor, found = facts.visitor, facts.target.flags
        if facts.query:
            found = (*found, *attack_flags(facts.target.raw, facts.query))
        if not is_known:
            found = (*found, UNAVAILABLE)
        return member("flags", sorted({*visitor.flags, *found})) if found else visitor.flags_member

    def _classify(self, facts: Facts, said: Said | None) -> Verdict:
        cause = facts.cause
        if cause is None and facts.location is not None and self._leads_to_login(facts):
            cause = "login-required"
        if cause == "login-required" and said is not None and _follows_auth(facts, said):
            cause = None
        return classify(
            facts.status,
            denied=said.denied if said is not None else None,
            hidden=said is not None and said.hidden,
            cause=cause,
            exception=facts.exception,
            aborted=facts.disconnected,
            closed_with=facts.closed_with,
        )

    def _leads_to_login(self, facts: Facts) -> bool:
        """Whether a redirect goes to the sign-in page, from elsewhere than that page."""
        target, pages = facts.location, self._login_pages
        if not target or pages is None or not 300 <= (facts.status or 0) < 400:
            return False
        return pages.is_led_to(target, facts.visitor.host, facts.target.raw)

    def _referer(self, raw: str | bytes) -> str:
        """The member of what may be kept of a referer."""
        return _remember(self._referers, raw, _referer_member)

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
        cookie = facts.cookie
        if not cookie or not self._session_cookies:
            return None
        return _remember(self._sessions, cookie, self._session_of_cookie)

    def _session_of_cookie(self, cookie: str | bytes) -> str | None:
        value = cookie_value(header_text(cookie), self._session_cookies)
        return self._vault.keyed_hash("session", value) if value is not None else None

    def _tags(self, facts: Facts) -> list[tuple[str, str]]:
        """What must be hashed for a request: (purpose, value)."""
        tags = [("session", value) for value in (facts.session, facts.new_session) if value]
        if facts.said_ is not None:
            tags += [("login", each.name) for each in facts.said_.sign_ins if each.name]
        if self._session_cookies and facts.cookie and facts.session is None:
            value = cookie_value(header_text(facts.cookie), self._session_cookies)
            tags += [("session", value)] if value is not None else []
        return tags

    # -- events beside the request -----------------------------------------------------------

    def _beside(self, facts: Facts, who: _Who) -> list[Event]:
        said = facts.said_
        if said is None:
            return []
        events = [self._sign_in(facts, each, who) for each in _taken(said.sign_ins)]
        for kind, action, ts, values in _taken(said.events):
            if kind in KINDS and (action is None or action in ACTIONS[kind]):
                events.append(_other(facts, kind, action, ts, values, who))
        events += [_failure(facts, ts, error, who) for ts, error in _taken(said.failures)]
        return events

    def _sign_in(self, facts: Facts, sign_in: SignIn, who: _Who) -> Event:
        data = dict(sign_in.data or {})
        session = who.session
        if sign_in.action == "login" and who.old_session and who.old_session != session:
            data["previous_session"] = who.old_session
        if sign_in.action == "logout":
            session = who.old_session or session
        core, personal = _beside(
            facts, "auth", sign_in.action, sign_in.ts, sign_in.identity, session, who
        )
        core.update(outcome=sign_in.outcome, reason=sign_in.reason)
        personal["login"] = who.hashes.get(("login", sign_in.name)) if sign_in.name else None
        return Core(**core), Personal(data=data or None, **personal)


def _taken(told: list[_V]) -> list[_V]:
    """What was told, one by one, so that of two threads only one takes each."""
    taken = []
    with suppress(IndexError):
        while True:
            taken.append(told.pop(0))
    return taken


def _other(
    facts: Facts, kind: str, action: str | None, ts: int, values: dict[str, Any], who: _Who
) -> Event:
    """An event of another kind that the app told beside a request."""
    core, personal = _beside(facts, kind, action, ts, facts.identity, who.session, who)
    if kind == "auth" and "target" in values:
        values = _with_token(values, who.tokens.get(str(values["target"])))
    if kind in _IN_FACTS:
        core["facts"] = values or None
    else:
        personal["data"] = values or None
    return Core(**core), Personal(**personal)


def _failure(facts: Facts, ts: int, error: Exception, who: _Who) -> Event:
    """The event of work that failed after the answer: the request itself is told already."""
    core, personal = _beside(facts, "note", None, ts, facts.identity, who.session, who)
    core["outcome"], core["reason"] = classify(None, exception=error)
    return Core(**core), Personal(**personal)


def _follows_auth(facts: Facts, said: Said) -> bool:
    """Whether a redirect follows a sign-out or a new password: then everybody is sent to the
    sign-in page, and nobody is refused.
    """
    told = bool(said.sign_ins) or any(kind == "auth" for kind, *_ in said.events)
    return told and 300 <= (facts.status or 0) < 400


def _with_token(values: dict[str, Any], token: str | None) -> dict[str, Any]:
    """An account's event with the account's token; without one nobody is named at all."""
    rest = {name: value for name, value in values.items() if name != "target"}
    return {**rest, "target": token} if token is not None else rest


def _beside(
    facts: Facts,
    kind: str,
    action: str | None,
    ts: int,
    identity: str | None,
    session: str | None,
    who: _Who,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that an event beside a request shares with it."""
    visitor = facts.visitor
    actor = who.tokens.get(identity) if identity else None
    core = {
        "kind": kind,
        "action": action,
        "ts": ts,
        "actor": actor,
        "actor_kind": kind_of_identity(identity) if actor else None,
        "flags": None if who.is_known else [UNAVAILABLE],
        "host": visitor.host,
        "outcome": "ok",
        "request": facts.request,
        "route": facts.route,
        "session": session,
        "trace": facts.trace,
        "via": who.tokens.get(facts.delegate) if facts.delegate and actor else None,
    }
    personal = {"client": visitor.client, "peer": visitor.peer, "ua": visitor.ua}
    return core, personal


def _referer_member(raw: str | bytes) -> str:
    return member("referer", redact_referer(header_text(raw)))


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
