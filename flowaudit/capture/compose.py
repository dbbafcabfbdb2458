"""From the facts of a request to its events: redacted, pseudonymised, classified.

Everything that repeats between requests (paths, user agents, referers, hosts) is looked up by
its exact text in bounded caches, so that the work is done once.
"""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from ..errors import VaultError
from ..event import ACTIONS, KINDS, Core, Personal
from ..policy.classify import classify
from ..policy.navigation import navigation
from ..policy.proxies import Proxies
from ..policy.redact import (
    clean_host,
    clean_request_id,
    clean_trace_id,
    redact_agent,
    redact_path,
    redact_query,
    redact_referer,
)
from ..policy.signs import attack_flags
from ..vault.tokens import Vault
from .facts import Facts, Said, SignIn, cookie_value

__all__ = ["Composer", "Event"]

Event = tuple[Core, Personal | None]
"""The two parts of an event that is not numbered yet."""

CACHE_SIZE: Final = 4_096
"""Distinct texts remembered of each kind; emptied when full, since most repeat soon."""

MAX_CACHED: Final = 1_024
"""Longer texts are not remembered."""

_METHODS: Final = frozenset(
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
)
_ACTOR_KINDS: Final = frozenset(["user", "service", "agent", "bot", "anonymous", "system"])
_REDIRECTS: Final = frozenset([301, 302, 303, 307, 308])

_K = TypeVar("_K")
_V = TypeVar("_V")


