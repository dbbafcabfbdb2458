"""The way in for requests that are recorded strictly: three events, two of them waited for."""

import threading
from collections.abc import Callable

from .facts import Facts
from .intake import Intake
from .strict import WAIT_S

__all__ = ["StrictIntake"]


class StrictIntake(Intake):
    """As `Intake`, with what a wrapper needs for a strict request: `intend` before the app runs,
    `answer` before the answer begins, `end` when it is over.
    """

    def is_strict(self, facts: Facts) -> bool:
        """Whether the policy asks for this request to be recorded strictly. Never raises."""
        try:
            decision = self.policy.decide(facts.method, facts.target.raw)
        except Exception as error:
            self.note_failure(error)
            return False
        return decision.durability == "strict"

    def intend(self, facts: Facts) -> int:
        """Spool a strict request's `received`. Its number, 0 if it can't be kept. Never raises.

        May touch the vault's file, like `answer`: an event loop tries `intend_at_once` first.
        """
        facts.action = "received"
        try:
            event = self._compose(facts)[1]
            facts.of = self._recorder.append_cut(event, False) or None
        except Exception as error:
            self._fail_one(facts, error)
        facts.action = None
        return facts.of or 0

    def intend_at_once(self, facts: Facts) -> int | None:
        """As `intend`, if that needs nothing but memory, as it usually does; else `None`."""
        facts.action = "received"
        n = self._put_plain(facts)
        facts.action = None
        facts.of = n or None
        return n

    def answer(self, facts: Facts) -> int:
        """Spool a strict request's own event, before its answer begins. Never raises.

        Its number, also in `facts.told_n`; 0 if it can't be kept, or does not say who acted.
        """
        facts.is_told, facts.told_n = True, 0
        try:
            if facts.payload is not None:
                self._add_payload(facts, facts.payload)
            beside, event = self._compose(facts)
            self._append(beside)
            n = self._recorder.append_cut(event, False)
            facts.told_n = n if self._composer.is_ready(facts) else 0
        except Exception as error:
            self._fail_one(facts, error)
        return facts.told_n

    def answer_at_once(self, facts: Facts) -> int | None:
        """As `answer`, if that needs nothing but memory; else `None`."""
        n = self._put_plain(facts)
        if n is not None:
            facts.is_told, facts.told_n = True, n
        return n

    def _put_plain(self, facts: Facts) -> int | None:
        """Spool the event of a request that needs nothing but memory: its number, 0 if it is lost,
        `None` if it needs more.
        """
        source = self._recorder.live
        if source is None or facts.payload is not None:
            return None
        try:
            event = self._composer.plain(facts)
            return None if event is None else source.put(event)
        except Exception:
            return None  # told when it is made with care

    def _fail_one(self, facts: Facts, error: Exception) -> None:
        """A fault of ours has cost one event of a request that goes on."""
        self._fail(facts, error, finishes=False)
        facts.done = False

    def end(self, facts: Facts) -> None:
        """Spool a strict request's `finished`: it is over. Never raises."""
        if facts.done:
            return
        facts.done = True
        try:
            self._recorder.append_cut(self._composer.finished(facts), True)
        except Exception as error:
            self._fail(facts, error)

    def is_durable(self, n: int) -> bool:
        """Wait until event `n` is durable in the trail; False if it is not in time."""
        told, answer = threading.Event(), [False]

        def tell(is_durable: bool) -> None:
            answer[0] = is_durable
            told.set()

        self.when_durable(n, tell)
        return told.wait(WAIT_S) and answer[0]

    def when_durable(self, n: int, tell: Callable[[bool], None]) -> None:
        """Call `tell` once, from any thread: whether event `n` is durable in the trail."""
        self._recorder.when_durable(n, tell)
