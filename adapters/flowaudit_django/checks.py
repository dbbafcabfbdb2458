"""Django system checks: what is wrong or unwise in how a project uses flowaudit.

Each has its line in `docs/django.md`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, Resolver404, resolve

from flowaudit import FlowAudit
from flowaudit.errors import FlowauditError
from flowaudit.vault.place import is_database

from .project import core_settings, get_audit, load_actor

__all__ = ["check_project", "register"]

APP: Final = "flowaudit_django"
MIDDLEWARE: Final = (
    "flowaudit_django.FlowAuditMiddleware",
    f"{APP}.middleware.FlowAuditMiddleware",
)


def register() -> None:
    """Let `manage.py check`, and every command that checks first, find them."""
    checks.register(check_project)


def check_project(app_configs: Any, **_: object) -> list[checks.CheckMessage]:
    """Everything that the project's settings tell."""
    found = list(_middleware())
    try:
        load_actor()
        audit = get_audit()
    except FlowauditError as error:
        return [_error("E001", str(error), "Correct FLOWAUDIT in the project's settings."), *found]
    return [*found, *_where_files_lie(audit), *_proxies(audit), *_login_url()]


def _middleware() -> Iterator[checks.CheckMessage]:
    listed = list(settings.MIDDLEWARE)
    places = [place for place, name in enumerate(listed) if name in MIDDLEWARE]
    if not places:
        yield _warning(
            "W001",
            "flowaudit's middleware is not in MIDDLEWARE: no request is recorded.",
            f'Put "{MIDDLEWARE[0]}" first in MIDDLEWARE.',
        )
    elif len(places) > 1:
        yield _warning(
            "W003", "flowaudit's middleware is listed twice in MIDDLEWARE.", "Keep the first."
        )
    if places and places[0] > 0:
        yield _warning(
            "W002",
            f"flowaudit's middleware stands behind {listed[0]}: what that answers by itself"
            " is not recorded.",
            f'Put "{MIDDLEWARE[0]}" first in MIDDLEWARE.',
        )


def _where_files_lie(audit: FlowAudit) -> Iterator[checks.CheckMessage]:
    core = core_settings()
    is_named = not isinstance(core, dict) or "trail" in core or os.environ.get("FLOWAUDIT_TRAIL")
    trail = str(audit.settings["trail"])
    if not is_named or not (is_database(trail) or Path(trail).is_absolute()):
        yield _warning(
            "W004",
            f"The trail is {trail!r} in whichever folder a process is"
            " started from: a server and a command may use two.",
            'Give its whole path: FLOWAUDIT = {"trail": BASE_DIR / "flowaudit.db"}.',
        )
    for name in ("trail", "vault", "key", "spool"):
        place = getattr(audit.paths, name)
        if is_database(place):
            continue
        path = Path(place).resolve()
        for setting in ("STATIC_ROOT", "MEDIA_ROOT"):
            root = getattr(settings, setting, None)
            if root and path.is_relative_to(Path(root).resolve()):
                yield _error(
                    "E002",
                    f"The {name} {path} lies in {setting}: whoever knows its name may download it.",
                    "Put it where no server looks for files.",
                )


def _proxies(audit: FlowAudit) -> Iterator[checks.CheckMessage]:
    believed = [
        name
        for name in ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")
        if getattr(settings, name, None)
    ]
    if believed and not audit.settings["trusted_proxies"]:
        yield _warning(
            "W005",
            f"{believed[0]} says that a proxy stands in front, but flowaudit knows of none: every"
            " event has the proxy's address as its client.",
            'Declare it: FLOWAUDIT = {"trusted_proxies": 1}, or its networks.',
        )


def _login_url() -> Iterator[checks.CheckMessage]:
    """Only where the project has set `LOGIN_URL`: Django's default leads nowhere in many."""
    if not settings.is_overridden("LOGIN_URL") or not settings.LOGIN_URL:
        return
    try:
        url = resolve_url(settings.LOGIN_URL)
        if url.startswith("/") and not url.startswith("//"):
            resolve(url.partition("?")[0])
    except (NoReverseMatch, Resolver404):
        yield _warning(
            "W006",
            f"LOGIN_URL {str(settings.LOGIN_URL)!r} leads to no view of this project: if it is a"
            " name, no redirect to it is recorded as a refusal.",
            "Correct LOGIN_URL, or silence this if another server answers there.",
        )
    except Exception:
        return  # a broken URL configuration, which Django's own checks tell of


def _error(number: str, message: str, hint: str) -> checks.CheckMessage:
    return checks.Error(message, hint=hint, id=f"flowaudit.{number}")


def _warning(number: str, message: str, hint: str) -> checks.CheckMessage:
    return checks.Warning(message, hint=hint, id=f"flowaudit.{number}")
