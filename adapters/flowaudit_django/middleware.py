"""The middleware for Django, sync and async: which route, which user, which session.

It never loads a user or a session that the app did not: no extra query, no new `Vary: Cookie`.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import BadRequest, DisallowedHost, SuspiciousOperation
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch

from flowaudit import FlowAudit
from flowaudit.capture.asgi import SCOPE_KEY
from flowaudit.capture.context import current
from flowaudit.capture.facts import Facts
from flowaudit.capture.wsgi import ENVIRON_KEY, begin_environ

from .signals import identity_of, listen_to_security_log

__all__ = ["FlowAuditMiddleware", "get_audit"]

_CONVERTER: Final = re.compile(r"<(?:[^:<>]+:)?([^<>:]+)>")
_NAMED_GROUP: Final = re.compile(r"\(\?P<(\w+)>(?:[^()\\]|\\.|\([^()]*\))*\)")
_ANSWERS: Final = (Http404, BadRequest, SuspiciousOperation)
"""Exceptions that are an answer: the status says all of them."""


@lru_cache(maxsize=1)
def get_audit() -> FlowAudit:
    """The `FlowAudit` that `settings.FLOWAUDIT` describes; made once. May be one itself."""
    options = getattr(settings, "FLOWAUDIT", {})
    if isinstance(options, FlowAudit):
        return options
    options = {"login_paths": _login_paths(), **options}
    return FlowAudit(**options)


def _login_paths() -> list[str]:
    url = str(getattr(settings, "LOGIN_URL", ""))
    return [url] if url.startswith("/") else []


class FlowAuditMiddleware:
    """Every request that reaches Django's middleware gives an event. Stands first."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.audit = get_audit()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Answer a request, or the coroutine that does."""
        return self._answer_async(request) if self._is_async else self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        facts, is_outer = self._begin(request)
        token = current.set(facts)
        try:
            response: HttpResponseBase = self.get_response(request)
        except BaseException as error:
            self._fail(request, facts, error, is_outer)
            raise
        finally:
            current.reset(token)
        if not is_outer:
            return self._inner(request, response, facts)
        return self._finish(request, response, facts)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        facts, is_outer = self._begin(request)
        token = current.set(facts)
        try:
            response: HttpResponseBase = await self.get_response(request)
        except BaseException as error:
            self._fail(request, facts, error, is_outer)
            raise
        finally:
            current.reset(token)
        if not is_outer:
            return self._inner(request, response, facts)
        if response.streaming:
            return self._finish(request, response, facts)
        self._enrich(request, facts, response)
        facts.bytes_out = len(response.content)
        await self.audit.finish_async(facts)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """A view raised: Django will make an answer of it, the event names it."""
        facts = current.get()
        if facts is not None and not isinstance(exception, _ANSWERS):
            facts.exception = exception

    def _begin(self, request: HttpRequest) -> tuple[Facts, bool]:
        """The request's facts, and whether they are ours (no wrapper stands outside)."""
        listen_to_security_log()
        meta = request.META
        scope = getattr(request, "scope", None)
        outer = scope.get(SCOPE_KEY) if scope is not None else meta.get(ENVIRON_KEY)
        if isinstance(outer, Facts):
            return outer, False
        # under ASGI the target as it was sent stands in the scope
        return begin_environ(self.audit, meta, (scope or {}).get("raw_path")), True

    def _finish(
        self, request: HttpRequest, response: HttpResponseBase, facts: Facts
    ) -> HttpResponseBase:
        self._enrich(request, facts, response)
        if not response.streaming:
            facts.bytes_out = len(response.content)
            self.audit.finish(facts)
        elif getattr(response, "is_async", False):
            response.streaming_content = self._watch_async(response, facts)
        elif getattr(response, "file_to_stream", None) is not None:
            # a FileResponse must reach the server as it is, so that sendfile can be used
            facts.bytes_out = int(response.headers.get("Content-Length") or 0)
            self.audit.finish(facts)
        else:
            response.streaming_content = self._watch(response, facts)
        return response

    def _inner(
        self, request: HttpRequest, response: HttpResponseBase, facts: Facts
    ) -> HttpResponseBase:
        self._enrich(request, facts, response)
        return response

    def _fail(
        self, request: HttpRequest, facts: Facts, error: BaseException, is_outer: bool
    ) -> None:
        facts.exception = error
        self._enrich(request, facts, None)
        if is_outer:
            facts.status = facts.status or 500
            self.audit.finish(facts)

    def _watch(self, response: Any, facts: Facts) -> Iterator[bytes]:
        content = response.streaming_content

        def watched() -> Iterator[bytes]:
            try:
                for block in content:
                    facts.bytes_out += len(block)
                    yield block
            except GeneratorExit:
                facts.disconnected = True
                raise
            except BaseException as error:
                facts.exception = error
                raise
            finally:
                self.audit.finish(facts)

        return watched()

    def _watch_async(self, response: Any, facts: Facts) -> AsyncIterator[bytes]:
        content = response.streaming_content

        async def watched() -> AsyncIterator[bytes]:
            try:
                async for block in content:
                    facts.bytes_out += len(block)
                    yield block
            except GeneratorExit:
                facts.disconnected = True
                raise
            except BaseException as error:
                facts.exception = error
                raise
            finally:
                self.audit.finish(facts)

        return watched()

    def _enrich(
        self, request: HttpRequest, facts: Facts, response: HttpResponseBase | None
    ) -> None:
        try:
            match = request.resolver_match
            if match is not None:
                facts.route = facts.route or _template(match.route)
            facts.user = facts.user or identity_of(_loaded_user(request))
            session = getattr(request, "session", None)
            before = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
            facts.session = facts.session or before or None
            after = getattr(session, "session_key", None)
            if after and after != before and getattr(session, "modified", False):
                facts.new_session = facts.new_session or after
            if response is not None:
                facts.status = response.status_code
                facts.location = response.headers.get("Location")
                facts.cause = facts.cause or _cause(request, response, facts)
        except Exception as error:
            self.audit.note_failure(error)


