"""Which route of a Starlette or FastAPI app a request has met, and the thing that it names."""

from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

from starlette.convertors import PathConvertor

from flowaudit.capture.facts import Facts
from flowaudit.capture.routes import hide_secrets, resource_of, route_template

__all__ = ["take_route"]

Scope = MutableMapping[str, Any]


def take_route(scope: Scope, facts: Facts) -> None:
    """Set the template, and the resource that its parameters name."""
    route = scope.get("route")
    parameters = scope.get("path_params")
    if facts.route is None:
        facts.route = _route(scope, route)
    elif parameters:  # told by an app of another kind, below a mount whose values it has as text
        facts.route = _without_values(facts.route, facts.route, parameters)
    if parameters:
        facts.target = hide_secrets(facts.target, facts.route, parameters)
    if parameters and facts.resource is None:
        kinds = getattr(route, "param_convertors", {})
        values = {
            name: value
            for name, value in parameters.items()
            if not isinstance(kinds.get(name), PathConvertor)
        }
        facts.resource, facts.resource_id = resource_of(facts.route, values)


def _route(scope: Scope, route: object) -> str | None:
    root, outside = str(scope.get("root_path", "")), scope.get("app_root_path")
    prefix = root[len(str(outside)) :] if outside is not None else ""
    template = _template(scope, route)
    if prefix and "path_params" in scope:
        prefix = _without_values(prefix, template or "", scope["path_params"])
    if template is None:
        return f"{prefix}/{{path}}" if prefix else None
    mounted_at = getattr(route, "path", "") if hasattr(route, "routes") else ""
    if mounted_at and prefix.endswith(mounted_at):
        prefix = prefix[: -len(mounted_at)]
    return route_template(prefix, template)


def _without_values(prefix: str, template: str, parameters: dict[str, Any]) -> str:
    """The path of a mount with the names of its parameters: `/{tenant}` for `/acme`."""
    parts = prefix.split("/")
    for name, value in parameters.items():
        if f"{{{name}}}" not in template and str(value) in parts:
            parts[parts.index(str(value))] = f"{{{name}}}"
    return "/".join(parts)


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
