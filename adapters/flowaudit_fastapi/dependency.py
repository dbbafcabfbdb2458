"""The dependency that tells who acts: what FastAPI knows only inside an endpoint."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any

from flowaudit import Actor
from flowaudit.capture.context import current
from flowaudit.capture.people import identity_of, roles_of
from flowaudit.errors import MissingExtraError, SettingError

__all__ = ["identified"]


def identified(
    dependency: Any, *, actor: Callable[[Any], Actor | str | None] | None = None
) -> Callable[..., Awaitable[Any]]:
    """A dependency that gives what the app's own one gives, and tells that this is who acts.

    `Depends(identified(get_current_user))` stands wherever `Depends(get_current_user)` may: as a
    parameter, or in the `dependencies` of a route, a router or the app. FastAPI runs the app's
    dependency as ever, and once for each request.

    Args:
        dependency: the app's own, or a `Depends(…)` or `Security(…)` of it.
        actor: called with what the dependency gave, where that is not a text, a token's claims or
            an object with `identity`, `id`, `sub` or `username`: gives an identity such as
            `user:42`, an `Actor`, or `None` for nobody.
    """
    try:
        from fastapi import Depends, params  # optional: Starlette's apps do without FastAPI
    except ImportError as error:
        raise MissingExtraError("fastapi", "fastapi") from error
    if actor is not None and (not callable(actor) or iscoroutinefunction(actor)):
        raise SettingError("actor", repr(actor), "a function of the user, not async")
    wanted = dependency if isinstance(dependency, params.Depends) else Depends(dependency)

    async def tell(user: Any = wanted) -> Any:
        facts = current.get()
        if facts is not None and user is not None:
            facts.act(actor(user) if actor is not None else _actor_of(user))
        return user

    return tell


def _actor_of(user: object) -> Actor | None:
    identity = identity_of(user)
    return Actor(identity, roles_of(user)) if identity is not None else None
