"""Why a request was refused, where its status alone does not tell."""

import logging
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from flowaudit.capture.context import current
from flowaudit.capture.facts import Facts

from .project import is_sign_in_page

__all__ = ["cause_of", "listen_to_security_log", "note_exception"]

_ANSWERS: Final = (Http404, BadRequest, SuspiciousOperation)
"""Exceptions that are an answer: the status says all of them."""

_TOO_LARGE: Final = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)
_SAFE: Final = frozenset(["GET", "HEAD", "OPTIONS"])
_REST_CODES: Final = {
    "authentication_failed": "bad-credentials",
    "not_authenticated": "login-required",
    "permission_denied": "forbidden",
    "throttled": "rate-limit",
}
"""Codes of Django REST framework's exceptions that a status does not tell apart."""


class _SecurityFilter(logging.Filter):
    """Takes the cause of a refusal from a line of Django's security log; lets every line pass.

    A filter and not a handler: it changes nothing of where the project's log lines go, and stays
    when the project configures its logging anew.
    """

    def __init__(self, cause: str) -> None:
        super().__init__()
        self.cause = cause

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell the request that is running."""
        facts = current.get()
        if facts is not None and facts.cause is None:
            is_origin = self.cause == "csrf" and "Origin checking failed" in record.getMessage()
            facts.cause = "origin" if is_origin else self.cause
        return True


_FILTERS: Final = {
    f"django.security.{name}": _SecurityFilter(cause)
    for name, cause in (
        ("csrf", "csrf"),
        ("DisallowedHost", "bad-host"),
        *((kind.__name__, "too-large") for kind in _TOO_LARGE),
    )
}


def listen_to_security_log() -> None:
    """Learn from it which check a request failed, also where no view was reached."""
    for name, listener in _FILTERS.items():
        logging.getLogger(name).addFilter(listener)


def note_exception(facts: Facts, error: BaseException) -> None:
    """A view raised, and Django will make an answer of it."""
    if isinstance(error, _TOO_LARGE):
        facts.cause = facts.cause or "too-large"
    elif _is_rate_limit(error):
        facts.cause = "rate-limit"
    elif not isinstance(error, _ANSWERS):
        facts.exception = error


def _is_rate_limit(error: BaseException) -> bool:
    """Whether it is django-ratelimit's, which inherits from Django's own `PermissionDenied`."""
    return any(
        (kind.__module__, kind.__name__) == ("django_ratelimit.exceptions", "Ratelimited")
        for kind in type(error).__mro__
    )


def cause_of(request: HttpRequest, response: HttpResponseBase, facts: Facts) -> str | None:
    """One of `policy.classify.CAUSES`, or `None` where the status tells enough."""
    status = response.status_code
    if status < 300:
        return "origin" if _is_refused_preflight(request, response) else None
    if status < 400:
        return "login-required" if _leads_to_sign_in(request, response, facts) else None
    if getattr(response, "exception", False) is True:
        return _rest_cause(response)
    if vars(request).get("limited") is True:
        return "rate-limit"
    if status == 400:
        return "bad-host" if _is_foreign_host(request) else None
    is_csrf = status == 403 and facts.exception is None and _failed_csrf(request)
    return "csrf" if is_csrf else None


def _is_refused_preflight(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether django-cors-headers has judged a preflight and not allowed its origin.

    Without it the header that allows may be a proxy's to give.
    """
    return (
        request.method == "OPTIONS"
        and vars(request).get("_cors_enabled") is True
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
        and "Access-Control-Allow-Origin" not in response.headers
    )


def _leads_to_sign_in(request: HttpRequest, response: HttpResponseBase, facts: Facts) -> bool:
    """Whether a redirect turns somebody away until they sign in.

    A form that was sent and leads to the sign-in page may have done what it should, as signing up
    or out does: it is a refusal only if it is to lead back here, as `login_required` makes it.
    """
    target = urlsplit(response.headers.get("Location") or "")
    is_here = not target.netloc or target.netloc == request.META.get("HTTP_HOST")
    page = target.path if is_here else target._replace(query="", fragment="").geturl()
    is_within = f"{request.path}/".startswith(f"{page.rstrip('/')}/")
    if not page or is_within or not is_sign_in_page(page, request):
        return False
    here = request.get_full_path()
    if any(value.endswith(here) for _, value in parse_qsl(target.query)):
        return True
    return request.method in _SAFE and not _has_signed_out(facts)


def _has_signed_out(facts: Facts) -> bool:
    said = facts.said_
    return said is not None and any(each.action == "logout" for each in said.sign_ins)


def _rest_cause(response: Any) -> str | None:
    """What an exception of Django REST framework came from, by the code of its detail."""
    data = getattr(response, "data", None)
    detail = data.get("detail") if isinstance(data, dict) else None
    code = getattr(detail, "code", None)
    if code == "permission_denied" and str(detail).startswith("CSRF Failed"):
        return "origin" if "Origin checking failed" in str(detail) else "csrf"
    if code in _REST_CODES:
        return _REST_CODES[code]
    if response.status_code == 401 and code is not None:
        return "bad-credentials"  # a token that was sent, but is not valid any more
    return "validation" if response.status_code == 400 and code is None and data else None


def _is_foreign_host(request: HttpRequest) -> bool:
    try:
        request.get_host()
    except DisallowedHost:
        return True
    return False


def _failed_csrf(request: HttpRequest) -> bool:
    """Whether the CSRF check was due for a request and did not let it through.

    The security log has told it already, unless the project has disabled that log.
    """
    match = request.resolver_match
    return (
        match is not None
        and request.method not in ("GET", "HEAD", "OPTIONS", "TRACE")
        and not getattr(request, "csrf_processing_done", False)
        and not getattr(request, "_dont_enforce_csrf_checks", False)
        and not getattr(match.func, "csrf_exempt", False)
        and "django.middleware.csrf.CsrfViewMiddleware" in settings.MIDDLEWARE
    )
