"""The middleware for Django, sync and async.

It never loads a user or a session that the app did not: no extra query, no new `Vary: Cookie`.
"""

from asyncio import CancelledError
from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from flowaudit import FlowAudit
from flowaudit.capture.asgi_exchange import ENRICH_KEY, SCOPE_KEY
from flowaudit.capture.beacon import Beacon, Reply
from flowaudit.capture.context import current
from flowaudit.capture.facts import Facts
from flowaudit.capture.mounts import facts_around_asgi, facts_around_wsgi
from flowaudit.capture.wsgi import ENVIRON_KEY, begin_environ

from .beacon import beacon_reply, beacon_response
from .enrich import enrich
from .payload import tap_answer, tap_request
from .project import get_audit, load_actor
from .refusals import note_exception
from .signals import connect
from .streams import note_end, watch

__all__ = ["FlowAuditMiddleware"]

CLIENT_LEFT: Final = 499
"""Status of a request whose client left before any answer had begun."""


class FlowAuditMiddleware:
    """Every request that reaches Django's middleware gives an event. Stands first.

    Raises `SettingError` when the server loads it, if `FLOWAUDIT` is wrong.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.audit = get_audit()
        self.actor = load_actor()
        self.looks_at_payload = self.audit.policy.looks_at_payload
        prefix = self.audit.settings["beacon"]
        self.beacon = Beacon(prefix) if prefix else None
        connect()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Answer a request, or the coroutine that does."""
        return self._answer_async(request) if self._is_async else self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        with _Exchange(self, request) as exchange:
            response: HttpResponseBase = exchange.beacon() or self.get_response(request)
        if exchange.answer(response):
            self.audit.finish(exchange.facts)
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        with _Exchange(self, request) as exchange:
            response: HttpResponseBase = exchange.beacon() or await self.get_response(request)
        if exchange.answer(response):
            await self.audit.finish_async(exchange.facts)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """A view raised: Django will make an answer of it, the event names it."""
        facts = current.get()
        if facts is not None:
            note_exception(facts, exception)


class _Exchange:
    """One request inside the middleware; the context in which its views run."""

    __slots__ = ("_middleware", "_outer", "_reply", "_request", "_token", "facts", "is_ours")

    facts: Facts
    is_ours: bool
    """Whether no wrapper stands outside that makes the event."""

    def __init__(self, middleware: FlowAuditMiddleware, request: HttpRequest) -> None:
        self._middleware = middleware
        self._request = request
        self._outer = outer = _facts_of_a_wrapper(request)
        self.is_ours = outer is None or not middleware.audit.hears(outer)
        self.facts = _begin(middleware.audit, request) if outer is None or self.is_ours else outer
        if self.is_ours and middleware.looks_at_payload:
            tap_request(request, self.facts, middleware.audit)
        self._token: Token[Facts | None] | None = None
        self._reply: Reply | None = None

    def __enter__(self) -> "_Exchange":
        self._token = current.set(self.facts)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            current.reset(self._token)
        if error is not None:
            self._fail(error)

    def beacon(self) -> HttpResponseBase | None:
        """The answer to one of the beacon's paths, which the app never sees."""
        beacon, request = self._middleware.beacon, self._request
        if beacon is None or not beacon.is_for(request.path_info):
            return None
        try:
            reply = beacon_reply(beacon, request)
            response = beacon_response(reply)
        except Exception as error:
            self._middleware.audit.note_failure(error)
            return None
        self._reply = reply
        return response

    def answer(self, response: Any) -> bool:
        """The app has answered. Tells whether the event can be made now."""
        facts, audit = self.facts, self._middleware.audit
        self._enrich(response)
        if self._reply is not None:
            return self._become(self._reply)
        if not self.is_ours:
            return False
        try:
            tap_answer(response, facts)
            if response.streaming:
                watch(response, facts, audit)
                return False
            facts.bytes_out = len(response.content)
            note_end(facts, response.headers)
        except Exception as error:
            audit.note_failure(error)
        return True

    def _become(self, reply: Reply) -> bool:
        """Make of the request what the beacon was told, or leave that to the wrapper outside."""
        if self.is_ours:
            self.facts.payload = None
            self.facts.bytes_out = len(reply.body)
            reply.become(self.facts)
        if self._outer is not None:
            where: Any = getattr(self._request, "scope", None) or self._request.META
            where[ENRICH_KEY] = lambda _, facts: reply.become(facts)
        return self.is_ours

    def _fail(self, error: BaseException) -> None:
        facts = self.facts
        has_left = isinstance(error, CancelledError)  # Django gives up what nobody waits for
        if has_left:
            facts.disconnected = True
        else:
            facts.exception = error
        self._enrich(None)
        if self.is_ours:
            facts.status = facts.status or (CLIENT_LEFT if has_left else 500)
            self._middleware.audit.finish(facts)

    def _enrich(self, response: HttpResponseBase | None) -> None:
        audit = self._middleware.audit
        try:
            # what tells the actor may look for what later middlewares give
            actor = self._middleware.actor if self._reply is None else None
            enrich(self._request, response, self.facts, audit, actor)
            if self._outer is not None and self.is_ours:  # of another trail, which has its own
                enrich(self._request, response, self._outer, audit, actor)
        except Exception as error:
            audit.note_failure(error)


def _facts_of_a_wrapper(request: HttpRequest) -> Facts | None:
    """The request's facts if a wrapper stands outside, or the middleware is listed twice."""
    scope = _scope(request)
    outer = scope.get(SCOPE_KEY) or request.META.get(ENVIRON_KEY)
    if isinstance(outer, Facts):
        return outer
    return facts_around_asgi(scope) if scope else facts_around_wsgi(request.META)


def _begin(audit: FlowAudit, request: HttpRequest) -> Facts:
    # under ASGI the target as it was sent stands in the scope
    return begin_environ(audit, request.META, _scope(request).get("raw_path"))


def _scope(request: HttpRequest) -> Any:
    """The ASGI scope; empty under WSGI."""
    return getattr(request, "scope", None) or {}