class Composer:
    """Makes events out of facts; one for each `FlowAudit`, used from any thread."""

    def __init__(
        self,
        vault: Vault,
        proxies: Proxies,
        *,
        query_keys: frozenset[str],
        login_paths: tuple[str, ...],
        session_cookies: tuple[str, ...],
    ) -> None:
        self._vault = vault
        self._proxies = proxies
        self._query_keys = query_keys
        self._login_paths = login_paths
        self._session_cookies = session_cookies
        self._paths: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._agents: dict[str, str | None] = {}
        self._referers: dict[str, str | None] = {}
        self._hosts: dict[str, str | None] = {}
        self._navs: dict[tuple[str, str, str], str] = {}

    def is_ready(self, facts: Facts) -> bool:
        """Whether the event can be made without touching the vault's file."""
        vault = self._vault
        if any(vault.cached(identity) is None for identity in facts.identities()):
            return False
        return all(vault.cached_hash(*tag) is not None for tag in self._tags(facts))

    def compose(self, facts: Facts) -> list[Event]:
        """The events of a request: its sign-ins and other events first, itself last.

        May ask the vault (see `is_ready`); where the vault cannot answer, the events carry no
        actor and the flag `identity-unavailable`.
        """
        tokens, hashes, is_known = self._pseudonyms(facts)
        flags: list[str] = [] if is_known else ["identity-unavailable"]
        headers = facts.headers
        client, is_untrusted = self._proxies.resolve(
            facts.host_of_peer, headers.get("x-forwarded-for", "")
        )
        path, path_flags = self._path(facts.path, facts.query)
        agent = headers.get("user-agent", "")
        self._odd_headers(facts, flags, agent, is_untrusted)
        flags += path_flags
        if facts.path_flag:
            flags.append(facts.path_flag)
        host = self._host(headers.get("host", ""), flags)
        said = facts.said_
        old, session = self._sessions(facts, hashes)
        verdict = self._classify(facts, said)
        common: dict[str, Any] = {
            "actor": tokens.get(facts.identity or ""),
            "host": host,
            "request": clean_request_id(headers["x-request-id"])
            if "x-request-id" in headers
            else None,
            "session": session,
            "trace": clean_trace_id(headers["traceparent"]) if "traceparent" in headers else None,
        }
        personal: dict[str, Any] = {
            "client": client or None,
            "peer": facts.host_of_peer if client != facts.host_of_peer else None,
            "ua": _remember(self._agents, agent, redact_agent) if agent else None,
        }
        request = Core(
            ts=facts.ts,
            kind=facts.kind,
            action=facts.action,
            method=self._method(facts.method, flags),
            route=facts.route,
            nav=self._nav(path, headers),
            status=facts.status,
            outcome=verdict[0],
            reason=verdict[1],
            duration_us=(time.perf_counter_ns() - facts.start_ns) // 1_000,
            bytes_in=facts.bytes_in or None,
            bytes_out=facts.bytes_out or None,
            actor_kind=self._actor_kind(facts, said, bool(common["actor"])),
            flags=sorted(set(flags)) if flags else None,
            **common,
            **({} if said is None else _core_of(said, tokens)),
        )
        referer = headers.get("referer", "")
        event: Event = (
            request,
            Personal(
                path=path or None,
                query=redact_query(facts.query, self._query_keys) if self._query_keys else None,
                referer=_remember(self._referers, referer, redact_referer) if referer else None,
                resource_id=said.resource_id if said is not None else None,
                data=_data(facts, said),
                **personal,
            ),
        )
        if said is None or not (said.sign_ins or said.events):
            return [event]
        sign_ins = [
            self._sign_in(each, tokens, hashes, common, personal, old) for each in said.sign_ins
        ]
        return [*sign_ins, *_other_events(said, tokens, common, personal), event]

    # -- identity ----------------------------------------------------------------------------

    def _tags(self, facts: Facts) -> list[tuple[str, str]]:
        """What must be hashed for a request: (purpose, value)."""
        tags = []
        before = self._session_id(facts)
        if before:
            tags.append(("session", before))
        if facts.new_session and facts.new_session != before:
            tags.append(("session", facts.new_session))
        if facts.said_ is not None:
            tags += [("login", each.name) for each in facts.said_.sign_ins if each.name]
        return tags

    def _session_id(self, facts: Facts) -> str | None:
        if facts.session:
            return facts.session
        cookie = facts.headers.get("cookie") if self._session_cookies else None
        return cookie_value(cookie, self._session_cookies) if cookie else None

    def _pseudonyms(self, facts: Facts) -> tuple[dict[str, str], dict[tuple[str, str], str], bool]:
        try:
            tokens = {name: self._vault.token(name) for name in facts.identities()}
            return tokens, {tag: self._vault.keyed_hash(*tag) for tag in self._tags(facts)}, True
        except VaultError:
            return {}, {}, False

    def _sessions(
        self, facts: Facts, hashes: dict[tuple[str, str], str]
    ) -> tuple[str | None, str | None]:
        """Hash of the session that the request came with, and of the one it left with."""
        before = self._session_id(facts)
        old = hashes.get(("session", before)) if before else None
        new = hashes.get(("session", facts.new_session)) if facts.new_session else None
        return old, new or old

    def _sign_in(
        self,
        sign_in: SignIn,
        tokens: dict[str, str],
        hashes: dict[tuple[str, str], str],
        common: dict[str, Any],
        personal: dict[str, Any],
        old_session: str | None,
    ) -> Event:
        data = dict(sign_in.data or {})
        session = common["session"]
        if sign_in.action == "login" and old_session and old_session != session:
            data["previous_session"] = old_session
        if sign_in.action == "logout":
            session = old_session or session
        actor = tokens.get(sign_in.identity) if sign_in.identity else None
        core = Core(
            ts=sign_in.ts,
            kind="auth",
            action=sign_in.action,
            actor_kind="user" if actor else None,
            outcome=sign_in.outcome,
            reason=sign_in.reason,
            **{**common, "actor": actor, "session": session},
        )
        login = hashes.get(("login", sign_in.name)) if sign_in.name else None
        return core, Personal(login=login, data=data or None, **personal)

    def _actor_kind(self, facts: Facts, said: Said | None, has_actor: bool) -> str | None:
        if said is not None and said.actor_kind in _ACTOR_KINDS:
            return said.actor_kind
        return "user" if has_actor else "anonymous"

    # -- the request -------------------------------------------------------------------------

    def _classify(self, facts: Facts, said: Said | None) -> tuple[str, str | None]:
        status = facts.status
        if (
            said is None
            and facts.cause is None
            and facts.exception is None
            and not facts.disconnected
            and status is not None
            and status < 300
        ):
            return "ok", None
        cause = facts.cause
        if cause is None and status in _REDIRECTS and self._leads_to_login(facts):
            cause = "login-required"
        return classify(
            status,
            denied=said.denied if said is not None else None,
            hidden=said is not None and said.hidden,
            cause=cause,
            exception=facts.exception,
            aborted=facts.disconnected,
        )

    def _leads_to_login(self, facts: Facts) -> bool:
        """Whether a redirect goes to the sign-in page, from elsewhere than that page."""
        target = facts.location
        if not target or not self._login_paths:
            return False
        if "://" in target[:12] or target.startswith("//"):
            target = "/" + target.split("//", 1)[1].partition("/")[2]
        return target.startswith(self._login_paths) and not facts.path.startswith(self._login_paths)

    def _path(self, path: str, query: str) -> tuple[str, tuple[str, ...]]:
        known = self._paths.get(path)
        if known is None:
            known = redact_path(path), attack_flags(path, "")
            if len(path) <= MAX_CACHED:
                _make_room(self._paths)
                self._paths[path] = known
        if query:
            flags = attack_flags(path, query)
            return (known[0], flags) if flags else known
        return known

    def _host(self, raw: str, flags: list[str]) -> str | None:
        if not raw:
            return None
        host = _remember(self._hosts, raw, clean_host)
        if host is None:
            flags.append("bad-host")
        return host

    def _nav(self, path: str, headers: dict[str, str]) -> str:
        purpose = headers.get("sec-purpose") or headers.get("purpose", "")
        accept = headers.get("accept", "")
        if purpose or "hx-request" in headers:
            return "prefetch" if purpose else "partial"
        key = (headers.get("sec-fetch-dest", ""), accept, path)
        known = self._navs.get(key)
        if known is None:
            known = navigation(path, purpose="", hx_request="", fetch_dest=key[0], accept=accept)
            if len(path) + len(accept) <= MAX_CACHED:
                _make_room(self._navs)
                self._navs[key] = known
        return known

    def _method(self, method: str, flags: list[str]) -> str | None:
        if method in _METHODS:
            return method
        is_shaped = method.isascii() and method.isalpha() and len(method) <= 20
        return method.upper() if is_shaped else None

    def _odd_headers(self, facts: Facts, flags: list[str], agent: str, is_untrusted: bool) -> None:
        headers = facts.headers
        if not agent:
            flags.append("no-ua")
        if "accept" not in headers:
            flags.append("no-accept")
        if is_untrusted:
            flags.append("forwarded-untrusted")
        if "x-http-method-override" in headers:
            flags.append("method-override")
        if "x-original-url" in headers or "x-rewrite-url" in headers:
            flags.append("url-override")
        origin = headers.get("origin")
        if origin and origin != "null" and origin.partition("://")[2] != headers.get("host", ""):
            flags.append("origin-mismatch")


