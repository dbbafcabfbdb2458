"""What the app can say of the request it is in, through a context variable.

Outside a request and outside `audit.job(…)` these functions do nothing, and they never raise for
what they are given. After the request's event is made, as in work that follows the answer,
sign-ins and `record` become events of their own; what only the request's event could hold is
counted by `FlowAudit.said_too_late`, and logged. In threads and tasks that a request started, they
reach that request as long as the context was copied to them (asyncio tasks, `asyncio.to_thread`,
Starlette's thread pool).
"""

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

from ..event import clean_map
from .facts import Facts, SignIn, name_text, role_names

__all__ = [
    "current",
    "deny",
    "hide",
    "identify",
    "login",
    "login_failed",
    "logout",
    "note",
    "record",
    "resource",
    "step",
]

current: Final[ContextVar[Facts | None]] = ContextVar("flowaudit_request", default=None)
"""The request that the running code belongs to."""


def identify(
    identity: str,
    *,
    roles: Iterable[str] | None = None,
    kind: str | None = None,
    via: str | None = None,
) -> None:
    """Say who acts.

    Args:
        identity: the person, service or agent as the app knows them, such as `user:42`; recorded
            as a token only. `None` or an empty text names nobody, and changes nothing.
        roles: their roles at this moment.
        kind: `user` (default), `service`, `agent`, `bot` or `system`.
        via: who really acts, when `identity` is impersonated or delegated to.
    """
    facts = current.get()
    if facts is not None and _is_somebody(identity):
        said = facts.said
        said.identity = str(identity)
        said.roles = role_names(roles) or said.roles
        said.actor_kind = kind or said.actor_kind
        said.via = str(via) if _is_somebody(via) else said.via


def resource(
    kind: str,
    identifier: object = None,
    *,
    privileged: bool | None = None,
    rows: int | None = None,
) -> None:
    """Say what was touched: what kind of thing, which one, and how many records were returned."""
    facts = _still_open("resource")
    if facts is not None:
        said = facts.said
        said.resource = name_text(kind)
        said.resource_id = name_text(identifier) if identifier is not None else None
        said.privileged = privileged if privileged is not None else said.privileged
        said.rows = rows if rows is not None else said.rows


def deny(reason: str) -> None:
    """Say that this request is refused, and why: a word of `[a-z0-9-]`, at most 40 characters."""
    facts = _still_open("deny")
    if facts is not None:
        facts.said.denied = str(reason) if reason else ""


def hide() -> None:
    """Say that the thing asked for exists, but this requester is told that it does not."""
    facts = _still_open("hide")
    if facts is not None:
        facts.said.hidden = True


def step(flow: str, name: str) -> None:
    """Say which step of a declared flow this request is."""
    facts = _still_open("step")
    if facts is not None:
        facts.said.flow, facts.said.step = name_text(flow), name_text(name)


def note(**values: object) -> None:
    """Add to the personal part of this request's event: text, whole numbers, booleans, lists."""
    facts = _still_open("note")
    if facts is not None:
        facts.said.note(values)


def record(kind: str, action: str | None = None, **values: object) -> None:
    """Add an event of another kind beside this request's, such as `ops`, `deploy`."""
    facts = current.get()
    if facts is not None:
        facts.said.events.append((kind, action, _now(facts), clean_map(values)))
        _tell_late(facts)


def login(
    identity: str,
    *,
    name: str | None = None,
    roles: Iterable[str] | None = None,
    session: str | None = None,
) -> None:
    """Say that somebody signed in: an `auth` event, and the actor of this request.

    Args:
        identity: who signed in, as the app knows them.
        name: what was typed as the name; recorded as a keyed hash only.
        roles: their roles.
        session: the session id from now on, where it changes and is not in a declared cookie.
    """
    facts = current.get()
    if facts is not None and _is_somebody(identity):
        identify(identity, roles=roles)
        facts.said.sign_ins.append(SignIn("login", _now(facts), str(identity), name))
        facts.new_session = session or facts.new_session
        _tell_late(facts)


def login_failed(name: str | None = None, *, known: bool | None = None) -> None:
    """Say that a sign-in failed: an `auth` event, and this request's outcome.

    Args:
        name: what was typed as the name; recorded as a keyed hash only.
        known: whether such an account exists.
    """
    facts = current.get()
    if facts is not None:
        data = clean_map({"login_known": known})
        facts.said.sign_ins.append(SignIn("login-failed", _now(facts), None, name, data or None))
        facts.cause = facts.cause or "bad-credentials"
        _tell_late(facts)


def logout() -> None:
    """Say that whoever acts in this request signed out."""
    facts = current.get()
    if facts is not None:
        facts.said.sign_ins.append(SignIn("logout", _now(facts), facts.identity))
        _tell_late(facts)


def _still_open(what: str) -> Facts | None:
    """The running request, unless its event is made: then what is said of it comes too late."""
    facts = current.get()
    if facts is not None and facts.is_over:
        if facts.hearer is not None:
            facts.hearer.hear_in_vain(facts, what)
        return None
    return facts


def _tell_late(facts: Facts) -> None:
    """A sign-in or another event was told: it must not wait for an event that is made already."""
    if (facts.done or facts.is_told) and facts.hearer is not None:
        facts.hearer.hear_late(facts)


def _is_somebody(identity: object) -> bool:
    """Whether an app names anybody: what it hands over for nobody must not become a person."""
    return identity is not None and identity != ""


def _now(facts: Facts) -> int:
    """Time of something inside a request: its start by the app's clock, and what passed since."""
    return facts.ts + facts.elapsed_us
