"""Our own operational log: structlog as the app has configured it, never a fault to pay for."""

import os
import threading
from contextlib import suppress
from typing import Any, Final

import structlog

__all__ = ["OPLOG"]

FORK_S: Final = 1.0
"""Seconds that a fork waits for a line that is being written."""


class _OpLog:
    """Says what goes wrong with us. A log that cannot be written (a closed pipe) is passed over."""

    def __init__(self) -> None:
        self._logger = structlog.get_logger("flowaudit")
        # a child born while a line is written would find the logger's own lock held for ever
        self._lock = threading.RLock()

    def warning(self, event: str, **fields: Any) -> None:
        """Something is not as it should be, and we go on."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something is lost, or may be."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        with self._lock, suppress(Exception):  # there is nowhere left to say it
            getattr(self._logger, level)(event, **fields)

    def before_fork(self) -> None:
        """Wait until no line is being written, and let none begin."""
        self._lock.acquire(timeout=FORK_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        with suppress(RuntimeError):  # it took too long, and the lock is another thread's
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: no other thread lives here."""
        self._lock = threading.RLock()


OPLOG: Final = _OpLog()

os.register_at_fork(
    before=OPLOG.before_fork,
    after_in_parent=OPLOG.after_fork_in_parent,
    after_in_child=OPLOG.after_fork_in_child,
)
