"""The extension for Flask: which route, which user, which session, which exception.

It wraps `app.wsgi_app`, so that it sees what Flask answers by itself, and listens to Flask's own
signals. It never opens a session or loads a user that the app did not.
"""

import re
from typing import Any, Final

from flask import Flask, g, got_request_exception, request, request_started, request_tearing_down
from flask import globals as flask_globals
from werkzeug.exceptions import MethodNotAllowed

from flowaudit import FlowAudit
from flowaudit.capture.context import current
from flowaudit.capture.facts import Facts
from flowaudit.capture.wsgi import WsgiCapture

__all__ = ["FlowAuditFlask"]

_CONVERTER: Final = re.compile(r"<(?:[^:<>]+:)?([^<>:]+)>")


class FlowAuditFlask:
    """Every request of a Flask app gives an event.

    Args:
        app: the app, or `None` to call `init_app` later.
        audit: where the events go.
    """

    def __init__(self, app: Flask | None = None, *, audit: FlowAudit) -> None:
        self.audit = audit
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Put the wrapper around an app and listen to its signals."""
        app.wsgi_app = WsgiCapture(app.wsgi_app, self.audit)  # type: ignore[method-assign]
        app.extensions["flowaudit"] = self
        request_started.connect(self._started, app)
        request_tearing_down.connect(self._ending, app)
        got_request_exception.connect(self._failed, app)
        self._listen_to_flask_login(app)

    def _listen_to_flask_login(self, app: Flask) -> None:
        try:
            from flask_login import user_unauthorized  # optional: only if the app uses it
        except ImportError:
            return
        user_unauthorized.connect(self._unauthorized, app)

    def _started(self, sender: Flask, **_: Any) -> None:
        facts = current.get()
        if facts is None:
            return
        try:
            rule = request.url_rule or _rule_of_another_method()
            if rule is not None:
                facts.route = _CONVERTER.sub(r"{\1}", rule.rule)
        except Exception as error:
            self.audit.note_failure(error)

    def _ending(self, sender: Flask, **_: Any) -> None:
        facts = current.get()
        if facts is None:
            return
        try:
            facts.user = facts.user or _user()
            facts.session = facts.session or _session(sender, facts)
        except Exception as error:
            self.audit.note_failure(error)

    def _failed(self, sender: Flask, exception: BaseException, **_: Any) -> None:
        facts = current.get()
        if facts is not None:
            facts.exception = exception

    def _unauthorized(self, sender: Flask, **_: Any) -> None:
        facts = current.get()
        if facts is not None:
            facts.cause = "login-required"


def _rule_of_another_method() -> Any:
    """The rule that a request with a method it does not allow would have met."""
    refused = request.routing_exception
    if not isinstance(refused, MethodNotAllowed) or not refused.valid_methods:
        return None
    context: Any = flask_globals.request_ctx
    adapter = vars(context._get_current_object()).get("url_adapter")
    if adapter is None:
        return None
    return adapter.match(method=next(iter(refused.valid_methods)), return_rule=True)[0]


def _user() -> str | None:
    """Who Flask-Login has loaded for this request, if it has loaded anybody."""
    user = g.get("_login_user")
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    return f"user:{user.get_id()}"


def _open_session() -> object:
    context: Any = flask_globals.request_ctx
    fields = vars(context._get_current_object())
    return fields.get("_session") or fields.get("session")


def _session(app: Flask, facts: Facts) -> str | None:
    """The session's id where it has one on the server; else, for a known user, its cookie.

    Flask's own session is a signed cookie without an id. Its payload stays the same while the
    session's content does, so it tells two browsers of one user apart; for people who are not
    signed in it may be the same for many, and is not used.
    """
    # the session object behind the proxy: to look at it through `flask.session` would count as
    # an access, and add `Vary: Cookie`
    session_id = getattr(_open_session(), "sid", None)
    if session_id:
        return str(session_id)
    cookie = request.cookies.get(app.config.get("SESSION_COOKIE_NAME", "session"))
    if not cookie or facts.identity is None:
        return None
    return cookie.rsplit(".", 2)[0]
