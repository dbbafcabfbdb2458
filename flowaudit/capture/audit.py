"""The class `FlowAudit`: one app's way into one trail."""

import os
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from ..event import ACTIONS, KINDS, Core, Personal, clean_map
from ..policy.rules import find_policy
from ..settings import resolve
from .asgi import ASGIApp, AsgiCapture, Scope
from .context import current
from .facts import Actor, Facts
from .jobs import Job, carried_of, job_facts
from .logs import add_request_fields
from .strict_intake import StrictIntake
from .wsgi import Environ, WSGIApp, WsgiCapture

__all__ = ["FlowAudit"]


class FlowAudit(StrictIntake):
    """Captures what an app does, into a trail. Make one for each app and process tree.

    Every argument is a setting (see `docs/settings.md`); a wrong one raises `SettingError`, and
    a `trail` that is something else raises `NotATrailError`, both at once. After that nothing of
    ours raises: failures inside requests are counted in `counters` and logged.

    Nothing is opened before the first event, so that it can be made before a server forks.
    """

    def __init__(
        self,
        trail: str | os.PathLike[str] | None = None,
        *,
        vault: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        spool: str | os.PathLike[str] | None = None,
        retention: str | None = None,
        service: str | None = None,
        version: str | None = None,
        policy: str | os.PathLike[str] | None = None,
        trusted_proxies: int | Sequence[str] | None = None,
        query_keys: Sequence[str] | None = None,
        login_paths: Sequence[str] | None = None,
        session_cookie: str | Sequence[str] | None = None,
        agents: Sequence[str] | None = None,
        beacon: str | None = None,
        emit: str | None = None,
        witnesses: Sequence[str] | None = None,
        queue_size: int | None = None,
        group_ms: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        given: dict[str, object] = {
            "trail": trail,
            "vault": vault,
            "key": key,
            "spool": spool,
            "retention": retention,
            "service": service,
            "version": version,
            "policy": policy,
            "trusted_proxies": trusted_proxies,
            "query_keys": query_keys,
            "login_paths": login_paths,
            "session_cookie": session_cookie,
            "agents": agents,
            "beacon": beacon,
            "emit": emit,
            "witnesses": witnesses,
            "queue_size": queue_size,
            "group_ms": group_ms,
            "clock": clock,
        }
        found = find_policy(given["policy"])
        super().__init__(resolve(given, os.environ, found.settings), found)

    # -- wrappers ----------------------------------------------------------------------------

    def asgi(
        self, app: ASGIApp, *, enrich: Callable[[Scope, Facts], None] | None = None
    ) -> "AsgiCapture":
        """Wrap any ASGI app. `enrich` may set the route of a request when the app has answered."""
        return AsgiCapture(app, self, enrich)

    def wsgi(
        self, app: WSGIApp, *, enrich: Callable[[Environ, Facts], None] | None = None
    ) -> "WsgiCapture":
        """Wrap any WSGI app. `enrich` may set the route of a request when the app has answered."""
        return WsgiCapture(app, self, enrich)

    def job(
        self,
        name: str,
        *,
        actor: Actor | str | None = None,
        roles: Iterable[str] = (),
        carried: Mapping[str, object] | None = None,
    ) -> Job:
        """Work outside requests: what is said inside belongs to it; it is itself a `note` event.

        For `with`, or as the decorator of a function or coroutine function. Inside another job,
        or in a request, it is done for whoever acts there, unless told.

        Args:
            name: what the job is called; recorded as the route `job:NAME`.
            actor: who it is done for, as the app knows them, such as `service:cron`; or an
                `Actor`, with who really acts.
            roles: their roles, unless an `Actor` tells them.
            carried: what `carry` gave where the job was ordered: its actor is the job's, unless
                `actor` names another, and its request and trace lead from the job to the order.

        As a decorator it raises `TypeError` for a generator function, whose work is done later
        and elsewhere: there `with` stands inside.
        """
        if actor is not None and not isinstance(actor, Actor):
            actor = Actor(actor, roles=roles)

        def begin() -> Facts:
            facts = job_facts(self.now_us(), name, actor, carried, current.get())
            facts.hearer = self
            return facts

        return Job(begin, self.finish)

    def carry(self) -> dict[str, str]:
        """Who acts in the running request or job, for work that it orders; empty outside both.

        Texts by short names, fit for the headers of a message. Persons are there as tokens, so
        that a queue holds no identity. May ask the vault's file for a person's first token.
        """
        facts = current.get()
        try:
            return carried_of(facts, self._vault.token) if facts is not None else {}
        except Exception as error:
            self.note_failure(error)
            return {}

    def record(self, kind: str, action: str | None = None, **values: object) -> None:
        """Record an event that belongs to no request, such as `ops`, `deploy`.

        In an `auth` event, `target` is the account concerned, and recorded as its token.

        Raises `ValueError` for a kind or action that schema 1 does not have, `VaultError` if the
        vault cannot give a token.
        """
        if kind not in KINDS or (action is not None and action not in ACTIONS[kind]):
            raise ValueError(f"schema 1 has no event {kind} {action or ''}".rstrip())
        kept = clean_map(values) or None
        if kind == "auth" and kept and "target" in kept:
            kept["target"] = self._vault.token(str(kept["target"]))
        is_core = kind in ("ops", "access", "process", "gap")
        core = Core(
            ts=self.now_us(),
            kind=kind,
            action=action,
            outcome="ok",
            facts=kept if is_core else None,
        )
        self._recorder.append(core, None if is_core else Personal(data=kept))

    def log_fields(
        self, logger: object, method: str, fields: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """A structlog processor: adds actor, session, request, trace, route and source to a line.

        All as they stand in the trail, so that a line leads to its event: tokens, no identities.
        Outside requests and jobs it adds nothing.
        """
        try:
            cookies = self.settings["session_cookie"]
            add_request_fields(fields, self._vault, self._recorder.source, cookies)
        except Exception as error:
            self.note_failure(error)
        return fields
