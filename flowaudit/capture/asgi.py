"""The ASGI wrapper: watches the messages of a request or websocket and changes none of them."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool

from ..policy.classify import CLIENT_LEFT, says_gone
from .beacon_asgi import BeaconedAsgi
from .context import current
from .facts import Facts, set_cookie_value
from .heads import ASGI_NAMES
from .intake import Intake
from .payload import tapped_asgi
from .targets import SAFE_IN_PATH

__all__ = ["ASGIApp", "AsgiCapture"]

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

CLOSED_BEFORE_ACCEPT: Final = 403
"""What servers answer to a handshake that the app closes before it accepts."""

NEVER_ANSWERED: Final = 500
"""What servers answer for an app that never does."""

_MAY_REPEAT: Final = (
    (ASGI_NAMES.cookie, b"; "),
    (ASGI_NAMES.forwarded, b", "),
    (ASGI_NAMES.forwarded_for, b", "),
)


_WITHOUT_BODY: Final = frozenset([204, 304])

_EMPTY: Final = ((b"content-length", b"0"), (b"Content-Length", b"0"))
"""A header that announces no body; Django writes it with capitals."""


class AsgiCapture:
    """An ASGI app whose every request and websocket gives an event.

    Args:
        app: the app inside.
        audit: where the events go.
        enrich: called with the scope when the app has answered: what a framework knows.
    """

    def __init__(self, app: ASGIApp, audit: Intake, enrich: Enrich | None = None) -> None:
        tapped = tapped_asgi(app, audit)
        self.app: ASGIApp = BeaconedAsgi.around(tapped, audit.settings, enrich, ENRICH_KEY)
        self.audit = audit
        self._enrich = enrich
        self._cookies: tuple[str, ...] = audit.settings["session_cookie"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as the ASGI specification has it."""
        kind = scope["type"]
        if SCOPE_KEY in scope:
            await self._inner(scope, receive, send)
            return
        if not self.audit.is_open and kind in ("http", "websocket"):
            await run_in_threadpool(self.audit.open)  # a process's first: files, off the loop
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        facts = self._begin(scope, "request")
        has_trailers = False
        headers: Headers = ()
        length: int | None = None

        async def watched_receive() -> Message:
            message = await receive()
            try:
                if message["type"] == "http.request":
                    facts.bytes_in += len(message.get("body") or b"")
                elif message["type"] == "http.disconnect" and not facts.done:
                    facts.disconnected = True
            except Exception as error:  # a message that no server gives
                self.audit.note_failure(error)
            return message

        async def watched_send(message: Message) -> None:
            nonlocal has_trailers, headers, length
            is_last = False
            try:
                kind = message["type"]
                if kind == "http.response.body":
                    body = message.get("body")
                    if body:
                        facts.bytes_out += len(body)
                    if message.get("more_body", False):  # no need, if the client has it whole
                        if length is None:
                            length = _content_length(headers)
                        is_last = 0 < length <= facts.bytes_out and not has_trailers
                    else:
                        is_last = not has_trailers
                elif kind == "http.response.start":
                    has_trailers = message.get("trailers", False)
                    headers = message.get("headers") or ()
                    if not isinstance(headers, list):
                        message, headers = _with_lasting_headers(message)
                    status = message.get("status")
                    facts.status = status = status if isinstance(status, int) else None
                    if self._cookies or status is None or status >= 300:
                        self._look_at_answer(facts, headers)
                    is_last = _is_bodiless(facts.method, status, headers)
                elif kind == "http.response.trailers":
                    is_last = not message.get("more_trailers", False)
                elif kind == "http.response.pathsend":
                    facts.bytes_out += _content_length(headers)
                    is_last = not has_trailers
                elif kind == "http.response.zerocopysend":
                    facts.bytes_out += message.get("count") or 0
                    is_last = not (has_trailers or message.get("more_body", False))
            except Exception as error:  # a message that no server would take
                self.audit.note_failure(error)
            if is_last and not facts.done and not self._finish_at_once(scope, facts):
                await self.audit.finish_async(facts)
            try:
                await send(message)
            except OSError:  # what a server raises once the client is gone (ASGI, HTTP 2.4)
                facts.disconnected = facts.disconnected or not facts.done
                raise

        token = current.set(facts)
        try:
            await self.app(scope, watched_receive, watched_send)
        except BaseException as error:
            if not facts.done:
                _fail(facts, error)
            raise
        finally:
            current.reset(token)
            if not facts.done:
                if facts.status is None:
                    facts.status = CLIENT_LEFT if facts.disconnected else NEVER_ANSWERED
                if not self._finish_at_once(scope, facts):
                    self.audit.finish_slowly(facts)

    def _begin(self, scope: Scope, kind: str) -> Facts:
        audit = self.audit
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
            query = scope.get("query_string")
            if query:
                # test clients give text
                facts.query = query if isinstance(query, str) else query.decode("latin-1")
        except Exception as error:
            audit.note_failure(error)
            facts = Facts(audit.now_us(), "GET", kind=kind)
        scope[SCOPE_KEY] = facts
        return facts

    def _look_at_answer(self, facts: Facts, headers: Headers) -> None:
        """What the answer's headers tell: where it leads, and a new session."""
        try:
            for name, value in headers:
                lowered = name.lower()
                if lowered == b"location":
                    facts.location = value.decode("latin-1")
                elif lowered == b"set-cookie" and self._cookies:
                    session = set_cookie_value(value.decode("latin-1"), self._cookies)
                    facts.new_session = session or facts.new_session
        except Exception as error:
            self.audit.note_failure(error)

    def _finish_at_once(self, scope: Scope, facts: Facts) -> bool:
        """The event is in the spool when this returns True; else the vault must be asked first."""
        enrich = scope.get(ENRICH_KEY, self._enrich)
        if enrich is not None:
            try:
                enrich(scope, facts)
            except Exception as error:
                self.audit.note_failure(error)
        return self.audit.finish_at_once(facts)

    async def _inner(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Inside another wrapper: only tell it what this framework knows."""
        if self._enrich is not None:
            scope.setdefault(ENRICH_KEY, self._enrich)
        await self.app(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing_send(message: Message) -> None:
            kind = message.get("type") if isinstance(message, MutableMapping) else None
            if kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await run_in_threadpool(self.audit.close)
            await send(message)

        await self.app(scope, receive, closing_send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One event when it is accepted or refused, one when an accepted one is closed."""
        facts = self._begin(scope, "websocket")
        talk = _Talk()

        async def watched_receive() -> Message:
            message = await receive()
            try:
                kind = message["type"]
                if kind == "websocket.receive":
                    talk.messages_in += 1
                    facts.bytes_in += _size(message)
                elif kind == "websocket.disconnect" and not talk.is_over:
                    talk.close(message.get("code", 1005))
                    facts.disconnected = facts.action is None
            except Exception as error:  # a message that no server gives
                self.audit.note_failure(error)
            return message

        async def watched_send(message: Message) -> None:
            try:
                kind = message["type"]
                if kind == "websocket.send":
                    talk.messages_out += 1
                    facts.bytes_out += _size(message)
                elif kind == "websocket.accept" and facts.action is None:
                    await self._tell(scope, facts, "accept")
                elif kind == "websocket.close":
                    if not talk.is_over:  # what the client said when it left stands
                        facts.closed_with = talk.close(message.get("code", 1000))
                    if facts.action is None:
                        facts.status = facts.status or CLOSED_BEFORE_ACCEPT
                        facts.said.note({"close_code": talk.close_code})
                        await self._tell(scope, facts, "refuse")
                elif kind == "websocket.http.response.start" and facts.action is None:
                    status = message.get("status")
                    facts.status = status if isinstance(status, int) else None
                    message, headers = _with_lasting_headers(message)
                    self._look_at_answer(facts, headers)
                elif kind == "websocket.http.response.body" and facts.action is None:
                    facts.bytes_out += len(message.get("body") or b"")
                    if not message.get("more_body", False):
                        await self._tell(scope, facts, "refuse")
            except Exception as error:  # a message that no server would take
                self.audit.note_failure(error)
            try:
                await send(message)
            except OSError as error:  # what a server raises once the client is gone (ASGI 2.4)
                talk.unsent = error
                if not talk.is_over:
                    talk.is_over = facts.disconnected = True
                raise

        token = current.set(facts)
        try:
            await self.app(scope, watched_receive, watched_send)
        except BaseException as error:
            if not talk.explains(error):
                _fail(facts, error)
            raise
        finally:
            current.reset(token)
            if facts.action != "refuse":
                if facts.action is None:
                    facts.action = "refuse"
                    if facts.status is None:
                        facts.status = CLIENT_LEFT if facts.disconnected else NEVER_ANSWERED
                else:
                    facts.action = "close"
                    facts.said.note(talk.told())
                facts.done = False
                if not self._finish_at_once(scope, facts):
                    self.audit.finish_slowly(facts)

    async def _tell(self, scope: Scope, facts: Facts, action: str) -> None:
        facts.action, facts.done = action, False
        if not self._finish_at_once(scope, facts):
            await self.audit.finish_async(facts)


class _Talk:
    """What went over a websocket, and how it ended."""

    def __init__(self) -> None:
        self.messages_in = self.messages_out = 0
        self.close_code: int | None = None
        self.is_over = False
        """Either side has closed it, or the client is known to be gone."""
        self.unsent: OSError | None = None
        """What the server raised for a message that nobody was there for."""

    def close(self, code: object) -> int | None:
        """Take the first close, and give its code."""
        self.is_over = True
        self.close_code = int(code) if isinstance(code, int) else None  # servers give enums too
        return self.close_code

    def explains(self, error: BaseException) -> bool:
        """Whether the app raised what the end of the talk made it raise, which is no fault."""
        if isinstance(error, BaseExceptionGroup):
            return all(self.explains(each) for each in error.exceptions)
        return self.is_over and (
            error is self.unsent or isinstance(error, CancelledError) or says_gone(error)
        )

    def told(self) -> dict[str, int | None]:
        return {
            "close_code": self.close_code,
            "messages_in": self.messages_in,
            "messages_out": self.messages_out,
        }


def _fail(facts: Facts, error: BaseException) -> None:
    """The app raised past everything; a server that cancels does so because the client left."""
    if isinstance(error, CancelledError):
        facts.disconnected = True
    else:
        facts.exception = error


def _join_repeated(named: dict[bytes, bytes], headers: Headers) -> None:
    """Make one of headers that may stand several times (RFC 9110 §5.3; HTTP/2 splits cookies)."""
    for wanted, comma in _MAY_REPEAT:
        if wanted in named:
            named[wanted] = comma.join(value for name, value in headers if name == wanted)


def _is_bodiless(method: str, status: object, headers: object) -> bool:
    """Whether a client has the whole answer with its head: then the event is due before that."""
    return (
        method == "HEAD"
        or status in _WITHOUT_BODY
        or (isinstance(headers, list) and any(empty in headers for empty in _EMPTY))
    )


def _with_lasting_headers(message: Message) -> tuple[Message, Headers]:
    """The message and its headers, which the server reads after us: they may pass only once."""
    headers = message.get("headers") or ()
    if not isinstance(headers, (list, tuple)):
        headers = list(headers)
        message = {**message, "headers": headers}
    return message, headers


def _content_length(headers: Headers) -> int:
    for name, value in headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _size(message: Message) -> int:
    text = message.get("text")
    return len(text.encode("utf-8", "replace")) if text else len(message.get("bytes") or b"")
