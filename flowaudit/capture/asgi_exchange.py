"""What a request and a websocket over ASGI share: how they begin, and how their events are made."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from .facts import Facts, set_cookie_value
from .heads import ASGI_NAMES, MAX_LENGTH_DIGITS
from .intake import Intake
from .readable import readable, readable_text
from .short import SENT_BY_A_PROXY
from .targets import SAFE_IN_PATH

__all__ = [
    "ENRICH_KEY",
    "NEVER_ANSWERED",
    "SCOPE_KEY",
    "ASGIApp",
    "AsgiExchange",
    "Enrich",
    "Headers",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "with_lasting_headers",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]
Enrich = Callable[[Scope, Facts], None]

SCOPE_KEY: Final = "flowaudit"
"""Where the outer wrapper leaves the request's facts, so that an inner one only enriches."""

ENRICH_KEY: Final = "flowaudit.enrich"
"""Where an inner wrapper leaves what its framework can tell, for the outer one to call."""

NEVER_ANSWERED: Final = 500
"""What servers answer for an app that never does."""

_MAY_REPEAT: Final = (
    (ASGI_NAMES.cookie, b"; "),
    (ASGI_NAMES.forwarded, b", "),
    (ASGI_NAMES.forwarded_for, b", "),
)

CACHE_SIZE: Final = 4_096

_LENGTH, _LOCATION, _COOKIE, _ELSEWHERE = 1, 2, 3, 4
_LOOKED_AT: Final = {
    b"content-length": _LENGTH,
    b"location": _LOCATION,
    b"set-cookie": _COOKIE,
    **{name.encode(): _ELSEWHERE for name in SENT_BY_A_PROXY},
}


class _HeaderNames(dict[bytes, int]):
    """Which header a name is, in whatever case it is written; 0 for those not looked at."""

    def __missing__(self, name: bytes) -> int:
        found = _LOOKED_AT.get(name.lower(), 0)
        if len(self) >= CACHE_SIZE:
            self.clear()
        self[name] = found
        return found


_header_names: Final = _HeaderNames()


class AsgiExchange:
    """One request or websocket on its way through an app.

    Args:
        audit: where its events go.
        enrich: called with the scope before an event is made: what a framework knows.
        kind: `request` or `websocket`.
        scope: as the server gave it; the facts are left in it.
    """

    __slots__ = ("audit", "enrich", "facts", "length", "receive", "scope", "send")

    def __init__(
        self,
        audit: Intake,
        enrich: Enrich | None,
        kind: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self.audit, self.enrich = audit, enrich
        self.scope, self.receive, self.send = scope, receive, send
        self.length: int | None = None
        """The answer's Content-Length, once it has begun."""
        self.facts = _begin(audit, kind, scope)

    def look_at_answer(self, headers: Headers) -> None:
        """What an answer's headers tell: its length, where it leads, a new session."""
        facts, cookies = self.facts, self.audit.settings["session_cookie"]
        self.length, is_elsewhere = None, False
        for name, value in headers:
            which = _header_names[name]
            if which == _LENGTH:
                is_number = value.isdigit() and len(value) < MAX_LENGTH_DIGITS
                self.length = int(value) if is_number else None
            elif which == _LOCATION:
                facts.location = value.decode("latin-1")
            elif which == _COOKIE and cookies:
                session = set_cookie_value(value.decode("latin-1"), cookies)
                facts.new_session = session or facts.new_session
            elif which == _ELSEWHERE:
                is_elsewhere = True
        if is_elsewhere:  # the length may be that of what a proxy sends
            self.length = None

    def finish_at_once(self) -> bool:
        """The event is in the spool when this returns True; else the vault must be asked first."""
        self.add_enrichment()
        return self.audit.finish_at_once(self.facts)

    def add_enrichment(self) -> None:
        """Let the framework tell what it knows."""
        enrich = self.scope.get(ENRICH_KEY, self.enrich)
        if enrich is not None:
            try:
                enrich(self.scope, self.facts)
            except Exception as error:
                self.audit.note_failure(error)

    def fail(self, error: BaseException) -> None:
        """The app raised past everything; a server that cancels does so because the client left."""
        if isinstance(error, CancelledError):
            self.facts.disconnected = True
        else:
            self.facts.exception = error


def _begin(audit: Intake, kind: str, scope: Scope) -> Facts:
    """A request or websocket has come in, with all that its scope says. Never raises."""
    facts = None
    try:
        headers = scope["headers"]
        if not isinstance(headers, list):
            headers = scope["headers"] = list(headers)  # it may be readable only once
        named = dict(headers)
        if len(named) < len(headers):
            _join_repeated(named, headers)
        client = scope.get("client")
        raw = scope.get("raw_path")
        facts = audit.begin(
            kind,
            scope.get("method", "GET"),
            named.get,
            ASGI_NAMES,
            client[0] if client else "",
            raw or quote(scope.get("path", ""), safe=SAFE_IN_PATH),
            not raw,
        )
        facts.root = scope.get("root_path") or ""
        query = scope.get("query_string")
        if query:
            # test clients give text
            facts.query = query if isinstance(query, str) else query.decode("latin-1")
    except Exception as error:
        audit.note_failure(error)
        facts = _read_again(audit, kind, scope, facts)
    facts.is_asgi = True
    scope[SCOPE_KEY] = facts
    return facts


def _read_again(audit: Intake, kind: str, scope: Scope, facts: Facts | None) -> Facts:
    """As `_begin`, after that has failed: with what can be read of the scope."""
    if facts is None:
        client: Any = scope.get("client")
        headers = scope.get("headers")
        pairs = [pair for pair in headers if _is_pair(pair)] if isinstance(headers, list) else []
        sent = readable(scope.get("raw_path"))
        facts = audit.begin(
            kind,
            readable_text(scope.get("method")),
            dict(pairs).get,
            ASGI_NAMES,
            readable_text(client[0]) if _is_pair(client) else "",
            sent or quote(readable_text(scope.get("path")), safe=SAFE_IN_PATH),
            not sent,
        )
    facts.query = readable_text(scope.get("query_string"))
    return facts


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], (str, bytes))
    )


def _join_repeated(named: dict[bytes, bytes], headers: Headers) -> None:
    """Make one of headers that may stand several times (RFC 9110 §5.3; HTTP/2 splits cookies)."""
    for wanted, comma in _MAY_REPEAT:
        if wanted in named:
            named[wanted] = comma.join(value for name, value in headers if name == wanted)


def with_lasting_headers(message: Message) -> tuple[Message, Headers]:
    """The message and its headers, which the server reads after us: they may pass only once."""
    headers = message.get("headers") or ()
    if not isinstance(headers, (list, tuple)):
        headers = list(headers)
        message = {**message, "headers": headers}
    return message, headers
