"""Taps: what lets bodies be looked at on their way, without holding, changing or reordering them.

They stand between a wrapper and its app, only where the policy has rules of level `payload`, and
do something only for requests that such a rule may speak of.
"""

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, Final

from .bodies import Body, Payload
from .context import current
from .facts import Facts
from .files import is_servers_file
from .intake import Intake
from .readable import readable_text
from .streams import Blocks, Guard, Input, SizedBlocks, has_blocks
from .wsgi_exchange import lasting_headers

__all__ = ["begin_payload", "tapped_asgi", "tapped_wsgi"]

_CGI_NAMES: Final = ("CONTENT_LENGTH", "CONTENT_TYPE")


def tapped_asgi(app: Any, audit: Intake) -> Any:
    """An ASGI app with its bodies looked at; the app itself, unless the policy asks for it."""
    return _TappedAsgi(app, audit) if audit.policy.looks_at_payload else app


def tapped_wsgi(app: Any, audit: Intake) -> Any:
    """A WSGI app with its bodies looked at; the app itself, unless the policy asks for it."""
    return _TappedWsgi(app, audit) if audit.policy.looks_at_payload else app


def begin_payload(audit: Intake, facts: Facts | None) -> Payload | None:
    """Where to put a request's bodies, if a rule may ask for them and nobody watches them yet."""
    try:
        if facts is None or facts.kind != "request" or facts.payload is not None:
            return None
        rules = audit.policy.decide(facts.method, facts.target.raw).payload
        limit = max((rule.named.max_bytes for rule in rules if rule.named is not None), default=0)
        facts.payload = Payload(limit) if rules else None
    except Exception as error:
        audit.note_failure(error)
        return None
    return facts.payload


class _TappedAsgi:
    """An ASGI app whose bodies are looked at, where a rule asks for it."""

    def __init__(self, app: Any, audit: Intake) -> None:
        self.app = app
        self.audit = audit

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection, as the ASGI specification has it."""
        is_http = scope["type"] == "http"
        payload = begin_payload(self.audit, current.get()) if is_http else None
        if payload is None:
            await self.app(scope, receive, send)
            return
        request, response, guard = payload.request, payload.response, Guard(self.audit)
        guard(request.set_headers, scope.get("headers") or ())

        async def tapped_receive() -> Any:
            message = await receive()
            if _kind(message) == "http.request":
                guard(request.take, message.get("body") or b"")
                request.is_whole = not message.get("more_body", False)
            return message

        async def tapped_send(message: Any) -> None:
            kind = _kind(message)
            if kind == "http.response.body":
                guard(response.take, message.get("body") or b"")
                response.is_whole = not message.get("more_body", False)
            elif kind == "http.response.start":
                headers = message.get("headers") or ()
                if not isinstance(headers, (list, tuple)) and isinstance(headers, Iterable):
                    # it may be readable only once
                    headers = list(headers)
                    message = {**message, "headers": headers}
                guard(response.set_headers, headers)
            elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
                response.is_file = True
            await send(message)

        await self.app(scope, tapped_receive, tapped_send)


class _TappedWsgi:
    """A WSGI app whose bodies are looked at, where a rule asks for it."""

    def __init__(self, app: Any, audit: Intake) -> None:
        self.app = app
        self.audit = audit

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 has it."""
        payload = begin_payload(self.audit, current.get())
        if payload is None:
            result: Iterable[bytes] = self.app(environ, start_response)
            return result
        guard, response = Guard(self.audit), payload.response
        guard(payload.request.set_headers, _headers_of(environ))
        if environ.get("wsgi.input") is not None:
            environ["wsgi.input"] = Input(environ["wsgi.input"], payload.request, guard)

        def tapped_start(status: str, headers: Any, *exc_info: Any) -> Any:
            headers = lasting_headers(headers)
            guard(response.set_headers, headers)
            write = start_response(status, headers, *exc_info)

            def tapped_write(data: bytes) -> object:
                guard(response.take, data)
                return write(data)

            return tapped_write

        return self._tapped(self.app(environ, tapped_start), environ, response, guard)

    def _tapped(
        self, body: Iterable[bytes], environ: dict[str, Any], response: Body, guard: Guard
    ) -> Iterable[bytes]:
        """The app's iterable: itself where it must reach the wrapper as what it is."""
        if isinstance(body, (list, tuple)):
            for block in body:
                guard(response.take, block)
            response.is_whole = True
            return body
        if is_servers_file(environ, body):
            response.is_file = True
            return body
        if not has_blocks(body):
            return body
        kind = SizedBlocks if hasattr(body, "__len__") else Blocks
        return kind(body, response, guard)


def _kind(message: object) -> object:
    """The type of a message; `None` of one that no server would take or give."""
    return message.get("type") if isinstance(message, MutableMapping) else None


def _headers_of(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Header names and values; the two that CGI names otherwise some servers give twice."""
    for key, value in environ.items():
        if not isinstance(key, str):
            continue
        if key.startswith("HTTP_") and key[5:] not in _CGI_NAMES:
            yield key[5:].replace("_", "-"), readable_text(value)
        elif key in _CGI_NAMES:
            yield key.replace("_", "-"), readable_text(value)  # a number from test clients
