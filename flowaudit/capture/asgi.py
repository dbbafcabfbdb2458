"""The ASGI wrapper: watches the messages of a request or websocket and changes none of them."""

from collections.abc import MutableMapping

from starlette.concurrency import run_in_threadpool

from .asgi_exchange import (
    ENRICH_KEY,
    SCOPE_KEY,
    ASGIApp,
    Enrich,
    Message,
    Receive,
    Scope,
    Send,
)
from .asgi_http import HttpExchange
from .asgi_strict import StrictHttpExchange
from .asgi_websocket import WebsocketExchange
from .beacon_asgi import BeaconedAsgi
from .mounts import A2WSGI_ENVIRON, enrich_from_within, facts_around_asgi
from .payload import tapped_asgi
from .strict_intake import StrictIntake

__all__ = ["SCOPE_KEY", "ASGIApp", "AsgiCapture", "Scope"]


class AsgiCapture:
    """An ASGI app whose every request and websocket gives an event.

    Args:
        app: the app inside.
        audit: where the events go.
        enrich: called with the scope when the app has answered: what a framework knows.
    """

    def __init__(self, app: ASGIApp, audit: StrictIntake, enrich: Enrich | None = None) -> None:
        tapped = tapped_asgi(app, audit)
        self.app: ASGIApp = BeaconedAsgi.around(tapped, audit.settings, enrich, ENRICH_KEY)
        self.audit = audit
        self._enrich = enrich
        self._http = StrictHttpExchange if audit.has_strict else HttpExchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as the ASGI specification has it."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
        elif kind not in ("http", "websocket") or self._is_inner(scope):
            await self.app(scope, receive, send)
        else:
            if not self.audit.is_open:
                await run_in_threadpool(self.audit.open)  # a process's first: files, off the loop
            outer = scope.get(SCOPE_KEY)
            made = self._http if kind == "http" else WebsocketExchange
            exchange = made(self.audit, self._enrich, scope, receive, send)
            if outer is not None:
                exchange.facts.outer = outer
            await exchange.run(self.app)

    def _is_inner(self, scope: Scope) -> bool:
        """Whether a wrapper outside takes this request into the same trail: then this one only
        tells it what this framework knows. A wrapper with another trail does both.
        """
        outer = scope.get(SCOPE_KEY)
        if outer is None:
            return A2WSGI_ENVIRON in scope and self._is_mounted(scope)
        if self._enrich is not None:
            scope.setdefault(ENRICH_KEY, self._enrich)
        return self.audit.hears(outer)

    def _is_mounted(self, scope: Scope) -> bool:
        """Whether a wrapper around the WSGI app outside records this request."""
        outer = facts_around_asgi(scope)
        if outer is None or not self.audit.hears(outer):
            return False
        scope[SCOPE_KEY] = outer
        enrich_from_within(scope, outer, self._enrich)
        return True

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing_send(message: Message) -> None:
            kind = message.get("type") if isinstance(message, MutableMapping) else None
            if kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await run_in_threadpool(self.audit.close)
            await send(message)

        await self.app(scope, receive, closing_send)
