"""Who acts in a request, as far as the app has looked: nothing here asks the database."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

from flowaudit import Actor

__all__ = ["actor_of", "identity_of", "session_values"]

_FLAGS = (("is_superuser", "superuser"), ("is_staff", "staff"))


def actor_of(request: HttpRequest) -> Actor | None:
    """The user that the app has loaded: identity, roles, and who impersonates them."""
    user = _loaded_user(request)
    identity = identity_of(user)
    if identity is None:
        return None
    return Actor(identity, _roles(user), None, _impersonator(request, identity))


def identity_of(user: Any) -> str | None:
    """`user:<primary key>` of a signed-in user, else `None`."""
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    key = getattr(user, "pk", None)
    return None if key is None else f"user:{key}"


def session_values(request: HttpRequest) -> dict[str, Any]:
    """What stands in the session, if the app has opened it; else nothing."""
    session = vars(request).get("session")
    values = getattr(session, "__dict__", {}).get("_session_cache")
    return values if isinstance(values, dict) else {}


def _loaded_user(request: HttpRequest) -> Any:
    """The user, if the app has looked: to look at a lazy `request.user` would load it."""
    known = vars(request)
    return _settled(known.get("user")) or known.get("_cached_user") or known.get("_acached_user")


def _settled(user: Any) -> Any:
    """What stands behind a lazy object, `None` if nobody has looked at it yet."""
    while issubclass(type(user), LazyObject):
        user = user.__dict__.get("_wrapped")
        if user is empty:
            return None
    return user


def _roles(user: Any) -> list[str]:
    """The user's flags, and the groups that the app has prefetched."""
    known = getattr(user, "__dict__", {})
    roles = [role for flag, role in _FLAGS if known.get(flag) is True]
    groups = known.get("_prefetched_objects_cache", {}).get("groups")
    for group in getattr(groups, "_result_cache", None) or ():
        name = vars(group).get("name")
        roles += [name] if name else []
    return roles


def _impersonator(request: HttpRequest, identity: str) -> str | None:
    """Who really acts: by django-impersonate's attributes, or by django-hijack's history."""
    known = vars(request)
    for name in ("impersonator", "real_user"):
        real = identity_of(_settled(known.get(name)))
        if real is not None and real != identity:
            return real
    history = session_values(request).get("hijack_history")
    # the first of the history: somebody hijacked may hijack on
    return f"user:{history[0]}" if isinstance(history, list) and history else None
