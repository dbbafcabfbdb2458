"""What Django tells by itself: sign-in, sign-out and failed sign-in through the signals of
django.contrib.auth; a failed CSRF check and a host that is not allowed through its security log.
"""

import logging
from typing import Any, Final

from flowaudit import login, login_failed, logout
from flowaudit.capture.context import current

__all__ = ["connect", "identity_of", "listen_to_security_log"]

_SECURITY_LOGS: Final = {
    "django.security.csrf": "csrf",
    "django.security.DisallowedHost": "bad-host",
}
"""Loggers under which Django reports refusals that no signal and no status tells apart."""


class _CauseHandler(logging.Handler):
    """Takes the cause of a refusal from a security log line; writes nothing."""

    def __init__(self, cause: str) -> None:
        super().__init__(logging.WARNING)
        self.cause = cause

    def emit(self, record: logging.LogRecord) -> None:
        facts = current.get()
        if facts is not None and facts.cause is None:
            is_origin = self.cause == "csrf" and "Origin checking failed" in record.getMessage()
            facts.cause = "origin" if is_origin else self.cause


def identity_of(user: Any) -> str | None:
    """`user:<primary key>` of a signed-in user, else `None`."""
    if user is None or not getattr(user, "is_authenticated", False) or user.pk is None:
        return None
    return f"user:{user.pk}"


_HANDLERS: Final = tuple(
    (logging.getLogger(name), _CauseHandler(cause)) for name, cause in _SECURITY_LOGS.items()
)


def listen_to_security_log() -> None:
    """Listen, again if the project's logging was configured anew: that drops all handlers."""
    for logger, handler in _HANDLERS:
        if handler not in logger.handlers:
            logger.addHandler(handler)


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
