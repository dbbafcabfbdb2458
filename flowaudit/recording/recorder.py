"""The recorder: takes a process's events and gets them into the trail behind its back.

Nothing is opened before the first event; after a fork the child begins a source, a spool and a
thread of its own. What cannot be kept is counted, and told in the trail as a gap.
"""

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..event import Core, Personal, Pieces, Value, cut
from ..oplog import OPLOG
from ..trail.opening import open_trail
from ..trail.paths import TrailPaths
from ..vault.guard import living
from ..witnesses.publishing import Publisher
from .adoption import Loss
from .emission import Emission
from .source import LiveSource
from .writer import HEARTBEAT_S, Writer

__all__ = ["Recorder"]

CLOSE_S: Final = 10.0
"""Seconds that closing waits for the trail; what is not committed then stays in the spool."""

CLOSE_FAILING_S: Final = 2.0
"""As `CLOSE_S`, if the trail is failing already."""


class Recorder:
    """The way of events into one trail. Safe to use from several threads and across forks.

    `append` returns when the event would survive the death of the process; `flush` when it
    would survive a power cut.
    """

    def __init__(
        self,
        paths: TrailPaths,
        *,
        process_facts: Mapping[str, Value],
        clock_us: Callable[[], int],
        queue_size: int,
        group_ms: int,
        emit: str | None = None,
        witnesses: Sequence[str] = (),
    ) -> None:
        # both import what they will need: a child of a fork waits for ever for an import that
        # another thread was in the middle of
        open_trail(paths)
        Publisher(witnesses)
        self._paths = paths
        self._facts = process_facts
        self._clock_us = clock_us
        self._queue_size = queue_size
        self._group_s = group_ms / 1_000
        self._witnesses = witnesses
        self._emission = Emission(emit) if emit is not None else None
        self._lock = threading.Lock()  # owns the two below
        self.live: LiveSource | None = None
        """This process's source, once it has one. Whoever is in a hurry may ask it directly, and
        comes to `count_received` or `append_cut` if it is not there or has ended.
        """
        self._writer: Writer | None = None
        self._past_lost = self._past_failed = 0
        self._untold: list[tuple[Writer, Loss]] = []  # of sources that ended, for the next to tell
        _RECORDERS.add(self)

    @property
    def source(self) -> str:
        """The id of this process's source; empty before its first event."""
        source = self.live
        return source.id if source is not None else ""

    @property
    def counters(self) -> dict[str, int]:
        """Events lost for want of room and commits that failed, in this process."""
        source, writer = self.live, self._writer
        return {
            "lost": self._past_lost + (source.lost if source is not None else 0),
            "commit_failed": self._past_failed + (writer.failed if writer is not None else 0),
        }

    @property
    def left_out(self) -> dict[str, int]:
        """How many requests each rule of the policy left out, in this process's source."""
        source = self.live
        return source.left_out if source is not None else {}

    def open(self) -> None:
        """Begin this process's source, if it has none: that makes files."""
        if self.live is None:
            self._begin()

    def count_received(self) -> None:
        """A request has come in; it is open until an event with `finishes` is appended."""
        source = self.live or self._begin()
        while not source.count_received():
            self._retire()
            source = self._begin()

    def count_dropped(self, rule: str) -> None:
        """A received request gets no event, by a rule of the policy."""
        (self.live or self._begin()).count_dropped(rule)

    def append(
        self, core: Core, personal: Personal | None = None, *, finishes: bool = False
    ) -> int:
        """Number an event and spool it; safe from the death of the process when this returns.

        Args:
            core: without `v`, `source` and `n`, which are filled in here.
            personal: its personal part, if it has one.
            finishes: whether a request that was counted as received ends with it.

        Returns the event's number, 0 if it was lost.
        """
        return self.append_cut(cut(core, personal), finishes)

    def append_cut(self, event: Pieces, finishes: bool) -> int:
        """As `append`, for an event whose text stands ready."""
        source = self.live or self._begin()
        while (n := source.put(event, finishes)) is None:
            self._retire()
            source = self._begin()
        return n

    def lose(self, *, finishes: bool) -> None:
        """An event could not be made: its number is used up, and told as a gap."""
        (self.live or self._begin()).lose(finishes)

    def flush(self, timeout_s: float = CLOSE_S) -> bool:
        """Wait until all that was appended so far is durable in the trail; False on time-out."""
        with self._lock:
            source, writer = self.live, self._writer
        return source is None or writer is None or writer.wait_for(source.last_n, timeout_s)

    def when_durable(self, n: int, tell: Callable[[bool], None]) -> None:
        """Call `tell` once, from any thread: with True when event `n` of this process's source
        would survive a power cut, with False if the trail does not take it now.
        """
        with self._lock:
            writer = self._writer
        if writer is None or n == 0:
            tell(False)
        else:
            writer.when_durable(n, tell)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """End the source: stop event, commit, checkpoint. A later event begins a new source.

        What the trail does not take within `timeout_s` stays in the spool, for adoption.
        """
        with self._lock:
            source, writer = self.live, self._writer
            self.live = self._writer = None
        if source is None or writer is None:
            return
        source.end()
        if not writer.join(min(timeout_s, CLOSE_FAILING_S) if writer.failures else timeout_s):
            self._leave(source, writer)
        self._past_lost += source.lost
        self._past_failed += writer.failed

    def _leave(self, source: LiveSource, writer: Writer) -> None:
        """End a source whose events the trail does not take."""
        waiting, first, trail = source.spool.waiting, writer.committed_n + 1, self._paths.trail
        writer.leave()
        if source.spool.kind == "file":
            OPLOG.warning("events wait in the spool for adoption", events=waiting, trail=str(trail))
            return
        OPLOG.error("events are LOST: the spool was in memory", events=waiting, trail=str(trail))
        self._past_lost += waiting
        if source.last_n >= first:
            count = source.last_n - first + 1
            loss = Loss(source.id, first, source.last_n, count, "the spool was in memory")
            self._untold.append((writer, loss))

    def _begin(self) -> LiveSource:
        with self._lock:
            if self.live is None:
                source = LiveSource(self._paths.spool, self._queue_size, self._clock_us)
                source.put_start(
                    {
                        **self._facts,
                        "heartbeat_s": HEARTBEAT_S,
                        "pid": os.getpid(),
                        "spool": source.spool.kind,
                    }
                )
                untold, self._untold = self._untold, []
                self._writer = Writer(
                    source, self._paths, self._group_s, self._emission, self._witnesses, untold
                )
                self.live = source
            return self.live

    def _retire(self) -> None:
        """Forget a source that another thread has ended meanwhile."""
        with self._lock:
            if self.live is not None and self.live.is_ended:
                self.live = self._writer = None

    def _after_fork(self) -> None:
        source = self.live
        self._lock = threading.Lock()
        self.live = self._writer = None
        self._untold = []  # the parent's to tell
        if source is not None:
            source.spool.abandon()


_RECORDERS: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


def _begin_anew_in_child() -> None:
    for recorder in living(_RECORDERS):
        recorder._after_fork()


def _close_all() -> None:
    for recorder in living(_RECORDERS):
        recorder.close()


os.register_at_fork(after_in_child=_begin_anew_in_child)
atexit.register(_close_all)
