"""The way in: what wrappers see of requests becomes events, and nothing of ours reaches the app."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from ..event import Pieces
from ..oplog import OPLOG
from ..policy.proxies import Proxies
from ..policy.rule import NO_RULE
from ..policy.rules import Policy
from ..recording.recorder import Recorder
from ..trail.paths import TrailPaths
from ..vault.opening import open_vault
from .bodies import Payload
from .compose import Composer, Event
from .diversion import elsewhere, register
from .facts import Facts
from .heads import Heads, Names
from .own_paths import own_place, usable_paths
from .process import process_facts
from .readable import leave_out_unreadable, readable, readable_by, readable_text
from .ruling import Rulings, add_payload
from .targets import Targets

__all__ = ["Intake"]

VAULT_TIMEOUT_S: Final = 1.0
"""Seconds an event waits for the vault; after that it is recorded without an actor."""

VAULT_PAUSE_S: Final = 5.0
"""Seconds in which a vault in a database that could not be reached is not asked again, so that
requests do not wait for it one after the other.
"""

LOG_EVERY: Final = 1_000
"""Of our own failures inside requests, the first and then one in so many is logged."""


class Intake:
    """Takes the facts of requests from wrappers and adapters, and spools their events.

    Once it is made, nothing of it raises but what `Recorder` says of `flush` and `close`: failures
    inside requests are counted and logged. Nothing is opened before the first event.
    """

    def __init__(self, settings: Mapping[str, Any], policy: Policy) -> None:
        self.settings = settings
        self.policy = policy
        self.capture_failures = 0
        """Faults of ours that were kept from the app."""
        self._clock: Callable[[], float] | None = settings["clock"]
        self.has_strict = policy.has_strict
        """Whether the policy asks for some requests to be recorded strictly."""
        self.said_too_late = 0
        """What the app said of requests when only their own events, made already, could hold it."""
        self._failures_lock = threading.Lock()  # owns capture_failures and said_too_late
        self._heads = Heads(Proxies(settings["trusted_proxies"]))
        self._targets = Targets()
        trial = elsewhere()
        self._write_to(trial or usable_paths(settings), is_trial=trial is not None)
        register(self)

    def _write_to(self, paths: TrailPaths, *, is_trial: bool) -> None:
        """Make what writes: to the audit's own files, or for a trial elsewhere."""
        self.paths = paths
        self._place = own_place(paths.trail)
        self._vault = open_vault(self.paths.vault, timeout_s=VAULT_TIMEOUT_S, pause_s=VAULT_PAUSE_S)
        self._composer = Composer(
            self._vault,
            query_keys=frozenset(self.settings["query_keys"]),
            login_paths=self.settings["login_paths"],
            session_cookies=self.settings["session_cookie"],
            agents=self.settings["agents"],
        )
        self._rulings = Rulings(self.policy, self._composer.kinds) if self.policy.rules else None
        self._recorder = Recorder(
            self.paths,
            process_facts={
                **process_facts(self.settings["service"], self.settings["version"]),
                **self.policy.told(),
            },
            clock_us=self.now_us,
            queue_size=self.settings["queue_size"],
            group_ms=self.settings["group_ms"],
            emit=None if is_trial else self.settings["emit"],
            witnesses=() if is_trial else self.settings["witnesses"],
        )

    # -- life --------------------------------------------------------------------------------

    @property
    def counters(self) -> dict[str, int]:
        """Events lost, commits that failed, and faults of ours that were kept from the app."""
        return {**self._recorder.counters, "capture_failed": self.capture_failures}

    def now_us(self) -> int:
        """The time by the setting `clock`, µs since 1970 UTC."""
        clock = self._clock
        return int(clock() * 1_000_000) if clock is not None else time.time_ns() // 1_000

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was captured so far is durable; False if it takes too long."""
        return self._recorder.flush(timeout_s)

    def close(self) -> None:
        """End this process's source: everything committed, the head signed."""
        self._recorder.close()
        self._vault.close()

    def divert(self, paths: TrailPaths | None) -> None:
        """Internal, see `capture/diversion.py`: end this process's source, and write to `paths`
        from now on; `None` leads back to the audit's own files.
        """
        self.close()
        own = paths or TrailPaths.of_settings(self.settings)
        self._write_to(own, is_trial=paths is not None)

    @property
    def left_out(self) -> dict[str, int]:
        """Internal: how many requests each rule of the policy left out since the source began."""
        return self._recorder.left_out

    # -- a request's way ---------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether this process has its source; a request before that has to make files."""
        return self._recorder.live is not None

    def open(self) -> None:
        """Begin this process's source, as the first request would. Never raises."""
        try:
            self._recorder.open()
        except Exception as error:
            self.note_failure(error)

    def begin(
        self,
        kind: str,
        method: str,
        get: Callable[[Any], Any],
        names: Names,
        peer: str,
        target: bytes | str,
        is_rebuilt: bool,
    ) -> Facts:
        """A request or websocket has come in. Never raises.

        Args:
            kind: `request` or `websocket`.
            method: the verb.
            get: gives a header by the keys in `names`.
            names: keys of the headers that are looked at.
            peer: address of the socket's other end.
            target: what was asked for, as sent.
            is_rebuilt: whether the target had to be made from a decoded path.
        """
        clock = self._clock
        ts = time.time_ns() // 1_000 if clock is None else int(clock() * 1_000_000)
        facts = Facts(ts, method, hearer=self)
        try:
            source = self._recorder.live
            if kind != "request":
                facts.kind = kind
            elif source is None or not source.count_received():
                self._recorder.count_received()
            facts.visitor = self._heads.look(get, names, peer)
            facts.cookie = get(names.cookie)
            facts.referer = get(names.referer)
            facts.request_id = get(names.request_id)
            facts.traceparent = get(names.traceparent)
            known = self._targets.known.get(target)
            if known is None or is_rebuilt:
                known = self._targets.look(target, is_rebuilt)
            facts.target = known
        except Exception as error:
            self.note_failure(error)
            self._look_again(facts, readable_by(get), names, peer, target, is_rebuilt)
        return facts

    def _look_again(
        self,
        facts: Facts,
        get: Callable[[Any], Any],
        names: Names,
        peer: object,
        target: object,
        is_rebuilt: bool,
    ) -> None:
        """As `begin`, after that has failed: what can be read of the request."""
        facts.cookie = get(names.cookie)
        facts.referer = get(names.referer)
        facts.request_id = get(names.request_id)
        facts.traceparent = get(names.traceparent)
        try:
            facts.target = self._targets.look(readable(target) or "", is_rebuilt)
            facts.visitor = self._heads.look(get, names, readable_text(peer))
        except Exception as error:
            self.note_failure(error)

    def finish(self, facts: Facts) -> None:
        """Make a request's events and spool them; once only. Never raises.

        May touch the vault's file: an event loop calls `finish_async`.
        """
        if not facts.done and not self.finish_at_once(facts):
            self.finish_slowly(facts)

    async def finish_async(self, facts: Facts) -> None:
        """As `finish`; a person's first event asks the vault off the event loop."""
        if facts.done or self.finish_at_once(facts):
            return
        if self._is_quick(facts):
            self.finish_slowly(facts)
        else:
            await run_in_threadpool(self.finish_slowly, facts)

    def _is_quick(self, facts: Facts) -> bool:
        """Whether `finish_slowly` is quick enough for an event loop all the same."""
        try:
            is_big = facts.payload is not None and facts.payload.is_big
            return not is_big and self._composer.is_ready(facts)
        except Exception as error:
            self.note_failure(error)
            return False

    def finish_at_once(self, facts: Facts) -> bool:
        """As `finish`, if that needs nothing but memory, as it usually does; else False."""
        try:
            if self._rulings is not None and not self._is_ready_by_policy(facts, self._rulings):
                return facts.done
            event = self._composer.plain(facts)
            if event is None:
                return False
            facts.done = True
            source, is_request = self._recorder.live, facts.kind == "request"
            if source is None or source.put(event, is_request) is None:
                self._recorder.append_cut(event, is_request)
        except Exception as error:
            if not facts.done:
                self._mend(facts, error)
                return False
            self._fail(facts, error)
        return True

    # -- after a request's event ----------------------------------------------------------------

    def hears(self, outer: Facts) -> bool:
        """Whether a request that other wrappers took goes into this same trail already."""
        facts: Facts | None = outer
        while facts is not None:
            other = facts.hearer
            if other is self or (isinstance(other, Intake) and other._place == self._place):
                return True
            facts = facts.outer
        return False

    def hear_late(self, facts: Facts) -> None:
        """Make events of what the app told after the request's own event. Never raises.

        May touch the vault's file, for a person's first event.
        """
        try:
            self._append(self._composer.late(facts))
        except Exception as error:
            self._fail(facts, error, finishes=False)

    def hear_failure(self, facts: Facts, error: BaseException) -> None:
        """Work after the answer failed: an event of its own. Never raises.

        A cancellation, or the end of the process, is no failure; and a framework that answers 500
        for an exception raises it once more for the server's log.
        """
        is_told = error is facts.exception or (facts.status or 0) >= 500
        if isinstance(error, Exception) and not is_told:
            facts.said.failures.append((facts.ts + facts.elapsed_us, error))
            self.hear_late(facts)

    def hear_in_vain(self, facts: Facts, what: str) -> None:
        """The app said something that only the request's own event could hold. Never raises."""
        with self._failures_lock:
            self.said_too_late += 1
            count = self.said_too_late
        if count % LOG_EVERY == 1:
            OPLOG.warning(
                "said of a request after its event was made",
                said=what,
                route=facts.route,
                count=count,
            )

    # -- faults of ours -------------------------------------------------------------------------

    def note_failure(self, error: BaseException) -> None:
        """Count and log a fault of ours that the app must not pay for."""
        with self._failures_lock:
            self.capture_failures += 1
            count = self.capture_failures
        if count % LOG_EVERY == 1:
            OPLOG.error("a request was not captured whole", error=_said_of(error), count=count)

    def _is_ready_by_policy(self, facts: Facts, rulings: Rulings) -> bool:
        """Whether an event can be made at once; the request is done if there is none to make."""
        if facts.kind == "request" and not rulings.is_ready(facts):
            return False
        rule = rulings.rule(facts)
        if rule.level == "none":
            if not facts.tells_others:
                facts.done = True
                self._recorder.count_dropped(rule.name)
            return False
        if facts.payload is not None:
            if facts.payload.is_big:
                return False
            self._add_payload(facts, facts.payload)
        return True

    def _add_payload(self, facts: Facts, payload: Payload) -> None:
        """Put what may be kept of the bodies to what the app notes; without it, if that fails."""
        if payload.is_told:
            return
        try:
            add_payload(facts, payload)
        except Exception as error:
            # only its kind: an error of a parser may quote what it was given
            self.note_failure(RuntimeError(f"a body was not looked at: {type(error).__name__}"))
            payload.is_told = True

    def finish_slowly(self, facts: Facts) -> None:
        """As `finish`, after `finish_at_once` could not."""
        facts.done = True
        try:
            rule = NO_RULE if self._rulings is None else self._rulings.rule(facts)
            if facts.payload is not None:
                self._add_payload(facts, facts.payload)
            beside, event = self._compose(facts)
            self._append(beside)
            if rule.level == "none":
                self._recorder.count_dropped(rule.name)
            else:
                self._recorder.append_cut(event, facts.kind == "request")
        except Exception as error:
            self._fail(facts, error)

    def _compose(self, facts: Facts) -> tuple[list[Event], Pieces]:
        """The events beside a request, and its own: of what can be read, where all can't be."""
        try:
            return self._composer.compose(facts)
        except Exception as error:
            self._mend(facts, error)
            return self._composer.compose(facts)

    def _append(self, events: list[Event]) -> None:
        """Spool events beside a request's own."""
        for core, personal in events:
            self._recorder.append(core, personal)

    def _mend(self, facts: Facts, error: Exception) -> None:
        """No event could be made of these facts: then of what can be read of them."""
        self.note_failure(error)
        leave_out_unreadable(facts)

    def _fail(self, facts: Facts, error: Exception, *, finishes: bool | None = None) -> None:
        """A fault of ours has cost an event: it is told as a gap, and the app does not notice."""
        facts.done = True
        self.note_failure(error)
        try:
            is_request = facts.kind == "request"
            self._recorder.lose(finishes=is_request if finishes is None else finishes)
        except Exception as second:
            self.note_failure(second)


def _said_of(error: BaseException) -> str:
    """An exception as text; it may be one of the app's, whose text cannot be made."""
    try:
        return repr(error)
    except Exception:
        return type(error).__name__
