"""The writer thread of a source: from the spool into the trail, in groups, with fsync."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from typing import Final

from ..errors import FlowauditError
from ..oplog import OPLOG
from ..spool.live import Taken
from ..spool.ring import boot_id
from ..trail.opening import open_trail
from ..trail.paths import TrailPaths
from ..witnesses.publishing import Publisher
from .adoption import Loss, adopt_dead_sources
from .emission import Emission
from .source import GROUP_EVENTS, LiveSource

__all__ = ["HEARTBEAT_S", "Writer"]

COMMIT_LIMIT: Final = 5_000
"""Events in one transaction at most, so that other writers get their turn."""

MORE_S: Final = 0.001
"""Seconds that those who wait for a commit wait for others to join them: fewer, larger commits keep
the processor for requests (as PostgreSQL's `commit_delay` does).
"""

HEARTBEAT_S: Final = 300
"""Seconds between a source's signs of life, so that silence can be told from absence."""

LEFT_OUT_S: Final = 10
"""Seconds until a sign of life tells how many requests the policy has left out meanwhile."""

RETRY_S: Final = (0.1, 5.0)
"""First and longest pause after a commit that failed."""

ADOPT_AGAIN_S: Final = 30.0
"""Seconds until dead sources are looked for again, where bringing them in has failed."""

JOIN_S: Final = 5.0
"""Seconds that the last of a process waits for a writer before it that has given up."""

LOG_EVERY: Final = 100
"""Of a run of failed commits, the first and then one in so many is logged."""


class Writer:
    """Commits what a source spools, adopts what the dead left, and tells losses.

    Ends by itself once its source has ended and everything is committed, or `give_up` is set.
    """

    def __init__(
        self,
        source: LiveSource,
        paths: TrailPaths,
        group_s: float,
        emission: Emission | None = None,
        witnesses: Sequence[str] = (),
        untold: Sequence[tuple["Writer", Loss]] = (),
    ) -> None:
        self.give_up = threading.Event()
        """Set to end although the trail takes nothing; the spool is left for adoption."""
        self.failures = 0
        """Commits that failed since the last that did not."""
        self.failed = 0
        """Commits that failed."""
        self._stir = threading.Event()  # set to end a pause after a failure
        self._source = source
        self._group_s = group_s
        self._emission = emission
        self._publisher = Publisher(witnesses, paths.stamps)
        self._trail = open_trail(paths, lock_timeout_s=None, replaces_key=True)
        self._is_hurried = False
        self._unsure: Taken | None = None  # handed to the trail, and no answer yet
        self._adopt_at = 0.0  # when dead sources are looked for
        self._untold = list(untold)  # what writers before this one have given up
        self._boot = boot_id() or "running"
        self._committed = threading.Condition()  # owns the four below
        self._committed_n = 0
        self._waiting: list[tuple[int, int, Callable[[bool], None]]] = []  # a heap
        self._turns = count()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="flowaudit-writer", daemon=True)
        self._thread.start()

    @property
    def committed_n(self) -> int:
        """The source's highest number that is durable in the trail."""
        return self._committed_n

    def wait_for(self, n: int, timeout_s: float) -> bool:
        """Until the source's events up to `n` are durable; False after `timeout_s`."""
        self._is_hurried = True
        self._source.wake.set()
        with self._committed:
            return self._committed.wait_for(lambda: self._committed_n >= n, timeout_s)

    def when_durable(self, n: int, tell: Callable[[bool], None]) -> None:
        """Call `tell` once: with True when the source's events up to `n` are durable, with False
        when a commit fails before that. Comes from the writer's thread, or at once.
        """
        with self._committed:
            is_durable, is_over = self._committed_n >= n, self._is_over
            if not (is_durable or is_over):
                heappush(self._waiting, (n, next(self._turns), tell))
        if is_durable or is_over:
            tell(is_durable)
        elif not self._is_hurried:  # else it is on its way to the commit that will take this too
            self._is_hurried = True
            self._source.wake.set()

    def leave(self) -> None:
        """Let the thread end although the trail takes nothing."""
        self.give_up.set()
        self._stir.set()
        self._source.wake.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; False if it has not. If it waits after a failure, it tries
        again at once.
        """
        self._stir.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        due, is_stopped = time.monotonic() + HEARTBEAT_S, False
        while not self.give_up.is_set():
            if self._source.leaves_out:
                due = min(due, time.monotonic() + LEFT_OUT_S)
            self._gather(due)
            is_last = self._source.is_ended
            try:
                self._commit()
                self.failures = 0
                self._adopt()
                self._tell_of_those_before(is_last)
            except (FlowauditError, OSError, ValueError) as error:
                self._fail(error)
                continue
            if is_last and not self._source.has_work:
                if is_stopped or not self._source.put_stop():
                    break
                is_stopped = True
            if time.monotonic() >= due:
                due = time.monotonic() + HEARTBEAT_S
                self._source.put_heartbeat()
        self._end()

    def _gather(self, due: float) -> None:
        """Until there is something to commit, and then a little, so that a group gathers; not
        beyond the moment when a sign of life is due.
        """
        source = self._source
        source.is_idle = True
        if not source.has_work and not source.is_ended:
            source.wake.wait(max(0.0, due - time.monotonic()))
        source.is_idle = False
        source.wake.clear()
        if self._is_hurried:
            if source.spool.received - source.spool.finished > 2 * len(self._waiting):
                time.sleep(MORE_S)  # most requests that are under way don't wait yet, and soon will
        elif not (source.is_ended or source.spool.waiting >= GROUP_EVENTS):
            source.wake.wait(self._group_s)
            source.wake.clear()
        self._is_hurried = False

    def _commit(self) -> None:
        source = self._source
        while True:
            source.report_loss()
            taken = self._unsure or source.take(COMMIT_LIMIT)
            if not taken.pairs:
                return
            # a commit that failed may have reached the disk all the same: the trail knows
            if self._unsure is None or self._trail.last_n(source.id) < taken.last_n:
                self._unsure = taken
                first = self._trail.append(taken.pairs, source.id, taken.last_n, running=self._boot)
                if self._emission is not None:
                    self._emission.emit(first, self._trail.without_erased(taken.pairs))
            self._unsure = None
            source.release(taken)
            self._publish()
            told = []
            with self._committed:
                self._committed_n = taken.last_n
                self._committed.notify_all()
                while self._waiting and self._waiting[0][0] <= taken.last_n:
                    told.append(heappop(self._waiting)[2])
            for tell in told:
                _tell(tell, True)

    def _publish(self, *, now: bool = False) -> None:
        if self._trail.signed is not None:
            self._publisher.publish(
                self._trail.origin, self._trail.signed, now=now, prove=self._trail.consistency
            )

    def _report(self, loss: Loss) -> None:
        """A gap event for another source's loss, durable when this returns."""
        while not self._source.put_gap(loss):
            self._commit()
        self._commit()

    def _adopt(self) -> None:
        """Bring in what dead sources have left, once; after a failure again, a little later."""
        if time.monotonic() >= self._adopt_at:
            self._adopt_at = time.monotonic() + ADOPT_AGAIN_S
            adopt_dead_sources(self._trail, self._report)
            self._adopt_at = math.inf

    def _tell_of_those_before(self, is_last: bool) -> None:
        """Losses of sources that ended before in this process: only once their writer is gone is
        it known what it has brought into the trail after all.
        """
        while self._untold and self._untold[0][0].join(JOIN_S if is_last else 0.0):
            _, loss = self._untold[0]
            known = self._trail.last_n(loss.source)
            if known < loss.last:
                first = max(loss.first, known + 1)
                self._report(replace(loss, first=first, count=loss.last - first + 1))
                self._trail.append([], loss.source, loss.last)
            del self._untold[0]

    def _disappoint(self, *, for_good: bool = False) -> None:
        """Nobody who waits for something to be durable waits any longer."""
        with self._committed:
            waiting, self._waiting = self._waiting, []
            self._is_over = for_good
        for _, _, tell in waiting:
            _tell(tell, False)

    def _fail(self, error: Exception) -> None:
        self.failed += 1
        self.failures += 1
        self._disappoint()
        if self.failures % LOG_EVERY == 1:
            OPLOG.error("the trail cannot be written; events wait in the spool", error=str(error))
        self._stir.wait(min(RETRY_S[0] * 2 ** min(self.failures, 10), RETRY_S[1]))
        self._stir.clear()

    def _end(self) -> None:
        self._disappoint(for_good=True)
        is_whole = self._source.is_ended and not self._source.has_work
        try:
            if is_whole:
                self._trail.append([], self._source.id, 0)
            try:
                self._trail.checkpoint()
                self._publish(now=True)
            finally:
                self._trail.close()
        except (FlowauditError, OSError, ValueError) as error:
            OPLOG.warning("the trail's end was not signed", error=str(error))
        self._source.spool.close(remove=is_whole)


def _tell(tell: Callable[[bool], None], is_durable: bool) -> None:
    """Let one who waits know; a fault of theirs must not end the writer."""
    try:
        tell(is_durable)
    except Exception as error:
        OPLOG.error("nobody could be told that an event is durable", error=repr(error))
