"""The extension for Flask: which route, which user, which session, why it refused.

It wraps `app.wsgi_app`, so that it sees what Flask answers by itself, and listens to the signals
of Flask and of the extensions that the app uses. It never opens a session or loads a user that
the app did not.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, Final

from flask import (
    Flask,
    Request,
    Response,
    got_request_exception,
    request,
    request_finished,
    request_started,
    request_tearing_down,
)
from flask import globals as flask_globals
from werkzeug.exceptions import MethodNotAllowed

from flowaudit import Actor, FlowAudit
from flowaudit.capture.context import current
from flowaudit.capture.facts import Facts
from flowaudit.capture.mounts import below
from flowaudit.capture.routes import hide_secrets, resource_of, route_template
from flowaudit.capture.wsgi import WsgiCapture
from flowaudit.errors import SettingError

from . import people, refusals, signals

__all__ = ["FlowAuditFlask", "template_of"]

Ask = Callable[[Request], "Actor | str | None"]

_CONVERTER: Final = re.compile(r"<(?:(?P<kind>[^:<>(]+)(?:\([^<>]*\))?:)?(?P<name>[^<>:]+)>")


class FlowAuditFlask:
    """Every request of a Flask app gives an event.

    Args:
        app: the app, or `None` to call `init_app` later.
        audit: where the events go.
        actor: who acts, where the app knows better than Flask-Login: called with the request at
            its end, it gives an identity such as `user:42`, an `Actor`, or `None` to leave it to
            what was found. Must not ask a database that the request has not asked.
    """

    def __init__(
        self, app: Flask | None = None, *, audit: FlowAudit, actor: Ask | None = None
    ) -> None:
        if actor is not None and (not callable(actor) or iscoroutinefunction(actor)):
            raise SettingError("actor", repr(actor), "a function of the request, not async")
        self.audit = audit
        self._actor = actor
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Put the wrapper around an app and listen to its signals."""
        app.wsgi_app = WsgiCapture(app.wsgi_app, self.audit)  # type: ignore[method-assign]
        app.extensions["flowaudit"] = self
        request_started.connect(self._started, app)
        request_finished.connect(self._finished, app)
        request_tearing_down.connect(self._ending, app)
        got_request_exception.connect(self._failed, app)

    def _started(self, sender: Flask, **_: Any) -> None:
        facts = current.get()
        if facts is not None:
            try:
                signals.connect(sender)
                self._take_route(facts)
                people.keep_session_keys()
                facts.session = facts.session or people.session_id()
            except Exception as error:
                self.audit.note_failure(error)

    def _finished(self, sender: Flask, response: Response, **_: Any) -> None:
        """Flask has an answer: by now all is known that Flask will know."""
        facts = current.get()
        if facts is not None and not facts.done:
            try:
                facts.cause = facts.cause or refusals.cause_of(sender, response, facts)
                self._take_person(sender, facts, response)
            except Exception as error:
                self.audit.note_failure(error)

    def _ending(self, sender: Flask, exc: BaseException | None = None, **_: Any) -> None:
        """The request is over without an answer of Flask's: its exception goes to the server."""
        facts = current.get()
        if facts is not None and not facts.done and facts.exception is not None:
            try:
                self._take_person(sender, facts, None)
            except Exception as error:
                self.audit.note_failure(error)

    def _failed(self, sender: Flask, exception: BaseException, **_: Any) -> None:
        facts = current.get()
        if facts is not None:
            facts.exception = exception

    def _take_route(self, facts: Facts) -> None:
        rule, values = request.url_rule, request.view_args
        if rule is None:
            rule, values = _met_by_another_method()
        if rule is None:
            return
        template, catch_alls = template_of(rule.rule)
        mount = below(facts, request.environ.get("SCRIPT_NAME"))
        facts.route = route_template(mount, template)
        if values:
            facts.target = hide_secrets(facts.target, facts.route, values)
        named = {k: v for k, v in (values or {}).items() if k not in catch_alls}
        facts.resource, facts.resource_id = resource_of(facts.route, named)

    def _take_person(self, app: Flask, facts: Facts, response: Response | None) -> None:
        facts.act(people.actor_of(app))
        if self._actor is not None:
            facts.act(self._actor(request._get_current_object()))  # type: ignore[attr-defined]
        people.take_session(app, facts, response)


@lru_cache(maxsize=4_096)
def template_of(rule: str) -> tuple[str, frozenset[str]]:
    """`/invoices/{id}` out of `/invoices/<int:id>`, and the names whose values are paths."""
    paths = {m["name"] for m in _CONVERTER.finditer(rule) if m["kind"] == "path"}
    return _CONVERTER.sub(r"{\g<name>}", rule), frozenset(paths)


def _met_by_another_method() -> tuple[Any, dict[str, Any] | None]:
    """Rule and values that a request with a method it does not allow would have met."""
    refused = request.routing_exception
    if not isinstance(refused, MethodNotAllowed) or not refused.valid_methods:
        return None, None
    context: Any = flask_globals.request_ctx
    adapter = vars(context._get_current_object()).get("url_adapter")
    if adapter is None:
        return None, None
    found: tuple[Any, dict[str, Any]] = adapter.match(
        method=next(iter(refused.valid_methods)), return_rule=True
    )
    return found
