"""Work outside requests, and how its actor travels to it from the request that ordered it."""

import contextvars
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar, cast

from ..vault.base import Token, is_token
from .actors import kind_of_identity
from .context import current
from .facts import Actor, Facts, name_text

__all__ = ["Job", "carried_of", "job_facts"]

_R = TypeVar("_R")
_P = ParamSpec("_P")

TRACE_PARENT: Final = "00-{}-0000000000000001-00"
"""A `traceparent` (W3C Trace Context) around a trace id that has come with a job."""


class Job:
    """Work outside requests: for one `with`, or as a decorator, by which each call is a job.

    Args:
        begin: makes the facts of a job that begins.
        finish: makes its event.
    """

    def __init__(self, begin: Callable[[], Facts], finish: Callable[[Facts], None]) -> None:
        self._begin, self._finish = begin, finish

    def __enter__(self) -> None:
        self._facts = self._begin()
        self._token: contextvars.Token[Facts | None] = current.set(self._facts)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        current.reset(self._token)
        self._facts.exception = error
        self._finish(self._facts)

    def __call__(self, work: Callable[_P, _R]) -> Callable[_P, _R]:
        """Make each call of a function a job. Raises `TypeError` for a generator function."""
        if isgeneratorfunction(work) or isasyncgenfunction(work):
            raise TypeError(
                f"{work.__qualname__} is a generator: a job begins and ends inside of it, by `with`"
            )
        if iscoroutinefunction(work):

            @wraps(work)
            async def later(*args: _P.args, **kwargs: _P.kwargs) -> Any:
                with Job(self._begin, self._finish):
                    return await work(*args, **kwargs)

            return cast("Callable[_P, _R]", later)

        @wraps(work)
        def now(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with Job(self._begin, self._finish):
                return work(*args, **kwargs)

        return now


def carried_of(facts: Facts, token: Callable[[str], str]) -> dict[str, str]:
    """What travels from a request to the work that it orders: texts only, tokens for people.

    Raises what `token` raises.
    """
    actor = _actor_of(facts)
    carried = {
        "actor": token(actor.identity) if actor.identity else None,
        "kind": actor.kind,
        "request": facts.request,
        "roles": "\n".join(actor.roles) if actor.roles else None,
        "trace": facts.trace,
        "via": token(actor.via) if actor.via is not None else None,
    }
    return {name: value for name, value in carried.items() if value is not None}


def job_facts(
    ts: int,
    name: str,
    actor: Actor | None,
    carried: Mapping[str, object] | None,
    around: Facts | None,
) -> Facts:
    """The facts of a job that begins: its name, and what was carried to it, as far as it is fit.

    Where nothing is carried, what runs around it in the same context has ordered it. An actor
    that is named takes the place of the one that was carried, or of the order's.
    """
    facts = Facts(ts, "", kind="note", route=name_text(f"job:{name}"))
    ordered_by = None
    if carried is not None:
        ordered_by = _take_carried(facts, carried)
    elif around is not None:
        ordered_by = _actor_of(around)
        facts.request_id, facts.traceparent = around.request_id, around.traceparent
    facts.act(actor if actor is not None else ordered_by)
    return facts


def _actor_of(facts: Facts) -> Actor:
    """Who acts in a request or job, as far as is known by now; without an identity for nobody."""
    said, identity = facts.said_, facts.identity
    kind = (said.actor_kind if said is not None else None) or facts.actor_kind
    if kind is None and identity is not None:
        kind = kind_of_identity(identity)
    roles = (said.roles if said is not None else None) or facts.roles
    return Actor(identity or "", roles, kind, facts.delegate)


def _take_carried(facts: Facts, carried: Mapping[str, object]) -> Actor | None:
    """Take request and trace from what was carried; who ordered it, if that is fit to be told."""
    come = {
        key: value
        for key, value in (carried.items() if isinstance(carried, Mapping) else ())
        if isinstance(value, str)
    }
    facts.request_id = come.get("request")
    facts.traceparent = TRACE_PARENT.format(come["trace"]) if "trace" in come else None
    if not is_token(come.get("actor", "")):
        return None
    roles = come["roles"].split("\n") if "roles" in come else None
    via = Token(come["via"]) if is_token(come.get("via", "")) else None
    return Actor(Token(come["actor"]), roles, come.get("kind"), via)