def _loaded_user(request: HttpRequest) -> Any:
    """The user if django.contrib.auth has loaded one; looking at `request.user` would load it."""
    return getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)


@lru_cache(maxsize=4_096)
def _template(route: str) -> str:
    """`/invoices/{pk}` out of Django's `invoices/<int:pk>` or a regular expression."""
    if route.startswith("^") or "(?P<" in route:
        route = _NAMED_GROUP.sub(r"{\1}", route)
        route = route.replace("^", "").replace("\\Z", "").replace("$", "").replace("\\", "")
    return "/" + _CONVERTER.sub(r"{\1}", route).lstrip("/")


@lru_cache(maxsize=1)
def _sign_in_paths() -> tuple[str, ...]:
    """Where the project sends people to sign in: `LOGIN_URL`, a name too; the admin's page."""
    found = []
    for name in (settings.LOGIN_URL, "admin:login"):
        try:
            found.append(resolve_url(name))
        except NoReverseMatch:
            continue
    return tuple(path for path in found if path.startswith("/") and path != "/")


def _cause(request: HttpRequest, response: HttpResponseBase, facts: Facts) -> str | None:
    """What a refusal's status does not tell, and the security log may not have told either."""
    if response.status_code == 400:
        try:
            request.get_host()
        except DisallowedHost:
            return "bad-host"
    elif response.status_code == 403 and facts.exception is None:
        return "csrf" if _failed_csrf(request) else None
    elif response.status_code in (301, 302, 303, 307) and facts.location:
        paths = _sign_in_paths()
        leads_there = bool(paths) and facts.location.startswith(paths)
        return "login-required" if leads_there and not request.path.startswith(paths) else None
    return None


def _failed_csrf(request: HttpRequest) -> bool:
    """Whether the CSRF check was due for a request and did not let it through."""
    match = request.resolver_match
    return (
        match is not None
        and request.method not in ("GET", "HEAD", "OPTIONS", "TRACE")
        and not getattr(request, "csrf_processing_done", False)
        and not getattr(request, "_dont_enforce_csrf_checks", False)
        and not getattr(match.func, "csrf_exempt", False)
        and "django.middleware.csrf.CsrfViewMiddleware" in settings.MIDDLEWARE
    )
