"""A bound on memory while something from other hands is unpacked.

A file can be small, say that it is small when unpacked, and still be none of both: a dictionary of
one long text, and a million rows that mean it. The system's own limit ends that; what asks for
more than it gets a `MemoryError` instead of the whole machine.
"""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["bounded_memory"]

_STATUS: Final = Path("/proc/self/statm")
_DATA: Final = 5  # proc_pid_statm(5): pages of data and stack, those that RLIMIT_DATA counts

_LOCK: Final = threading.Lock()
_bounds: list[tuple[int, int]] = []  # the limit as it was, once for each use that goes on


@contextmanager
def bounded_memory(more_bytes: int) -> Iterator[None]:
    """Let this process take so many bytes more, at most, while it goes on (getrlimit(2),
    `RLIMIT_DATA`). The bound is the process's; of uses at the same time the first one's counts.
    Where `/proc` is missing there is none.
    """
    with _LOCK:
        before = _bounds[0] if _bounds else resource.getrlimit(resource.RLIMIT_DATA)
        if not _bounds:
            _lower(before, more_bytes)
        _bounds.append(before)
    try:
        yield
    finally:
        with _LOCK:
            _bounds.pop()
            if not _bounds:
                resource.setrlimit(resource.RLIMIT_DATA, before)


def _lower(before: tuple[int, int], more_bytes: int) -> None:
    try:
        pages = int(_STATUS.read_text("ascii").split()[_DATA])
    except OSError:
        return
    soft, hard = before
    bound = pages * resource.getpagesize() + more_bytes
    if bound < min(soft if soft >= 0 else 2**63, hard if hard >= 0 else 2**63):
        resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
