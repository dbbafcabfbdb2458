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
        """Spool a strict request's `received`. Its number, 0 if it can't be kept. Never raises."""
        facts.action = "received"
        try:
            facts.of = self._recorder.append_cut(self._compose(facts)[1], False) or None
        except Exception as error:
            self._fail(facts, error, finishes=False)
            facts.done = False
        facts.action = None
        return facts.of or 0

    def answer(self, facts: Facts) -> None:
        """Spool a strict request's own event, before its answer begins. Never raises.

        `facts.told_n` is its number then; 0 if it can't be kept, or does not say who acted. May
        touch the vault's file.
        """
        facts.is_told = True
        try:
            if facts.payload is not None:
                self._add_payload(facts, facts.payload)
            beside, event = self._compose(facts)
            self._append(beside)
            n = self._recorder.append_cut(event, False)
            facts.told_n = n if self._composer.is_ready(facts) else 0
        except Exception as error:
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
