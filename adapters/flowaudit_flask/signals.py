"""What Flask's extensions tell by themselves: sign-ins, sign-outs, refusals, new passwords.

Only extensions that the app has imported are listened to; none is imported for it.
"""

import sys
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from flask import Flask

from flowaudit import login, login_failed, logout, record
from flowaudit.capture.context import current
from flowaudit.capture.people import identity_of, name_of, roles_of

from .people import identity_of_login, session_id, was_protected

__all__ = ["connect"]


def connect(app: Flask) -> None:
    """Listen to what this app's extensions send. Cheap when done already."""
    loaded = tuple(name in sys.modules for name in _LISTENERS)
    if _LISTENING.get(app) == loaded:
        return
    for name, receivers in _LISTENERS.items():
        module = sys.modules.get(name)
        for signal, receiver in receivers.items():
            sender = getattr(module, signal, None)  # a release may lack one
            if sender is not None:
                sender.connect(receiver, app)
    _LISTENING[app] = loaded


def _logged_in(sender: Flask, user: Any = None, **_: Any) -> None:
    identity = identity_of_login(sender, user)
    if identity is not None:
        login(identity, name=name_of(user), roles=roles_of(user), session=session_id())


def _logged_out(sender: Flask, user: Any = None, **_: Any) -> None:
    facts = current.get()
    identity = identity_of_login(sender, user)
    if facts is not None and identity is not None:
        facts.user = facts.user or identity
        logout()


def _login_required(sender: Flask, **_: Any) -> None:
    facts = current.get()
    if facts is not None:
        facts.cause = facts.cause or "login-required"


def _protected(sender: Flask, **_: Any) -> None:
    facts = current.get()
    if facts is not None and was_protected():
        facts.said.note({"session_protected": True})


def _failed(sender: Flask, user: Any = None, **_: Any) -> None:
    login_failed(name_of(user), known=True)


def _password_changed(sender: Flask, user: Any = None, **_: Any) -> None:
    identity = identity_of_login(sender, user) or identity_of(user)
    if identity is not None:
        record("auth", "reset", target=identity)


def _identity_loaded(sender: Flask, identity: Any = None, **_: Any) -> None:
    facts = current.get()
    name = getattr(identity, "id", None)
    if facts is not None and name is not None and not hasattr(sender, "login_manager"):
        facts.user = facts.user or identity_of(str(name))


def _identity_changed(sender: Flask, identity: Any = None, **_: Any) -> None:
    if hasattr(sender, "login_manager"):
        return  # Flask-Login tells the same sign-in, with more
    facts = current.get()
    name = getattr(identity, "id", None)
    if name is not None:
        login(identity_of(str(name)) or "", session=session_id())
    elif facts is not None and facts.identity is not None:
        logout()


_LISTENERS: Final[dict[str, dict[str, Callable[..., None]]]] = {
    "flask_login": {
        "user_logged_in": _logged_in,
        "user_logged_out": _logged_out,
        "user_unauthorized": _login_required,
        "user_needs_refresh": _login_required,
        "session_protected": _protected,
    },
    "flask_principal": {
        "identity_changed": _identity_changed,
        "identity_loaded": _identity_loaded,
    },
    "flask_security": {
        "password_changed": _password_changed,
        "password_reset": _password_changed,
        "user_failed_authn": _failed,
        "user_unauthenticated": _login_required,
    },
}
"""For each extension's module, its signals and what is made of them."""

_LISTENING: Final[WeakKeyDictionary[Flask, tuple[bool, ...]]] = WeakKeyDictionary()
"""Which of these modules were loaded when an app's signals were last connected."""