def _core_of(said: Said, tokens: dict[str, str]) -> dict[str, Any]:
    """The fields of the core that only the app can fill."""
    return {
        "roles": said.roles,
        "via": tokens.get(said.via) if said.via else None,
        "resource": said.resource,
        "privileged": said.privileged,
        "rows": said.rows,
        "flow": said.flow,
        "step": said.step,
    }


def _data(facts: Facts, said: Said | None) -> dict[str, Any] | None:
    data = dict(said.data) if said is not None and said.data else {}
    override = facts.headers.get("x-http-method-override")
    if override and override.isalpha() and len(override) <= 20:
        data["method_override"] = override.upper()
    rewritten = facts.headers.get("x-original-url") or facts.headers.get("x-rewrite-url")
    if rewritten:
        data["url_override"] = redact_path(rewritten.partition("?")[0])
    return data or None


def _other_events(
    said: Said, tokens: dict[str, str], common: dict[str, Any], personal: dict[str, Any]
) -> list[Event]:
    events: list[Event] = []
    for kind, action, ts, values in said.events:
        if kind not in KINDS or (action is not None and action not in ACTIONS[kind]):
            continue
        is_core = kind in ("ops", "access", "process", "gap")
        core = Core(
            ts=ts,
            kind=kind,
            action=action,
            outcome="ok",
            facts=values or None if is_core else None,
            **common,
        )
        if values.get("target") in tokens:
            values = {**values, "target": tokens[str(values["target"])]}
        events.append((core, Personal(data=None if is_core else values or None, **personal)))
    return events


def _remember(cache: dict[str, _V], text: str, make: Callable[[str], _V]) -> _V:
    try:
        return cache[text]
    except KeyError:
        made = make(text)
        if len(text) <= MAX_CACHED:
            _make_room(cache)
            cache[text] = made
        return made


def _make_room(cache: dict[_K, _V]) -> None:
    if len(cache) >= CACHE_SIZE:
        cache.clear()
