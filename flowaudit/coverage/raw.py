"""What a plain callable shows of the apps and paths inside it, as far as one can see."""

import re
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

from .endpoint import Inner, Listing, Place
from .loading import interface_of
from .samples import first_file, quoted

__all__ = ["closure_of", "list_raw", "served_files"]

IsApp = Callable[[object], bool]

_INSIDE: Final = (
    *("app", "wsgi_app", "application", "asgi", "wsgi", "asgi_app", "_app", "wrapped"),
    *("__wrapped__", "func", "get_response"),
)
"""Where wrappers keep the app that they wrap."""

_FIRST_PARAMETERS: Final = frozenset(["scope", "environ", "env"])
"""What a function that is an app calls its first parameter."""

_PATH: Final = re.compile(r"/[\w./-]{0,100}")

_LIBRARIES: Final = frozenset(["flowaudit", "starlette", "werkzeug", "django", "flask", "fastapi"])
"""Whose own constants are no paths of the app's."""


def list_raw(app: Any, place: Place, is_app: IsApp) -> Listing:
    """A callable that no framework knows: apps inside it, and paths that stand in its code.

    Args:
        app: the callable.
        place: where it stands.
        is_app: whether a framework knows an object as an app of its own.
    """
    found = Listing()
    for path, inner in _mounts(app):
        found.endpoints.append(place.endpoint("mount", path, quoted(f"{path}/flowaudit-coverage")))
        found.inner.append(Inner(inner, place.below(path, quoted(path))))
    for prefix, file in served_files(app):
        found.endpoints.append(place.endpoint("static", prefix, quoted(f"{prefix}/{file}")))
    for inner in _inside(app, is_app):
        found.inner.append(Inner(inner, Place(place.prefix, place.sample, place.host, place.depth)))
    for path in sorted({path for code in _codes(app) for path in _paths(code)}):
        found.endpoints.append(place.endpoint("route", path, quoted(path)))
    return found


def _mounts(app: Any) -> Iterator[tuple[str, Any]]:
    """Apps by their paths, as Werkzeug's DispatcherMiddleware and the like keep them."""
    held = _attributes(app)
    closed = closure_of(app) if isinstance(app, FunctionType) else {}
    for value in (*held.values(), *closed.values()):
        if isinstance(value, Mapping):
            for path, inner in list(value.items())[:1_000]:
                if isinstance(path, str) and path.startswith("/") and interface_of(inner):
                    yield path, inner


def served_files(app: Any) -> Iterator[tuple[str, str]]:
    """What a static server serves: a path, and a file below it.

    Werkzeug's SharedDataMiddleware, and WhiteNoise, which has its files by their paths or, where
    it looks them up each time, folders.
    """
    for export in getattr(app, "exports", None) or ():
        if isinstance(export, tuple) and len(export) == 2 and isinstance(export[0], str):
            file = first_file(closure_of(export[1]).values())
            if file is not None:
                yield export[0].rstrip("/"), file
    files = getattr(app, "files", None)
    if isinstance(files, Mapping):
        for path in sorted(path for path in files if isinstance(path, str) and "/" in path)[:1]:
            folder, _, name = path.rpartition("/")
            yield folder, name
    folders = getattr(app, "directories", None)
    for each in folders if isinstance(folders, list) else ():
        if isinstance(each, tuple) and len(each) == 2 and isinstance(each[1], str):
            file = first_file(each[:1])
            if file is not None:
                yield each[1].rstrip("/"), file


def _inside(app: Any, is_app: IsApp) -> Iterator[Any]:
    if isinstance(app, MethodType):
        yield app.__self__
        return
    named = [getattr(app, name, None) for name in _INSIDE]
    yield from (inner for inner in named if interface_of(inner) is not None)
    held: list[Any] = list(_attributes(app).values())
    if isinstance(app, FunctionType):
        held = [*closure_of(app).values(), *_globals(app)]
    for value in held:
        yield from (each for each in _values(value) if is_app(each) or _looks_like_app(each))


def _values(value: object) -> list[Any]:
    """A value, or what is in a mapping, unless it is mounted by a path."""
    if not isinstance(value, Mapping):
        return [value]
    items = list(value.items())[:1_000]
    return [each for key, each in items if not (isinstance(key, str) and key.startswith("/"))]


def _looks_like_app(value: object) -> bool:
    """Whether a value is one of our wrappers, or a function that takes what an app takes."""
    if interface_of(value) is None:
        return False
    if isinstance(value, FunctionType):
        return not _FIRST_PARAMETERS.isdisjoint(value.__code__.co_varnames[:1])
    return any(interface_of(getattr(value, name, None)) is not None for name in _INSIDE)


def _attributes(app: Any) -> dict[str, Any]:
    return {} if isinstance(app, (FunctionType, MethodType)) else dict(getattr(app, "__dict__", {}))


def closure_of(function: Any) -> dict[str, Any]:
    """What a function holds of the one that it was made in, by its names there."""
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    found = {}
    for name, cell in zip(code.co_freevars if code is not None else (), cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    return found


def _globals(function: FunctionType) -> list[Any]:
    """What a function's code names of its module."""
    names = {name for code in _nested(function.__code__) for name in code.co_names}
    return [function.__globals__[name] for name in sorted(names & function.__globals__.keys())]


def _codes(app: Any) -> Iterator[CodeType]:
    """The code of a callable that is the project's own."""
    owner = app if isinstance(app, FunctionType) else type(app)
    if str(getattr(owner, "__module__", "")).partition(".")[0] in _LIBRARIES:
        return
    functions = [app] if isinstance(app, FunctionType) else vars(owner).values()
    for function in functions:
        if isinstance(function, FunctionType):
            yield from _nested(function.__code__)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _paths(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        values = constant if isinstance(constant, (tuple, frozenset)) else (constant,)
        yield from (v for v in values if isinstance(v, str) and _PATH.fullmatch(v))
