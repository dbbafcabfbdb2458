"""What a request's headers say: who asks, from where, with what, and what is odd about it.

The headers that a client sends with every request are judged together, once, and remembered by
their exact values; what differs from request to request is looked at each time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..event import Value, member
from ..policy.navigation import navigation
from ..policy.proxies import Proxies, address
from ..policy.redact import clean_host, redact_agent, redact_path

__all__ = [
    "ASGI_NAMES",
    "ENVIRON_NAMES",
    "MAX_LENGTH_DIGITS",
    "NOBODY",
    "Heads",
    "Names",
    "Visitor",
]

CACHE_SIZE: Final = 4_096
"""Distinct clients remembered; emptied when full."""

MAX_CACHED: Final = 4_096
"""Characters of the headers of a client that is remembered."""

MAX_LENGTH_DIGITS: Final = 16
"""A longer Content-Length is no number of bytes that anybody sends."""

Raw = str | bytes | None


@dataclass(frozen=True, slots=True)
class Names:
    """Under which keys the headers stand that are looked at. None is recorded as it is."""

    accept: Any
    cookie: Any
    fetch_dest: Any
    forwarded: Any
    forwarded_for: Any
    host: Any
    hx_request: Any
    method_override: Any
    origin: Any
    original_url: Any
    purpose: Any
    referer: Any
    request_id: Any
    rewrite_url: Any
    sec_purpose: Any
    traceparent: Any
    user_agent: Any


_HEADERS: Final = (
    "accept",
    "cookie",
    "sec-fetch-dest",
    "forwarded",
    "x-forwarded-for",
    "host",
    "hx-request",
    "x-http-method-override",
    "origin",
    "x-original-url",
    "purpose",
    "referer",
    "x-request-id",
    "x-rewrite-url",
    "sec-purpose",
    "traceparent",
    "user-agent",
)
ASGI_NAMES: Final = Names(*(name.encode() for name in _HEADERS))
ENVIRON_NAMES: Final = Names(*("HTTP_" + name.upper().replace("-", "_") for name in _HEADERS))


@dataclass(frozen=True, slots=True)
class Visitor:
    """What stays the same from request to request of one client, with its text in events."""

    client: str | None = None
    peer: str | None = None
    """The socket's peer where it is not the client."""
    ua: str | None = None
    host: str | None = None
    flags: tuple[str, ...] = ()
    data: dict[str, Value] | None = None
    client_member: str = ""
    peer_member: str = ""
    ua_member: str = ""
    host_member: str = ""
    flags_member: str = ""
    nav_member: str = ""
    """Empty where it depends on the path."""
    data_member: str = ""


NOBODY: Final = Visitor()
"""Of work that no request asked for."""


class Heads:
    """Judges headers, and remembers whose they were by their exact values."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._visitors: dict[tuple[Raw, ...], Visitor] = {}

    def look(self, get: Callable[[Any], Any], names: Names, peer: str) -> Visitor:
        """Who sent the headers that `get` gives by the keys in `names`."""
        key: tuple[Raw, ...] = (
            peer,
            get(names.user_agent),
            get(names.accept),
            get(names.host),
            get(names.fetch_dest),
            get(names.forwarded_for),
            get(names.origin),
            get(names.hx_request),
            get(names.sec_purpose) or get(names.purpose),
            get(names.method_override),
            get(names.original_url) or get(names.rewrite_url),
        )
        if self._proxies.are_declared:
            key = (*key, get(names.forwarded))
        visitor = self._visitors.get(key)
        if visitor is None:
            visitor = self._judge(*(_text(value) for value in key))
            if sum(len(value) for value in key if value) <= MAX_CACHED:
                if len(self._visitors) >= CACHE_SIZE:
                    self._visitors.clear()
                self._visitors[key] = visitor
        return visitor

    def _judge(
        self,
        peer: str,
        agent: str,
        accept: str,
        host: str,
        fetch_dest: str,
        forwarded_for: str,
        origin: str,
        hx_request: str,
        purpose: str,
        override: str,
        rewritten: str,
        forwarded: str = "",
    ) -> Visitor:
        # servers that believe forwarded headers themselves put whatever these hold in its place
        peer = address(peer) or ""
        client, is_untrusted = self._proxies.resolve(peer, forwarded_for, forwarded)
        odd = {
            "bad-host": bool(host) and clean_host(host) is None,
            "forwarded-untrusted": is_untrusted,
            "method-override": bool(override),
            "no-accept": not accept,
            "no-ua": not agent,
            "origin-mismatch": _is_foreign(origin, host),
            "url-override": bool(rewritten),
        }
        depends_on_path = not (purpose or hx_request or fetch_dest or "text/html" in accept)
        data: dict[str, Value] = {}
        if override.isalpha() and len(override) <= 20:
            data["method_override"] = override.upper()
        if rewritten:
            data["url_override"] = redact_path(rewritten.partition("?")[0])
        return _visitor(
            client=client or None,
            peer=peer or None if client != peer else None,
            ua=redact_agent(agent),
            host=clean_host(host) if host else None,
            flags=tuple(flag for flag, is_set in odd.items() if is_set),
            nav=None
            if depends_on_path
            else navigation(
                "", purpose=purpose, hx_request=hx_request, fetch_dest=fetch_dest, accept=accept
            ),
            data=data or None,
        )


def _visitor(
    client: str | None,
    peer: str | None,
    ua: str | None,
    host: str | None,
    flags: tuple[str, ...],
    nav: str | None,
    data: dict[str, Value] | None,
) -> Visitor:
    """A visitor with the text that its fields take in an event."""
    return Visitor(
        client,
        peer,
        ua,
        host,
        flags,
        data,
        client_member=member("client", client),
        peer_member=member("peer", peer),
        ua_member=member("ua", ua),
        host_member=member("host", host),
        flags_member=member("flags", sorted(flags) or None),
        nav_member=member("nav", nav),
        data_member=member("data", data),
    )


def _is_foreign(origin: str, host: str) -> bool:
    """Whether an `Origin` names another host than the request's own; `null` is not told."""
    return bool(origin) and origin != "null" and origin.partition("://")[2] != host


def _text(raw: Raw) -> str:
    if raw is None:
        return ""
    return raw.decode("latin-1") if isinstance(raw, bytes) else raw
