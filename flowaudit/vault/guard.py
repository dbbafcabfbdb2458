"""A SQLite connection that several threads use in turn, and that no fork inherits.

SQLite keeps its POSIX locks by process and file. A child that inherits an open connection, even
one it never uses, believes it holds what only the parent does, and both write. So a fork waits
for the connection's use to end and closes it; parent and child open it again when they need it.
"""

import os
import sqlite3
import threading
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

__all__ = ["SQLITE_ERRORS", "ConnectionGuard", "error_code", "is_open_here", "living"]

SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises of a file; the second where SQLite's message quotes a damaged one."""

LOOK_S: Final = 1.0
"""Seconds between two looks at whether the files are still the same. Each look gives up the
interpreter's lock four times a commit, and a busy app gives it back after 5 ms each time.
"""

FORK_S: Final = 10.0
"""Seconds that a fork waits for a use to end. After that the child may not use the file."""


_T = TypeVar("_T")


class ConnectionGuard:
    """A lock for the use of one connection, and the connection. Enter it for every use."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.connection: sqlite3.Connection | None = None
        """Open or not; to be looked at and changed inside only."""
        self._lock = threading.Lock()  # owns `connection` and its use
        self._forks = 0  # the thread that holds the lock while it forks
        self._files: tuple[object, object] = (None, None)
        self._looked = 0.0  # when it was last seen that they are the same
        _ALL.add(self)

    @property
    def is_tainted(self) -> bool:
        """Whether a fork could not wait: this child must not use the file at all."""
        return self.path in _TAINTED

    def __enter__(self) -> Self:
        self._lock.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def keep(self, connection: sqlite3.Connection) -> None:
        """Take in a connection that was opened; to be called inside."""
        self.connection = connection
        self._files = self._identify()
        self._looked = time.monotonic()

    @property
    def is_moved(self) -> bool:
        """Whether file or log are not those any more that the connection has open: they were
        removed or exchanged, and what is written now would be lost. To be asked inside.
        """
        now = time.monotonic()
        if self.connection is None or now - self._looked < LOOK_S:
            return False
        self._looked = now
        file, log = self._identify()
        if self._files[1] is None:  # the log of a file that was no WAL file before is made late
            self._files = self._files[0], log
        return (file, log) != self._files

    def _identify(self) -> tuple[object, object]:
        return _inode(self.path), _inode(self.path.with_name(f"{self.path.name}-wal"))

    def close(self) -> None:
        """Close the connection, if it is open; to be called inside."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def before_fork(self) -> None:
        """In the parent: wait, close, and let nobody open until the fork is done."""
        if self._lock.acquire(timeout=FORK_S):
            self._forks = threading.get_ident()
            self.close()

    def after_fork_in_parent(self) -> None:
        """In the parent: go on."""
        if self._forks == threading.get_ident():
            self._forks = 0
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """In the child: nothing of the parent's is used, nor closed."""
        self._lock, self._forks = threading.Lock(), 0
        if self.connection is not None:
            _TAINTED[self.path], self.connection = self.connection, None


def _inode(path: Path) -> object:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def error_code(error: BaseException | None) -> int:
    """SQLite's primary result code; 0 where there is none, as in faults of the module's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def living(objects: "weakref.WeakSet[_T]") -> list[_T]:
    """Those of a set that live, though other threads add to it meanwhile.

    Without a lock: a fork could leave it held for ever in the child.
    """
    while True:
        try:
            return list(objects)
        except RuntimeError:
            continue


def is_open_here(path: Path) -> bool:
    """Whether this process has a file open through a guard."""
    return any(g.path == path.absolute() and g.connection is not None for g in living(_ALL))


_TAINTED: dict[Path, sqlite3.Connection] = {}
"""Connections that a child inherited all the same: kept, for to close one would do the harm."""

_ALL: "weakref.WeakSet[ConnectionGuard]" = weakref.WeakSet()


def _before_fork() -> None:
    for guard in living(_ALL):
        guard.before_fork()


def _after_fork_in_parent() -> None:
    for guard in living(_ALL):
        guard.after_fork_in_parent()


def _after_fork_in_child() -> None:
    for guard in living(_ALL):
        guard.after_fork_in_child()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
