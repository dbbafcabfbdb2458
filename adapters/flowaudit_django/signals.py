"""Sign-ins, sign-outs and failed sign-ins, by the signals of django.contrib.auth.

And what the apps around it tell: django-axes of a lock-out, django-hijack of who impersonates.
"""

import sys
from functools import lru_cache
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.signals import got_request_exception

from flowaudit import identify, login, login_failed, logout
from flowaudit.capture.context import current

from .accounts import connect_accounts
from .people import identity_of
from .receivers import MAX_NAMES, guarded, loaded_names
from .refusals import listen_to_security_log, note_exception

__all__ = ["connect"]

_UID: Final = "flowaudit"


def connect() -> None:
    """Listen; to an app only if the project has it installed. More than once is once."""
    listen_to_security_log()
    got_request_exception.connect(_request_failed, dispatch_uid=_UID)
    if apps.is_installed("django.contrib.auth"):
        from django.contrib.auth import signals

        signals.user_logged_in.connect(_logged_in, dispatch_uid=_UID)
        signals.user_logged_out.connect(_logged_out, dispatch_uid=_UID)
        signals.user_login_failed.connect(_login_failed, dispatch_uid=_UID)
        connect_accounts()
    if apps.is_installed("axes"):
        from axes.signals import user_locked_out

        user_locked_out.connect(_locked_out, dispatch_uid=_UID)
    if apps.is_installed("hijack"):
        from hijack.signals import hijack_started

        hijack_started.connect(_hijacked, dispatch_uid=_UID)


@guarded
def _request_failed(sender: object, **_: object) -> None:
    facts, error = current.get(), sys.exception()
    if facts is not None and error is not None:
        note_exception(facts, error)


@guarded
def _logged_in(sender: object, request: Any = None, user: Any = None, **_: object) -> None:
    identity, facts = identity_of(user), current.get()
    if identity is None or facts is None:
        return
    session = getattr(getattr(request, "session", None), "session_key", None)
    login(identity, name=user.get_username(), session=session)
    if facts.cause == "bad-credentials":
        facts.cause = None  # an earlier attempt of the same request


@guarded
def _logged_out(sender: object, request: Any = None, user: Any = None, **_: object) -> None:
    facts = current.get()
    if facts is not None:
        facts.user = facts.user or identity_of(user)
        logout()


@guarded
def _login_failed(
    sender: object, credentials: dict[str, Any] | None = None, request: Any = None, **_: object
) -> None:
    name = _typed_name(credentials or {})
    is_locked = bool(getattr(request, "axes_locked_out", False))
    login_failed(name, known=_is_known(name, is_locked))
    if is_locked:
        _locked_out(sender)


@guarded
def _locked_out(sender: object, **_: object) -> None:
    facts = current.get()
    if facts is not None:
        facts.cause = "locked"
        if facts.said_ is not None and facts.said_.sign_ins:
            facts.said_.sign_ins[-1].reason = "locked"


@guarded
def _hijacked(sender: object, hijacker: Any = None, hijacked: Any = None, **_: object) -> None:
    identity = identity_of(hijacked)
    if identity is not None:
        identify(identity, via=identity_of(hijacker))


def _typed_name(credentials: dict[str, Any]) -> str | None:
    from django.contrib.auth import get_user_model

    for field in ("username", get_user_model().USERNAME_FIELD, "email"):
        if credentials.get(field):
            return str(credentials[field])
    return None


def _is_known(name: str | None, is_locked: bool) -> bool | None:
    """Whether an account has this name, by what the sign-in itself has loaded; `None`: unknown."""
    loaded = loaded_names()
    if name is None or loaded is None or is_locked:
        return None
    if name.casefold() in loaded:
        return True
    looks_up = _all_look_up(tuple(settings.AUTHENTICATION_BACKENDS))
    return False if looks_up and len(loaded) < MAX_NAMES else None


@lru_cache(maxsize=8)
def _all_look_up(paths: tuple[str, ...]) -> bool:
    """Whether every backend looks for the name typed in Django's own table of users."""
    from django.contrib.auth import load_backend
    from django.contrib.auth.backends import ModelBackend

    kinds = [type(load_backend(path)) for path in paths]
    return all(
        kind.__module__ == "axes.backends"
        or getattr(kind, "authenticate", None) is ModelBackend.authenticate
        for kind in kinds
    )
