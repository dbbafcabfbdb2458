"""What can be read of a request where something in it is not what the protocol says it is.

A server, a test client or a middleware may put a number, `None` or bytes where text belongs. The
way of a request takes no heed of that, since it would cost each one; only where it has failed is
what can't be read left out here, so that an event can be made of the rest.
"""

from collections.abc import Callable
from typing import Any, Final

from .facts import Facts

__all__ = ["leave_out_unreadable", "readable", "readable_by", "readable_text"]

_HEADERS: Final = ("cookie", "referer", "request_id", "traceparent")
_TEXTS: Final = (
    "action",
    "actor_kind",
    "cause",
    "location",
    "new_session",
    "resource",
    "resource_id",
    "route",
    "session",
    "user",
    "via",
)
_NUMBERS: Final = ("bytes_in", "bytes_out")


def readable(value: object) -> str | bytes | None:
    """A header's value: text or bytes as they are, a number as text; `None` for all else."""
    if isinstance(value, (str, bytes)):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def readable_text(value: object) -> str:
    """As `readable`, always text; empty for what can't be read."""
    found = readable(value)
    return found.decode("latin-1") if isinstance(found, bytes) else found or ""


def readable_by(get: Callable[[Any], Any]) -> Callable[[Any], str | bytes | None]:
    """As `get`, which gives headers by their keys, but without what can't be read."""
    return lambda key: readable(get(key))


def leave_out_unreadable(facts: Facts) -> None:
    """Leave out of a request's facts what is neither text nor number where it should be."""
    facts.method = readable_text(facts.method)
    facts.query = readable_text(facts.query)
    for name in _HEADERS:
        setattr(facts, name, readable(getattr(facts, name)))
    for name in _TEXTS:
        setattr(facts, name, readable_text(getattr(facts, name)) or None)
    for name in _NUMBERS:
        value = getattr(facts, name)
        setattr(facts, name, value if isinstance(value, int) else 0)
    facts.status = facts.status if isinstance(facts.status, int) else None
    if facts.roles is not None:
        facts.roles = [role for role in facts.roles if isinstance(role, str)] or None
