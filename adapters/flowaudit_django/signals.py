"""What Django tells by itself: sign-in, sign-out and failed sign-in through the signals of
django.contrib.auth; whether a form failed for its origin through its security log.
"""

import logging
from typing import Any, Final

from flowaudit import login, login_failed, logout
from flowaudit.capture.context import current

__all__ = ["connect", "identity_of", "listen_to_security_log"]

_CSRF_LOG: Final = logging.getLogger("django.security.csrf")
"""Where Django says whether a form failed for its token or for its origin."""


class _CauseHandler(logging.Handler):
    """Takes the cause of a refusal from a line of that log; writes nothing."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the request that is running."""
        facts = current.get()
        if facts is not None and facts.cause is None:
            is_origin = "Origin checking failed" in record.getMessage()
            facts.cause = "origin" if is_origin else "csrf"


_HANDLER: Final = _CauseHandler(logging.WARNING)


def listen_to_security_log() -> None:
    """Listen, again if the project's logging was configured anew: that drops all handlers."""
    if _HANDLER not in _CSRF_LOG.handlers:
        _CSRF_LOG.addHandler(_HANDLER)


def identity_of(user: Any) -> str | None:
    """`user:<primary key>` of a signed-in user, else `None`."""
    if user is None or not getattr(user, "is_authenticated", False) or user.pk is None:
        return None
    return f"user:{user.pk}"


def connect() -> None:
    """Listen; to django.contrib.auth only if the project has it installed."""
    listen_to_security_log()
    from django.apps import apps

    if not apps.is_installed("django.contrib.auth"):
        return
    from django.contrib.auth import signals

    signals.user_logged_in.connect(_logged_in, dispatch_uid="flowaudit")
    signals.user_logged_out.connect(_logged_out, dispatch_uid="flowaudit")
    signals.user_login_failed.connect(_login_failed, dispatch_uid="flowaudit")


def _logged_in(sender: object, request: Any = None, user: Any = None, **_: object) -> None:
    identity = identity_of(user)
    if identity is not None:
        session = getattr(getattr(request, "session", None), "session_key", None)
        login(identity, name=user.get_username(), session=session)


def _logged_out(sender: object, request: Any = None, user: Any = None, **_: object) -> None:
    facts = current.get()
    if facts is not None:
        facts.user = facts.user or identity_of(user)
        logout()


def _login_failed(
    sender: object, credentials: dict[str, Any] | None = None, request: Any = None, **_: object
) -> None:
    credentials = credentials or {}
    name = credentials.get("username") or credentials.get("email")
    login_failed(str(name) if name else None)
