"""Who acts in a Flask request, in which session: what Flask-Login, Flask-Principal and the
session have loaded already. Nothing is opened, loaded or asked for.
"""

from typing import Any, Final

from flask import Flask, Response, g, request
from flask import globals as flask_globals

from flowaudit import Actor
from flowaudit.capture.facts import Facts, set_cookie_value
from flowaudit.capture.people import identity_of, is_stale, roles_of

__all__ = [
    "actor_of",
    "identity_of_login",
    "keep_session_keys",
    "session_id",
    "take_session",
    "was_protected",
]

_ROLE: Final = "role"
"""Method of the needs that are roles, in Flask-Principal."""

_WHO: Final = frozenset(["_user_id", "identity.id"])
"""Keys of a session that say who is signed in, of Flask-Login and of Flask-Principal."""

_NOBODY: Final = frozenset(
    ["_flashes", "_fresh", "_id", "_permanent", "_remember", "_remember_seconds", "next"]
)
"""Keys that many people's sessions hold with the same value."""


def actor_of(app: Flask) -> Actor | None:
    """Who was loaded for this request: Flask-Login's user, else Flask-Principal's identity."""
    user = g.get("_login_user")
    identity = identity_of_login(app, user)
    principal = g.get("identity")
    needs = getattr(principal, "provides", None) or ()
    roles = [str(need[1]) for need in needs if need[0] == _ROLE]
    if identity is not None:
        return Actor(identity, roles_of(user) or sorted(roles))
    name = getattr(principal, "id", None)
    return Actor(identity_of(str(name)) or "", sorted(roles)) if name is not None else None


def identity_of_login(app: Flask, user: Any) -> str | None:
    """`user:<id>` of a user of Flask-Login's, else `None`.

    By the user's own id where it has one: what `get_id()` gives may be made anew with each
    password.
    """
    if user is None or isinstance(user, _anonymous_class(app)):
        return None
    if is_stale(user):  # to ask it for anything would ask the database
        return identity_of(user)
    if not getattr(user, "is_authenticated", False):
        return None
    if isinstance(getattr(user, "__dict__", {}).get("id"), str | int):
        return f"user:{user.id}"
    key = user.get_id()
    return f"user:{key}" if key else None


def _anonymous_class(app: Flask) -> Any:
    kind = getattr(getattr(app, "login_manager", None), "anonymous_user", None)
    return kind if isinstance(kind, type) else ()


def session_id() -> str | None:
    """The id of the session where it has one on the server."""
    found = getattr(_open_session(), "sid", None)
    return str(found) if found else None


def keep_session_keys() -> None:
    """Remember what a session held when the request came in: by its end the app may have
    emptied it.
    """
    g._flowaudit_session = _session_keys()


def was_protected() -> bool:
    """Whether Flask-Login has found a session of another browser, and not only one in which
    nobody is signed in: of that it says the same.
    """
    now = _open_session() or {}
    if now.get("_id") is not None:
        return True
    # with the protection `strong` it is taken out before it is told
    return now.get("_remember") == "clear" and "_id" in g.get("_flowaudit_session", ())


def take_session(app: Flask, facts: Facts, response: Response | None) -> None:
    """The session that a request came with, and the one that its answer begins.

    Flask's own session is a signed cookie without an id. Its payload stays the same while the
    session's content does, so it tells two browsers of one user apart; where it says of nobody
    who they are it may be the same for many, and is not used.
    """
    now = session_id()
    if now is not None:
        before, facts.session = facts.session, facts.session or now
        if before is not None and before != now:
            facts.new_session = facts.new_session or now
        return
    if facts.session is not None or facts.identity is None:
        return
    name = app.config.get("SESSION_COOKIE_NAME", "session")
    said = facts.said_
    signs_in = said is not None and bool(said.sign_ins) and said.sign_ins[-1].action == "login"
    if _tells_apart(app, g.get("_flowaudit_session", frozenset()), is_known=not signs_in):
        facts.session = _payload(request.cookies.get(name))
    if signs_in and response is not None and _tells_apart(app, _session_keys(), is_known=True):
        for header in response.headers.getlist("Set-Cookie"):
            given = _payload(set_cookie_value(header, [name]))
            facts.new_session = facts.new_session or given


def _tells_apart(app: Flask, keys: frozenset[str], *, is_known: bool) -> bool:
    """Whether a session with these keys is one person's, or one browser's.

    A CSRF token is random. Where the app signs people in by itself, whatever it keeps of
    somebody `is_known` may say who they are.
    """
    if keys & _WHO or app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token") in keys:
        return True
    return is_known and not hasattr(app, "login_manager") and not keys <= _NOBODY


def _session_keys() -> frozenset[str]:
    # by the class of its base: a session's own methods may count as an access, or load it
    found = _open_session()
    return frozenset(dict.keys(found)) if isinstance(found, dict) else frozenset()


def _payload(cookie: str | None) -> str | None:
    return cookie.rsplit(".", 2)[0] if cookie else None


def _open_session() -> Any:
    # the session object behind the proxy: to look at it through `flask.session` would count as
    # an access, and add `Vary: Cookie`
    context: Any = flask_globals.request_ctx
    fields = vars(context._get_current_object())
    found = fields.get("_session")
    return found if found is not None else fields.get("session")
