"""Everything that an app answers to, through wrappers, mounts and dispatchers."""

import importlib
import sys
from collections.abc import Callable
from typing import Any, Final

from .endpoint import UNKNOWN, Endpoint, Inner, Listing, Place
from .raw import list_raw

__all__ = ["walk"]

_LISTERS: Final = {
    "starlette": "flowaudit_fastapi.endpoints",
    "flask": "flowaudit_flask.endpoints",
    "django": "flowaudit_django.endpoints",
}
"""By framework, the module whose `endpoints` lists its apps; loaded if the framework is."""

MAX_APPS: Final = 1_000
"""Apps that are looked into: wrappers count, and an app counts at each place."""

MAX_DEPTH: Final = 16
"""Mounts inside mounts."""

Lister = Callable[[Any, Place], Listing | None]


def walk(app: Any) -> list[Endpoint]:
    """What an app answers to: routes, mounts, static servers, websockets, error handlers."""
    listers = _listers()

    def is_app(value: object) -> bool:
        return any(lister(value, Place()) is not None for lister in listers)

    found: dict[tuple[object, ...], Endpoint] = {}
    seen: dict[tuple[int, Place], Any] = {}  # keeps what it has seen, so that no id is used again
    waiting = [Inner(app, Place())]
    while waiting and len(seen) < MAX_APPS:
        inner = waiting.pop(0)
        if (id(inner.app), inner.place) in seen or inner.place.depth > MAX_DEPTH:
            continue
        seen[id(inner.app), inner.place] = inner.app
        told = [listing for each in listers if (listing := each(inner.app, inner.place))]
        listing = told[0] if told else list_raw(inner.app, inner.place, is_app)
        waiting += listing.inner
        for endpoint in listing.endpoints:
            key = endpoint.kind, endpoint.path, endpoint.methods, endpoint.host
            found.setdefault(key, endpoint)
    return list(found.values()) if found else _anything()


def _anything() -> list[Endpoint]:
    """What every app answers to, even one that tells nothing of itself."""
    return [Endpoint("route", "/", "/"), Endpoint("error", "404", UNKNOWN)]


def _listers() -> list[Lister]:
    names = [module for framework, module in _LISTERS.items() if sys.modules.get(framework)]
    return [importlib.import_module(name).endpoints for name in names]
