"""What a Django project answers to, for `flowaudit coverage`."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.urls import get_resolver
from django.urls.resolvers import LocalePrefixPattern, RegexPattern, RoutePattern

from flowaudit.coverage.endpoint import Endpoint, Inner, Listing, Place
from flowaudit.coverage.raw import closure_of, served_files
from flowaudit.coverage.samples import first_file, fitting, quoted, sample_of

from .routes import filled, template_of

__all__ = ["endpoints"]

_PARAMETER: Final = re.compile(r"<(?:[^:<>]+:)?([^<>:]+)>")
_SERVES_FILES: Final = "django.views.static"
_HANDLED: Final = (400, 403, 404, 500)
MAX_DEPTH: Final = 32
"""Includes inside includes."""

MAX_LINKS: Final = 500
"""Links of the chain of middlewares that are followed: up to four for each."""

_NEXT: Final = ("__wrapped__", "func", "awaitable", "get_response")
"""Where Django and asgiref keep what comes next in the chain."""


def endpoints(app: object, place: Place) -> Listing | None:
    """Routes, static servers and error handlers of the project; `None` of another app."""
    if not isinstance(app, (WSGIHandler, ASGIHandler)):
        return None
    found = Listing()
    place = place.at_host(_host())
    if hasattr(app, "application"):  # a static server around the project's own app
        found.inner.append(Inner(app.application, place))
        found.endpoints += list(_static_files(place))
        return found
    for middleware in _middlewares(app):
        for prefix, file in served_files(middleware):
            found.endpoints.append(place.endpoint("static", prefix, quoted(f"{prefix}/{file}")))
    resolver = get_resolver()
    found.endpoints += list(_walk(place, resolver, "", "", 0))
    module = resolver.urlconf_module
    found.add_errors(place, [str(code) for code in _HANDLED if hasattr(module, f"handler{code}")])
    return found


def _host() -> str | None:
    """A host that the project answers to."""
    allowed = [host for host in settings.ALLOWED_HOSTS if host != "*"]
    return allowed[0].lstrip(".") if allowed else None


def _middlewares(app: Any) -> Iterator[Any]:
    """What stands between the handler and the views, as far as it can be followed."""
    link = getattr(app, "_middleware_chain", None)
    for _ in range(MAX_LINKS):
        inside = closure_of(link).get("get_response")
        found = [getattr(link, name, None) for name in _NEXT]
        link = next((each for each in (*found, inside) if each is not None), None)
        if link is None:
            return
        yield link


def _static_files(place: Place) -> Iterator[Endpoint]:
    """What `runserver`'s handler serves by itself."""
    from django.contrib.staticfiles.finders import get_finders  # needs the app to be loaded

    base = urlsplit(str(settings.STATIC_URL))
    if base.netloc:  # they are on another host, and the handler serves none
        return
    prefix = f"/{base.path.lstrip('/')}"
    files = (quoted(path) for finder in get_finders() for path, _ in finder.list([]))
    yield place.endpoint("static", prefix.rstrip("/"), prefix + next(files, "flowaudit-coverage"))


def _walk(
    place: Place, resolver: Any, before: str, sample: str | None, depth: int
) -> Iterator[Endpoint]:
    for entry in resolver.url_patterns:
        piece = str(entry.pattern)
        whole = before + piece.lstrip("^") if before else piece
        here = _sample(entry)
        joined = sample + here if sample is not None and here is not None else None
        if hasattr(entry, "url_patterns"):
            if depth < MAX_DEPTH:
                yield from _walk(place, entry, whole, joined, depth + 1)
        else:
            asked = quoted("/" + joined) if joined is not None else None
            kind = "static" if _folder(entry) is not None else "route"
            yield place.endpoint(
                "static" if kind == "static" else "route",
                template_of(whole),
                asked,
                _methods(entry.callback),
            )


def _folder(entry: Any) -> object:
    """The folder of a pattern that serves files."""
    if getattr(getattr(entry, "callback", None), "__module__", None) != _SERVES_FILES:
        return None
    return entry.default_args.get("document_root")


def _sample(entry: Any) -> str | None:
    """A path that one pattern takes, percent-encoding aside."""
    pattern = entry.pattern
    if isinstance(pattern, LocalePrefixPattern):
        return str(pattern)
    file = first_file([_folder(entry)])
    text = None
    if isinstance(pattern, RoutePattern):
        text = _by_converters(str(pattern), pattern.converters, file)
    elif isinstance(pattern, RegexPattern):
        text = _by_expression(str(pattern), file)
    return text if text is not None and pattern.match(text) else None


def _by_converters(route: str, converters: dict[str, Any], file: str | None) -> str | None:
    samples = {name: sample_of(converter) for name, converter in converters.items()}
    if file is not None and "path" in samples:
        samples["path"] = file
    if None in samples.values():
        return None
    return _PARAMETER.sub(lambda match: str(samples[match[1]]), route)


def _by_expression(expression: str, file: str | None) -> str | None:
    """Best effort: what an expression says without its groups, each group by a sample of it."""
    missed = False

    def put(name: str, inside: str) -> str:
        nonlocal missed
        sample = file if file is not None and name == "path" else fitting(inside)
        missed = missed or sample is None
        return sample or ""

    text = filled(expression, put)
    return None if missed else text


def _methods(callback: Callable[..., Any]) -> tuple[str, ...]:
    """What a view takes, where it is a class; empty where a function does not tell."""
    actions = getattr(callback, "actions", None)
    if actions:
        return tuple(sorted(verb.upper() for verb in actions))
    view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    verbs = getattr(view, "http_method_names", ())
    return tuple(sorted(verb.upper() for verb in verbs if hasattr(view, verb)))
