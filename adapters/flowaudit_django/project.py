"""What the project's settings say: where events go, who tells the actor, where people sign in."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, Resolver404, get_urlconf, resolve
from django.utils import translation
from django.utils.module_loading import import_string

from flowaudit import Actor, FlowAudit
from flowaudit.errors import SettingError
from flowaudit.settings import SETTINGS

__all__ = ["ActorOption", "core_settings", "get_audit", "is_sign_in_page", "load_actor"]

ActorOption = Callable[[HttpRequest], "str | Actor | None"]
"""Tells who acts in a request; `None` leaves it to django.contrib.auth."""

_OWN: Final = ("actor", "audit")
"""Keys of `FLOWAUDIT` that only this adapter has."""

_NAMES: Final = (*_OWN, *(setting.name for setting in SETTINGS))


def core_settings() -> FlowAudit | dict[str, Any]:
    """The audit that the project made itself, or the settings to make one.

    Raises `SettingError` if `FLOWAUDIT` is neither, or has a key that is none.
    """
    options = _options()
    audit = options.get("audit")
    if audit is None:
        return {name: value for name, value in options.items() if name not in _OWN}
    others = sorted(options.keys() - {*_OWN})
    if not isinstance(audit, FlowAudit) or others:
        raise SettingError("audit", audit, f"a FlowAudit, without {', '.join(others) or 'others'}")
    return audit


@lru_cache(maxsize=1)
def get_audit() -> FlowAudit:
    """The `FlowAudit` that `settings.FLOWAUDIT` describes; made once. May be one itself."""
    core = core_settings()
    return core if isinstance(core, FlowAudit) else FlowAudit(**core)


def load_actor() -> ActorOption | None:
    """The option `actor`: a callable, or the dotted path of one. Raises `SettingError`."""
    given = _options().get("actor")
    found = given
    if isinstance(given, str):
        try:
            found = import_string(given)
        except ImportError:
            found = None
    if given is not None and (not callable(found) or iscoroutinefunction(found)):
        expected = "a function of the request, not async, or its dotted path"
        raise SettingError("actor", given if isinstance(given, str) else repr(given), expected)
    return found


def _options() -> Mapping[str, Any]:
    given = getattr(settings, "FLOWAUDIT", {})
    if isinstance(given, FlowAudit):
        return {"audit": given}
    if not isinstance(given, Mapping):
        raise SettingError("FLOWAUDIT", given, "a dictionary of settings, or a FlowAudit")
    for name in given:
        if name not in _NAMES:
            raise SettingError(name, given[name], f"one of {', '.join(_NAMES)}")
    return given


def is_sign_in_page(page: str, request: HttpRequest) -> bool:
    """Whether people sign in there: at `LOGIN_URL`, at the admin's page, or at a `LoginView`.

    Args:
        page: a path of this site, or the URL of another one, without query.
        request: in whose language and URL configuration names are looked up.
    """
    language = getattr(request, "LANGUAGE_CODE", None)
    urlconf = get_urlconf() or settings.ROOT_URLCONF
    return page in _sign_in_pages(language, urlconf) or _is_login_view(page, language, urlconf)


@lru_cache(maxsize=256)
def _sign_in_pages(language: str | None, urlconf: Any) -> frozenset[str]:
    found = set()
    with translation.override(language or translation.get_language()):
        for name in (settings.LOGIN_URL, "admin:login"):
            try:
                found.add(resolve_url(name) if name else "")
            except NoReverseMatch:
                continue
    return frozenset(found - {"", "/"})


@lru_cache(maxsize=1_024)
def _is_login_view(page: str, language: str | None, urlconf: Any) -> bool:
    from django.contrib.auth.views import LoginView  # needs the apps to be loaded

    try:
        with translation.override(language or translation.get_language()):
            view = resolve(page, urlconf).func
    except Resolver404:
        return False
    shown = getattr(view, "view_class", None)
    return isinstance(shown, type) and issubclass(shown, LoginView)


def _forget(setting: str = "", **_: object) -> None:
    """Settings that a test overrides count at once."""
    if setting == "FLOWAUDIT":
        get_audit.cache_clear()
    if setting in ("LOGIN_URL", "ROOT_URLCONF"):
        _sign_in_pages.cache_clear()
        _is_login_view.cache_clear()


setting_changed.connect(_forget, dispatch_uid="flowaudit")
