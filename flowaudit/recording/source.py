"""A living source: the numbers of one process's events, and the spool that holds them."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..event import MAX_CORE_BYTES, MAX_PERSONAL_BYTES, Core, Pieces, Value, cut, new_source
from ..spool.live import Spool, Taken
from .adoption import Loss, gap_event

__all__ = ["GROUP_EVENTS", "LiveSource", "new_source"]

GROUP_EVENTS: Final = 500
"""Events at which the writer need not wait for more."""

SLOT_BYTES: Final = 1_024
"""Room planned for an event in the spool: about twice the usual one."""

NO_ROOM: Final = "no room in the spool"


class LiveSource:
    """One source from its first number to its last. Safe to use from several threads.

    `n` is assigned and the record written under one lock, so numbers stand in the spool in
    order. From the first loss on, everything is refused until the writer has reported it; so a
    loss is one range of numbers, and one gap event.
    """

    def __init__(self, folder: Path, queue_size: int, clock_us: Callable[[], int]) -> None:
        self.id = new_source()
        self.spool = Spool(folder, self.id, queue_size * SLOT_BYTES)
        self.wake = threading.Event()
        """Set when the writer should look."""
        self.is_idle = False
        """Whether the writer sleeps until something comes."""
        self.is_ended = False
        """Whether the last number is given; set once, under the lock."""
        self.lost = 0
        """Events lost so far."""
        self._queue_size = queue_size
        self._clock_us = clock_us
        self._lock = threading.Lock()  # owns all below, and the spool but for `take`
        self._n = 0
        self._lost_first = 0
        self._left_out: dict[str, int] = {}  # requests by rule
        self._is_untold = False  # whether some were left out since the last sign of life

    @property
    def last_n(self) -> int:
        """The highest number given so far."""
        return self._n

    @property
    def has_work(self) -> bool:
        """Whether there is something to commit or to report."""
        return bool(self.spool.waiting or self._lost_first)

    @property
    def left_out(self) -> dict[str, int]:
        """How many requests each rule of the policy left out so far."""
        with self._lock:
            return dict(self._left_out)

    @property
    def leaves_out(self) -> bool:
        """Whether requests were left out that no sign of life has told of."""
        return self._is_untold

    def count_received(self) -> bool:
        """A request has come in. False if the source has ended."""
        with self._lock:
            if not self.is_ended:
                self.spool.count_received()
            return not self.is_ended

    def count_dropped(self, rule: str) -> None:
        """A request that was received gets no event, by a rule of the policy."""
        with self._lock:
            if not self.is_ended:
                self.spool.count_finished()
                self._left_out[rule] = self._left_out.get(rule, 0) + 1
                if not self._is_untold:
                    self._is_untold = True
                    self.wake.set()

    def put(self, event: Pieces, finishes: bool = False) -> int | None:
        """Number and spool an event: its number, 0 if it was lost, `None` if the source ended."""
        before_n, after_n, after_source, text = event
        personal = text.encode()
        with self._lock:
            if self.is_ended:
                return None
            self._n = n = self._n + 1
            core = f"{before_n}{n}{after_n}{self.id}{after_source}".encode()
            spool = self.spool
            waiting = spool.waiting
            if (
                len(core) <= MAX_CORE_BYTES
                and len(personal) <= MAX_PERSONAL_BYTES
                and not self._lost_first
                and waiting < self._queue_size
                and spool.put(n, core, personal, finishes)
            ):
                if self.is_idle or waiting == GROUP_EVENTS:
                    self.wake.set()
                return n
            self._lose(n, finishes)
        return 0

    def lose(self, finishes: bool) -> None:
        """An event could not be made: it uses up its number all the same."""
        with self._lock:
            if not self.is_ended:
                self._n += 1
                self._lose(self._n, finishes)

    def put_start(self, facts: dict[str, Value]) -> None:
        """The first event."""
        self.put(cut(Core(ts=self._clock_us(), kind="process", action="start", facts=facts)))

    def put_heartbeat(self) -> None:
        """A sign of life, with how many requests each rule has left out so far."""
        self.put(cut(self._sign_of_life("heartbeat")))

    def end(self) -> None:
        """Take no more events. What is spooled is committed, then `put_stop`."""
        with self._lock:
            self.is_ended = True
        self.wake.set()

    def put_stop(self) -> bool:
        """The last event of an ended source whose losses are told; False if there is no room."""
        core = self._sign_of_life("stop")
        with self._lock:
            return self._tell_loss() and self._put_own(core)

    def put_gap(self, loss: Loss) -> bool:
        """A gap event for the loss of another source; False if there is no room for it now."""
        with self._lock:
            return self._tell_loss() and self._put_gap(loss)

    def report_loss(self) -> None:
        """Once there is room again: the gap event for what this source lost itself."""
        with self._lock:
            self._tell_loss()

    def take(self, limit: int) -> Taken:
        """The oldest records; for the writer alone."""
        return self.spool.take(limit)

    def release(self, taken: Taken) -> None:
        """Give back the room of committed records."""
        with self._lock:
            self.spool.release(len(taken.pairs), taken.end)

    def _sign_of_life(self, action: str) -> Core:
        with self._lock:
            left_out: dict[str, Value] = {**self._left_out}
            self._is_untold = False
        return Core(
            ts=self._clock_us(),
            kind="process",
            action=action,
            facts={"left_out": left_out} if left_out else None,
        )

    def _tell_loss(self) -> bool:
        """Whether all that was lost so far is told. What comes next has a number behind it."""
        if self._lost_first:
            first, last = self._lost_first, self._n
            if not self._put_gap(Loss(self.id, first, last, last - first + 1, NO_ROOM)):
                return False
            self._lost_first = 0
            self.spool.lose(0)
        return True

    def _put_gap(self, loss: Loss) -> bool:
        return self._put_own(gap_event(loss, self._clock_us()))

    def _put_own(self, core: Core) -> bool:
        """An event of the recorder's own, for which the bound on what waits does not count."""
        n = self._n + 1
        before_n, after_n, after_source, _ = cut(core)
        data = f"{before_n}{n}{after_n}{self.id}{after_source}".encode()
        if not self.spool.put(n, data, b"", False):
            return False
        self._n = n
        return True

    def _lose(self, n: int, finishes: bool) -> None:
        self.lost += 1
        self._lost_first = self._lost_first or n
        self.spool.lose(n)
        if finishes:
            self.spool.count_finished()
        self.wake.set()
