"""An app by its name, as servers take it: `module:attribute`, or a call such as `module:make()`."""

import ast
import importlib
import inspect
import os
import sys
from typing import Any, Final, Literal

from ..capture.asgi import AsgiCapture
from ..capture.wsgi import WsgiCapture
from ..errors import AppError

__all__ = ["Interface", "interface_of", "load_app"]

Interface = Literal["asgi", "wsgi"]

_BY_COUNT: Final[dict[int, Interface]] = {2: "wsgi", 3: "asgi"}
"""What an app is called with: (environ, start_response), or (scope, receive, send)."""

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def load_app(spec: str) -> Any:
    """Import an app. The working folder is looked in first.

    Raises `AppError` with what is wrong: the form, the module, the attribute, what it raised.
    """
    module_name, colon, expression = spec.partition(":")
    if not colon or not module_name or not expression:
        raise AppError(f"{spec!r} names no app; expected module:attribute, such as main:app")
    steps, call = _parsed(expression)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: Any = _module(module_name)
    for step in steps:
        try:
            found = getattr(found, step)
        except AttributeError:
            raise AppError(f"module {module_name!r} has no {'.'.join(steps)!r}") from None
    if call is None:
        return found
    try:
        return found(*call[0], **call[1])
    except (Exception, SystemExit) as error:
        raise AppError(f"{spec} raised {_named(error)}") from error


def interface_of(app: Any) -> Interface | None:
    """Whether an object is called as an ASGI or a WSGI app; `None` if as neither."""
    if isinstance(app, AsgiCapture):
        return "asgi"
    if isinstance(app, WsgiCapture):
        return "wsgi"
    if not callable(app) or isinstance(app, type):
        return None
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    needed = [p for p in parameters if p.kind in _POSITIONAL and p.default is p.empty]
    return _BY_COUNT.get(len(needed))


def _parsed(expression: str) -> tuple[list[str], tuple[list[Any], dict[str, Any]] | None]:
    """The names to follow, and the arguments of the call at the end, if there is one."""
    wrong = AppError(f"{expression!r} is no attribute, nor a call with plain values")
    try:
        node = ast.parse(expression, mode="eval").body
        call = None
        if isinstance(node, ast.Call):
            named = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg is not None}
            call = [ast.literal_eval(value) for value in node.args], named
            node = node.func
        steps: list[str] = []
        while isinstance(node, ast.Attribute):
            steps.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            raise wrong
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise wrong from None
    return [node.id, *steps], call


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise AppError(f"there is no module {name!r} here") from error
        raise AppError(f"module {name!r} raised {_named(error)}") from error
    except (Exception, SystemExit) as error:
        raise AppError(f"module {name!r} raised {_named(error)}") from error


def _named(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
