"""The app's own log lines, with who and which request they belong to."""

import asyncio
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

from ..errors import VaultError
from ..vault.base import AnyVault
from .context import current
from .facts import Facts, cookie_value, header_text

__all__ = ["add_request_fields"]


def add_request_fields(
    fields: MutableMapping[str, Any], vault: AnyVault, source: str, session_cookies: tuple[str, ...]
) -> None:
    """Add what the log line's request is known by, in the words of its event.

    `actor` and `session` are the tokens that stand in the trail, never an identity; `request`,
    `trace`, `route`; and `source`. What the line says itself is left as it is. A request that
    came without an id is given one, so that its line leads to its event.
    """
    facts = current.get()
    if facts is None:
        return
    if facts.request is None and not facts.is_over:
        facts.request_id = str(uuid4())
    found = {
        "actor": _token(vault, facts),
        "request": facts.request,
        "route": facts.route,
        "session": _session(vault, facts, session_cookies),
        "source": source or None,
        "trace": facts.trace,
    }
    for name, value in found.items():
        if value is not None:
            fields.setdefault(name, value)


def _token(vault: AnyVault, facts: Facts) -> str | None:
    """The actor's token; on an event loop only if it is known, since the vault's file may wait."""
    identity = facts.identity
    if identity is None:
        return None
    known = vault.cached(identity)
    if known is None and not _is_on_event_loop():
        try:
            known = vault.token(identity)
        except VaultError:
            return None
    return known


def _session(vault: AnyVault, facts: Facts, cookies: tuple[str, ...]) -> str | None:
    """The session's hash, from the adapter or a named cookie; once the process has the key."""
    value = facts.new_session or facts.session
    if value is None and facts.cookie and cookies:
        value = cookie_value(header_text(facts.cookie), cookies)
    return vault.cached_hash("session", value) if value is not None else None


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
