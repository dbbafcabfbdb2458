"""A browser for the tests: asks Django's own WSGI and ASGI handlers, and keeps cookies."""

import asyncio
from typing import Any

import httpx

from flowaudit import FlowAudit
from flowaudit.testing import recorded_events

KINDS = ("wsgi", "asgi", "wrapped-wsgi", "wrapped-asgi")
"""Django's handlers, with and without a wrapper of ours outside."""


class Browser:
    """Asks the handler that the project's present settings make."""

    def __init__(self, audit: FlowAudit, kind: str) -> None:
        from django.core.handlers.asgi import ASGIHandler
        from django.core.handlers.wsgi import WSGIHandler

        self.audit, self.kind = audit, kind
        self.is_async = kind.endswith("asgi")
        handler: Any = ASGIHandler() if self.is_async else WSGIHandler()
        if kind.startswith("wrapped"):
            handler = audit.asgi(handler) if self.is_async else audit.wsgi(handler)
        self._client: Any
        if self.is_async:
            transport = httpx.ASGITransport(handler, raise_app_exceptions=False)
            self._client = httpx.AsyncClient(transport=transport, base_url="http://testserver")
        else:
            self._client = httpx.Client(
                transport=httpx.WSGITransport(handler, raise_app_exceptions=False),
                base_url="http://testserver",
            )

    def ask(self, method: str, target: str, **options: Any) -> httpx.Response:
        answer = self._client.request(method, target, **options)
        return asyncio.run(answer) if self.is_async else answer

    def get(self, target: str, **options: Any) -> httpx.Response:
        return self.ask("GET", target, **options)

    def post(self, target: str, **options: Any) -> httpx.Response:
        return self.ask("POST", target, **options)

    def sign_in(self, name: str, password: str = "pw", **options: Any) -> httpx.Response:
        return self.post("/sign-in", data={"name": name, "pw": password}, **options)

    def cookie(self, name: str) -> str:
        return str(self._client.cookies[name])

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        return recorded_events(self.audit, *kinds)

    def last(self) -> dict[str, Any]:
        """The event of the newest request."""
        return self.events("request")[-1]

    def who(self, identity: str) -> str | None:
        """The token of an identity."""
        from flowaudit.vault.tokens import Vault

        self.audit.flush()
        with Vault(self.audit.paths.vault) as vault:
            return vault.find(identity)
