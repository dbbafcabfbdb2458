"""The middleware for FastAPI and Starlette: which route, and which user.

It reads what the framework has left in the scope when the app has answered; it asks nothing and
patches nothing.
"""

from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

from flowaudit import FlowAudit
from flowaudit.capture.asgi import ASGIApp, AsgiCapture
from flowaudit.capture.facts import Facts
from flowaudit.capture.routes import route_template

__all__ = ["FlowAuditMiddleware"]

Scope = MutableMapping[str, Any]


class FlowAuditMiddleware(AsgiCapture):
    """Every request and websocket of a Starlette or FastAPI app gives an event.

    Args:
        app: the app inside, as `add_middleware` gives it.
        audit: where the events go.
    """

    def __init__(self, app: ASGIApp, *, audit: FlowAudit) -> None:
        super().__init__(app, audit, enrich)


def enrich(scope: Scope, facts: Facts) -> None:
    """What the framework knows of a request: its route template and its user."""
    facts.route = facts.route or _route(scope)
    if facts.user is None and "user" in scope:
        facts.user = _user(scope["user"])


def _route(scope: Scope) -> str | None:
    route = scope.get("route")
    root, outside = str(scope.get("root_path", "")), scope.get("app_root_path")
    prefix = root[len(str(outside)) :] if outside is not None else ""
    template = _template(scope, route)
    if template is None:
        return f"{prefix}/{{path}}" if prefix else None
    mounted_at = getattr(route, "path", "") if hasattr(route, "routes") else ""
    if mounted_at and prefix.endswith(mounted_at):
        prefix = prefix[: -len(mounted_at)]
    return route_template(prefix, template)


def _template(scope: Scope, route: object) -> str | None:
    # FastAPI keeps the template with the prefixes of included routers apart from the route
    fastapi = scope.get("fastapi")
    context = fastapi.get("effective_route_context") if isinstance(fastapi, dict) else None
    for owner in (context, route):
        for name in ("path_format", "path"):
            text = getattr(owner, name, None)
            if isinstance(text, str) and text:
                return text
    app, endpoint = scope.get("app"), scope.get("endpoint")
    return _template_of(app, endpoint) if app is not None and endpoint is not None else None


@lru_cache(maxsize=4_096)
def _template_of(app: Any, endpoint: Any) -> str | None:
    """The template of an endpoint whose route FastAPI has not left in the scope."""
    for route in getattr(app, "routes", ()):
        if getattr(route, "endpoint", None) is endpoint:
            return getattr(route, "path_format", None) or getattr(route, "path", None)
    return None


def _user(user: object) -> str | None:
    """Identity of a user that Starlette's AuthenticationMiddleware has found."""
    if not getattr(user, "is_authenticated", False):
        return None
    for name in ("identity", "display_name"):
        try:
            value = getattr(user, name, None)
        except NotImplementedError:  # Starlette's BaseUser leaves `identity` to its children
            continue
        if value:
            return f"user:{value}"
    return None
