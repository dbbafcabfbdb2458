"""Where audits write while an app is only tried out: elsewhere, with nothing left behind.

For `flowaudit coverage`, and internal. It knows every audit of the process by a weak reference.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

from ..trail.paths import TrailPaths
from ..vault.guard import living

__all__ = ["Divertible", "diverted", "elsewhere", "register"]


class Divertible(Protocol):
    """What can be led elsewhere: a `FlowAudit`."""

    @property
    def left_out(self) -> dict[str, int]:
        """How many requests each rule of the policy left out so far."""

    @property
    def paths(self) -> TrailPaths:
        """Where it writes now."""

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was captured so far is durable."""

    def divert(self, paths: TrailPaths | None) -> None:
        """Write to `paths` from now on; `None` leads back to its own files."""


_MADE: "weakref.WeakSet[Divertible]" = weakref.WeakSet()


class _Diversion:
    """The folder that is written to meanwhile, and whom it concerns."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.audits: list[Divertible] = []


_DIVERSION = _Diversion()


def elsewhere() -> TrailPaths | None:
    """Where a new audit has to write instead of its own files; usually `None`."""
    return _new_paths(_DIVERSION.folder) if _DIVERSION.folder is not None else None


def register(audit: Divertible) -> None:
    """Remember an audit, once it is whole."""
    _MADE.add(audit)
    if _DIVERSION.folder is not None:
        _DIVERSION.audits.append(audit)


def _new_paths(folder: Path) -> TrailPaths:
    return TrailPaths.of(Path(mkdtemp(dir=folder)) / "trail.db")


@contextmanager
def diverted(folder: Path) -> Iterator[Callable[[], list[Divertible]]]:
    """Every audit of this process, also one made meanwhile, writes below `folder`, each to a
    trail and vault of its own. Gives a function that tells which ones there are so far.

    At the end they are led back to their own files; nothing of those was touched. Not to be used
    in a process that serves.
    """
    _DIVERSION.folder, _DIVERSION.audits = folder, []
    try:
        for audit in living(_MADE):
            _DIVERSION.audits.append(audit)
            audit.divert(_new_paths(folder))
        yield lambda: list(_DIVERSION.audits)
    finally:
        audits, _DIVERSION.folder, _DIVERSION.audits = _DIVERSION.audits, None, []
        for audit in audits:
            audit.divert(None)
