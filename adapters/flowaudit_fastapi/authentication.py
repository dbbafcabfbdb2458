"""Credentials that an authentication backend refuses, whatever its answer passes through.

A `BaseHTTPMiddleware` runs what is inside in a task of its own, so that outside no exception is
being handled any more. The middleware's own `on_error` is told of each, and gives the answer.
"""

from starlette.authentication import AuthenticationError
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import Response

from flowaudit.capture.context import current

from .refusals import middlewares

__all__ = ["hear_refused_credentials"]


class _Telling:
    """An `on_error` that tells why, and leaves the answer to the one that was there."""

    def __init__(self, middleware: AuthenticationMiddleware) -> None:
        self._on_error = middleware.on_error

    def __call__(self, conn: HTTPConnection, error: AuthenticationError) -> Response:
        facts = current.get()
        if facts is not None and not facts.done:
            facts.cause = facts.cause or "bad-credentials"
        return self._on_error(conn, error)


def hear_refused_credentials(app: object) -> bool:
    """Listen at every `AuthenticationMiddleware` of an app; false if its middlewares are not
    made yet, as Starlette makes them at the first request.
    """
    is_made = False
    for each in middlewares(app):
        is_made = True
        if isinstance(each, AuthenticationMiddleware) and not isinstance(each.on_error, _Telling):
            each.on_error = _Telling(each)
    return is_made
