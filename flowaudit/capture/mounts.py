"""One request that two protocols carry: a WSGI app inside an ASGI app, or the other way round.

Nothing that one wrapper leaves in its scope or environ reaches the other: what stands between them
makes a new one. Its request must still give one event, and a request that an app merely sends to
another app of its own must give one of its own.
"""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from ..policy.proxies import address
from ..policy.redact import clean_host, redact_agent
from .asgi_exchange import ENRICH_KEY as ASGI_ENRICH_KEY
from .asgi_exchange import SCOPE_KEY
from .context import current
from .facts import Facts, header_text
from .readable import readable_text
from .routes import route_template
from .wsgi_exchange import ENRICH_KEY as WSGI_ENRICH_KEY
from .wsgi_exchange import ENVIRON_KEY

__all__ = [
    "A2WSGI_ENVIRON",
    "below",
    "enrich_from_within",
    "facts_around_asgi",
    "facts_around_wsgi",
]

Enrich = Callable[[MutableMapping[str, Any], Facts], None]

A2WSGI_SCOPE: Final = "asgi.scope"
"""Where a2wsgi leaves the scope in an environ."""

A2WSGI_ENVIRON: Final = "wsgi_environ"
"""Where a2wsgi leaves the environ in a scope."""


def facts_around_wsgi(environ: Mapping[str, Any]) -> Facts | None:
    """The facts of the ASGI request that this WSGI request is, if a wrapper has taken that one.

    a2wsgi leaves the scope behind. Others only hand on the context, which an app that sends a
    request of its own does too: then it must be the same in all that the environ tells.
    """
    around = current.get()
    if around is None or not around.is_asgi or around.kind != "request":
        return None
    scope = environ.get(A2WSGI_SCOPE)
    is_left = isinstance(scope, Mapping) and scope.get(SCOPE_KEY) is around
    return around if is_left or (not around.is_over and _is_same(around, environ)) else None


def facts_around_asgi(scope: Mapping[str, Any]) -> Facts | None:
    """The facts of the WSGI request that this ASGI request is, if a wrapper has taken that one."""
    environ = scope.get(A2WSGI_ENVIRON)
    facts = environ.get(ENVIRON_KEY) if isinstance(environ, Mapping) else None
    return facts if isinstance(facts, Facts) else None


def enrich_from_within(scope: MutableMapping[str, Any], outer: Facts, own: Enrich | None) -> None:
    """Have the wrapper around a WSGI app call what the ASGI app inside it tells of this request."""
    prefix = below(outer, scope.get("root_path"))
    environ = scope[A2WSGI_ENVIRON]

    def enrich(_: Mapping[str, Any], facts: Facts) -> None:
        is_new = facts.route is None
        told = scope.get(ASGI_ENRICH_KEY, own)
        try:
            if told is not None:
                told(scope, facts)
        finally:
            if is_new and facts.route is not None:
                facts.route = route_template(prefix, facts.route)

    environ.setdefault(WSGI_ENRICH_KEY, enrich)


def below(facts: Facts, script_name: object) -> str:
    """Where an app is mounted, below where its request came in: `/legacy`; empty if nowhere."""
    root, name = _text(facts.root), _text(script_name)
    return name[len(root) :].rstrip("/") if name.startswith(root) else ""


def _is_same(outer: Facts, environ: Mapping[str, Any]) -> bool:
    """Whether an environ tells what is known of a request: the same asked by the same client."""

    def given(name: str) -> str:
        return readable_text(environ.get(name))

    visitor, path = outer.visitor, _text(given("PATH_INFO"))
    sent = _text(unquote_to_bytes(outer.target.raw).decode("latin-1"))
    headers = (
        (outer.cookie, "HTTP_COOKIE"),
        (outer.referer, "HTTP_REFERER"),
        (outer.traceparent, "HTTP_TRACEPARENT"),
    )
    return (
        given("REQUEST_METHOD") == outer.method
        and sent in (_text(given("SCRIPT_NAME")) + path, path)
        and given("QUERY_STRING") == outer.query
        and (address(given("REMOTE_ADDR")) or None)
        in (visitor.peer or visitor.client, visitor.client)
        and redact_agent(given("HTTP_USER_AGENT")) == visitor.ua
        and (clean_host(host) if (host := given("HTTP_HOST")) else None) == visitor.host
        and given("HTTP_X_REQUEST_ID") in ("", header_text(outer.request_id))  # logs give one
        and all(_alike(header_text(raw), given(name)) for raw, name in headers)
    )


def _alike(sent: str, given: str) -> bool:
    """Whether two values are one header, which may have stood in several lines."""
    return sent == given or sent.replace("; ", ",") == given.replace("; ", ",")


def _text(name: object) -> str:
    """A path as text, also where its bytes come in latin-1 clothing (PEP 3333)."""
    if not isinstance(name, str):
        return ""
    try:
        return name if name.isascii() else name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name
