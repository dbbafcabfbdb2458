"""Why Starlette or FastAPI said no, where the status alone does not tell.

Both answer an exception inside the `except` that caught it. So while the answer passes, the
exception that it answers is the one that is being handled, and nothing need be patched to see it.
"""

import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from starlette.authentication import AuthenticationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection

from flowaudit.capture.facts import Facts
from flowaudit.policy.classify import exception_chain, is_permission_exception

__all__ = ["middlewares", "take_refusal"]

Scope = MutableMapping[str, Any]

NOT_AUTHENTICATED: Final = "Not authenticated"
"""What FastAPI's security classes say of absent credentials; with 403 before FastAPI 0.122."""

VALIDATION_ERRORS: Final = frozenset(
    {
        "fastapi.exceptions.RequestValidationError",
        "fastapi.exceptions.WebSocketRequestValidationError",
    }
)
"""What FastAPI raises for parameters that do not fit: a 422, or a websocket closed with 1008."""

MAX_DEPTH: Final = 64
"""Middlewares that are looked through for one that refuses by itself."""


def take_refusal(app: object, scope: Scope, facts: Facts) -> None:
    """Set the cause of a refusal, and the exception behind an error page."""
    status = facts.status or 0
    if status < 300 and facts.exception is None and facts.action != "refuse":
        return
    error = facts.exception or sys.exc_info()[1]
    if isinstance(error, Exception):
        facts.cause = facts.cause or _cause_of_exception(error)
        if facts.exception is None and not isinstance(error, HTTPException) and status >= 500:
            facts.exception = error
    if facts.cause is None:
        facts.cause = _cause_of_answer(app, scope, facts, status)


def _cause_of_exception(error: BaseException) -> str | None:
    if f"{type(error).__module__}.{type(error).__qualname__}" in VALIDATION_ERRORS:
        return "validation"
    for each in exception_chain(error):
        if isinstance(each, AuthenticationError):
            return "bad-credentials"
        if isinstance(each, HTTPException) and each.status_code == 401:
            return "login-required"
        if isinstance(each, HTTPException) and each.status_code == 403:
            return "login-required" if each.detail == NOT_AUTHENTICATED else "forbidden"
    return "forbidden" if is_permission_exception(error) else None


def _cause_of_answer(app: object, scope: Scope, facts: Facts, status: int) -> str | None:
    if status == 400:
        # an app that is mounted stands in the scope as soon as it is reached
        return _cause_of_middleware(scope.get("endpoint", app), scope)
    if 300 <= status < 400 and facts.location and "auth" in scope:
        return "login-required" if _comes_back_here(scope, facts.location) else None
    return None


def _cause_of_middleware(app: object, scope: Scope) -> str | None:
    """What stands around an app, or inside it, and answers 400 without it."""
    headers = HTTPConnection(scope).headers
    host = headers.get("host", "")
    for each in middlewares(app):
        if isinstance(each, TrustedHostMiddleware) and not each.allow_any:
            if not _is_allowed(host, each.allowed_hosts):
                return "bad-host"
        elif isinstance(each, CORSMiddleware) and _is_preflight(scope, headers):
            return "origin"
    return None


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return (
        scope.get("method") == "OPTIONS"
        and "origin" in headers
        and "access-control-request-method" in headers
    )


def _comes_back_here(scope: Scope, location: str) -> bool:
    """Whether a redirect is one of `requires(…, redirect=…)`: `next` is this very request."""
    target = urlsplit(location)
    wanted = parse_qs(target.query).get("next")
    connection = HTTPConnection(scope)
    return wanted == [str(connection.url)] and target.path != connection.url.path


def middlewares(app: object) -> Iterator[object]:
    """The middlewares of an app, the outermost first."""
    for _ in range(MAX_DEPTH):
        app = getattr(app, "middleware_stack", app)  # of a mounted app
        if app is None:
            return
        yield app
        app = getattr(app, "app", None)


def _is_allowed(header: str, patterns: list[str]) -> bool:
    host = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() else header
    host = host.lower().strip("[]")
    return any(
        host == pattern.strip("[]") or (pattern.startswith("*") and host.endswith(pattern[1:]))
        for pattern in patterns
    )
