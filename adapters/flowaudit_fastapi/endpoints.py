"""What a Starlette or FastAPI app answers to, for `flowaudit coverage`."""

import re
from collections.abc import Iterator
from typing import Any, Final

from starlette.applications import Starlette
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from flowaudit.coverage.endpoint import Inner, Listing, Place
from flowaudit.coverage.samples import first_file, quoted, sample_of

__all__ = ["endpoints"]

_TYPE: Final = re.compile(r":\w+(?=\})")
"""The converter in a parameter: `:int` in `{id:int}`."""

MAX_DEPTH: Final = 16
"""Middlewares around a static server that are looked through."""


def endpoints(app: object, place: Place) -> Listing | None:
    """Routes, mounts, static servers, websockets and error handlers; `None` of another app."""
    if isinstance(app, StaticFiles):
        found = Listing()
        _add_static(found, place, "", "", app)
        return found
    if not isinstance(app, (Starlette, Router)):
        return None
    found = Listing()
    for route in _routes(app.routes):
        _add(found, place, route)
    if isinstance(app, Starlette):
        own = [each for each, handler in app.exception_handlers.items() if not _is_usual(handler)]
        found.add_errors(place, [_name(each) for each in own])
    return found


def _name(handled: object) -> str:
    """The status, or the name of the exception, that a handler is for."""
    return handled.__name__ if isinstance(handled, type) else str(handled)


def _is_usual(handler: object) -> bool:
    """Whether an error handler is the framework's, and not the app's."""
    return str(getattr(handler, "__module__", "")).startswith(("fastapi.", "starlette."))


def _routes(routes: Any) -> Iterator[Any]:
    """Routes in order; FastAPI keeps those of included routers in one that knows the prefixes."""
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield route
        else:
            for context in contexts():
                yield getattr(context, "starlette_route", None) or context


def _add(found: Listing, place: Place, route: Any) -> None:
    path = _TYPE.sub("", str(getattr(route, "path", "") or ""))
    sample = _filled(route)
    if isinstance(route, Mount):
        static = _static(route.app)
        if static is not None:
            _add_static(found, place, path, sample, static)
            return
        below = f"{sample}/flowaudit-coverage" if sample is not None else None
        found.endpoints.append(place.endpoint("mount", path, below))
        found.inner.append(Inner(route.app, place.below(path, sample)))
    elif isinstance(route, Host):
        host = _filled(route, route.host)
        there = place.at_host(host) if host else place.at_unknown_host(_TYPE.sub("", route.host))
        found.inner.append(Inner(route.app, there))
    elif isinstance(route, WebSocketRoute):
        found.endpoints.append(place.endpoint("websocket", path, sample))
    elif isinstance(route, Route) or hasattr(route, "methods"):
        found.endpoints.append(place.endpoint("route", path, sample, _methods(route)))
    else:
        why = f"a {type(route).__name__} does not tell what it answers to"
        found.endpoints.append(place.endpoint("route", path or "?", None, why_not=why))


def _methods(route: Any) -> tuple[str, ...]:
    """The methods of a route, or of the class that it leads to."""
    told = getattr(route, "methods", None)
    if told:
        return tuple(sorted(told))
    endpoint = getattr(route, "endpoint", None)
    verbs = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return tuple(verb for verb in verbs if hasattr(endpoint, verb.lower()))


def _filled(route: Any, template: str | None = None) -> str | None:
    """A route's path with a sample in place of each parameter."""
    text = template if template is not None else getattr(route, "path_format", None)
    if text is None:
        text = str(getattr(route, "path", ""))
    for name, convertor in getattr(route, "param_convertors", {}).items():
        sample = "" if name == "path" and isinstance(route, Mount) else sample_of(convertor)
        if sample is None:
            return None
        text = text.replace(f"{{{name}}}", sample)
    if "{" in text:
        return None
    return quoted(text.rstrip("/")) if isinstance(route, Mount) else quoted(text)


def _static(app: object) -> StaticFiles | None:
    """The static server of a mount, inside whatever middlewares it has."""
    for _ in range(MAX_DEPTH):
        if isinstance(app, StaticFiles) or app is None:
            return app
        app = getattr(app, "app", None)
    return None


def _add_static(
    found: Listing, place: Place, path: str, sample: str | None, static: StaticFiles
) -> None:
    file = first_file(static.all_directories)
    asked = f"{sample}/{quoted(file or 'flowaudit-coverage')}" if sample is not None else None
    found.endpoints.append(place.endpoint("static", path, asked))
