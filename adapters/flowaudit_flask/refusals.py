"""Why Flask said no, where the status alone does not tell: CSRF, host, the way to the sign-in."""

from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakKeyDictionary

from flask import Flask, Response, g, request
from werkzeug.exceptions import SecurityError

from flowaudit.capture.facts import Facts
from flowaudit.policy.login_pages import is_same_host, split_location

from .people import actor_of

__all__ = ["cause_of"]

_REDIRECTS: Final = frozenset([301, 302, 303, 307, 308])

_PATHS: Final[WeakKeyDictionary[Flask, frozenset[str]]] = WeakKeyDictionary()
"""The sign-in pages of each app, looked up at its first redirect."""


def cause_of(app: Flask, response: Response, facts: Facts) -> str | None:
    """One of `policy.classify.CAUSES`, or `None` where the status says it all."""
    status = response.status_code
    if status < 300:
        return "origin" if _is_refused_preflight(app, response) else None
    if isinstance(request.routing_exception, SecurityError):
        return "bad-host"
    location = response.location if status in _REDIRECTS else None
    if location and (_leads_to_login(app, location) or _leads_back(app, location)):
        return "login-required"
    return "csrf" if facts.exception is None and _failed_csrf(app, status) else None


def _is_refused_preflight(app: Flask, response: Response) -> bool:
    """Whether Flask-CORS has judged a preflight and not allowed its origin.

    Without Flask-CORS the header that allows may be a proxy's to give.
    """
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
        and "Access-Control-Allow-Origin" not in response.headers
        and (hasattr(response, "_FLASK_CORS_EVALUATED") or _has_cors(app))
    )


def _has_cors(app: Flask) -> bool:
    """Whether Flask-CORS looks at every answer of the app, or of the blueprint that is asked."""
    return any(
        str(getattr(function, "__module__", "")).startswith("flask_cors.")
        for scope in (None, *request.blueprints)
        for function in app.after_request_funcs.get(scope, ())
    )


def _leads_to_login(app: Flask, location: str) -> bool:
    """Whether a redirect leads to Flask-Login's page, from elsewhere."""
    paths = _PATHS.get(app)
    if paths is None:
        paths = _PATHS[app] = _sign_in_paths(app)
    host, page = _page(location)
    pages = {f"//{host or request.host}{page}"}
    if host is None or is_same_host(host, request.host):
        pages.add(page.removeprefix(request.script_root))
    here = request.path
    return not paths.isdisjoint(pages) and not any(
        here == page or (page != "/" and here.startswith(f"{page.rstrip('/')}/")) for page in paths
    )


def _page(location: str) -> tuple[str | None, str]:
    """Host, if it says one, and path of a redirect."""
    host, rest = split_location(location)
    return host, rest.partition("#")[0].partition("?")[0]


def _leads_back(app: Flask, location: str) -> bool:
    """Whether somebody whom Flask-Login does not know is sent elsewhere to come back here after.

    So the redirects of apps that make them without its `login_view`, as Flask-AppBuilder does.
    """
    if g.get("_login_user") is None or actor_of(app) is not None:
        return False
    target = urlsplit(location)
    if target.path == f"{request.script_root}{request.path}":
        return False
    here = {request.url, request.base_url, request.full_path.rstrip("?"), request.path}
    here |= {
        f"{request.script_root}{each}" for each in (request.full_path.rstrip("?"), request.path)
    }
    return any(value in here for _, value in parse_qsl(target.query))


def _sign_in_paths(app: Flask) -> frozenset[str]:
    """Where Flask-Login sends people: addresses, or rules of endpoints that need no values."""
    manager: Any = getattr(app, "login_manager", None)
    if manager is None:
        return frozenset()
    views = [manager.login_view, manager.refresh_view, *manager.blueprint_login_views.values()]
    paths = set()
    for view in filter(None, views):
        if "/" in view:
            host, page = _page(view)
            paths.add(page if host is None else f"//{host}{page}")
        elif view in app.view_functions:
            rules = app.url_map.iter_rules(view)
            paths |= {rule.rule for rule in rules if not rule.arguments}
    return frozenset(paths)


def _failed_csrf(app: Flask, status: int) -> bool:
    """Whether Flask-WTF's check was due for a request and did not let it through.

    Its refusal is an exception that Flask answers silently, so it is known by what it leaves: a
    request that it lets through has `g.csrf_valid`, and no view runs without.
    """
    check: Any = app.extensions.get("csrf")
    config = app.config
    if (
        check is None
        or not request.endpoint
        or g.get("csrf_valid")
        or not config.get("WTF_CSRF_ENABLED")
        or not config.get("WTF_CSRF_CHECK_DEFAULT")
        or request.method not in config.get("WTF_CSRF_METHODS", ())
    ):
        return False
    return (status == 400 or _answers_csrf_itself(app, status)) and not _is_exempt(app, check)


def _answers_csrf_itself(app: Flask, status: int) -> bool:
    """Whether the app has its own answer to a failed check; a throttle's is never that."""
    return status not in (401, 429) and any(
        kind.__name__ == "CSRFError"
        for by_code in app.error_handler_spec.values()
        for handlers in by_code.values()
        for kind in handlers
    )


def _is_exempt(app: Flask, check: Any) -> bool:
    view = app.view_functions.get(request.endpoint or "")
    name = f"{view.__module__}.{view.__name__}" if view is not None else ""
    blueprint = app.blueprints.get(request.blueprint or "")
    return name in getattr(check, "_exempt_views", ()) or blueprint in getattr(
        check, "_exempt_blueprints", ()
    )
