"""What a user object tells of itself, without making it load anything.

An app's user is often a row of its database: to look at an attribute that is not there yet would
ask the database again. So of a row only what it holds already counts.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from .facts import role_names

__all__ = ["identity_of", "is_stale", "name_of", "roles_of"]

_IDENTITIES: Final = ("identity", "id", "pk", "sub", "username")
"""Where a user's identity stands, the most telling first; `sub` is a token's (RFC 7519 §4.1.2)."""

_NAMES: Final = ("username", "email")
"""Where the name stands that a person types at a sign-in."""

_ROW_MARKS: Final = ("__mapper__", "_meta")
"""What classes have whose attributes may be loaded late: SQLAlchemy's and Django's models."""


def identity_of(user: object) -> str | None:
    """`user:42` out of a user object, a token's claims or a text; `None` of nobody.

    A row of SQLAlchemy's that has dropped its columns is known by its key.

    A text that names a kind already, such as `service:cron`, stays as it is.
    """
    if user is None or _told(user, "is_authenticated") is False:
        return None
    if isinstance(user, str):
        return _named(user)
    if is_stale(user):
        key = _held(user, "_sa_instance_state").identity
        return _named(",".join(map(str, key))) if key else None
    for name in _IDENTITIES:
        value = _told(user, name)
        if isinstance(value, str | int | UUID) and not isinstance(value, bool) and value != "":
            return _named(str(value))
    return None


def is_stale(user: object) -> bool:
    """Whether a row of SQLAlchemy's has dropped columns, and would load them when asked."""
    return bool(getattr(_held(user, "_sa_instance_state"), "expired_attributes", None))


def name_of(user: object) -> str | None:
    """The name that a user types at a sign-in, where the object holds it."""
    for name in _NAMES:
        value = _held(user, name)
        if isinstance(value, str) and value:
            return value
    return None


def roles_of(user: object) -> list[str] | None:
    """Names of a user's roles, where the object holds them: texts, or objects with a `name`."""
    roles = _held(user, "roles")
    if isinstance(roles, str):
        return role_names(roles)
    if not isinstance(roles, list | tuple | set | frozenset):
        return None
    return role_names(_role_names(roles))


def _role_names(roles: Iterable[object]) -> Iterable[str]:
    for role in roles:
        name = role if isinstance(role, str) else _held(role, "name")
        if isinstance(name, str):
            yield name


def _held(thing: object, name: str) -> Any:
    """What an object holds under a name, or a mapping, without running any code of its class."""
    if isinstance(thing, Mapping):
        return thing.get(name)
    fields = getattr(thing, "__dict__", None)
    return fields.get(name) if isinstance(fields, dict) else None


def _told(thing: object, name: str) -> Any:
    """As `_held`, or what a property of the object says where its class is no database's."""
    value = _held(thing, name)
    if value is not None or any(hasattr(type(thing), mark) for mark in _ROW_MARKS):
        return value
    try:
        return getattr(thing, name, None)
    except Exception:  # such as Starlette's BaseUser, which leaves its properties to its children
        return None


def _named(text: str) -> str | None:
    kind, colon, rest = text.partition(":")
    return (text if colon and rest and kind.isalpha() else f"user:{text}") if text else None
