"""The middleware for FastAPI and Starlette: which route, which user, why it refused.

It reads what the framework has left in the scope when the app has answered; it asks nothing and
patches no class.
"""

from collections.abc import Callable, MutableMapping
from inspect import iscoroutinefunction
from typing import Any

from starlette.requests import HTTPConnection

from flowaudit import Actor, FlowAudit
from flowaudit.capture.asgi import ASGIApp, AsgiCapture
from flowaudit.capture.facts import Facts
from flowaudit.capture.people import identity_of, roles_of
from flowaudit.errors import SettingError

from .authentication import hear_refused_credentials
from .refusals import take_refusal
from .routes import take_route

__all__ = ["FlowAuditMiddleware"]

Scope = MutableMapping[str, Any]
Ask = Callable[[HTTPConnection], "Actor | str | None"]

EVERYBODY = "authenticated"
"""The scope that Starlette's backends give to whoever is signed in: no role."""


class FlowAuditMiddleware(AsgiCapture):
    """Every request and websocket of a Starlette or FastAPI app gives an event.

    Args:
        app: the app inside, as `add_middleware` gives it.
        audit: where the events go.
        actor: who acts, where the app knows better than `AuthenticationMiddleware`: called with
            the connection at its end, it gives an identity such as `user:42`, an `Actor`, or
            `None` to leave it to what was found. Must not ask a database.
    """

    def __init__(self, app: ASGIApp, *, audit: FlowAudit, actor: Ask | None = None) -> None:
        if actor is not None and (not callable(actor) or iscoroutinefunction(actor)):
            raise SettingError("actor", repr(actor), "a function of the connection, not async")
        super().__init__(app, audit, self._take)
        self._actor = actor
        self._hears = hear_refused_credentials(app)

    def _take(self, scope: Scope, facts: Facts) -> None:
        """What the framework knows of a connection."""
        self._hears = self._hears or hear_refused_credentials(self.app)
        try:
            take_route(scope, facts)
            if facts.user is None and "user" in scope:
                facts.act(_actor_of(scope))
            if self._actor is not None:
                facts.act(self._actor(HTTPConnection(scope)))
        finally:  # a fault in the app's own function costs no more than what it would tell
            take_refusal(self.app, scope, facts)


def _actor_of(scope: Scope) -> Actor | None:
    """The user that AuthenticationMiddleware has found; its scopes are the roles."""
    user = scope["user"]
    if not getattr(user, "is_authenticated", False):
        return None
    identity = identity_of(user) or identity_of(getattr(user, "display_name", None) or None)
    scopes = getattr(scope.get("auth"), "scopes", None) or ()
    roles = [scope for scope in scopes if scope != EVERYBODY]
    return Actor(identity, roles or roles_of(user)) if identity is not None else None
