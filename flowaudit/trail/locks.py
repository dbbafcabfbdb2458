"""The lock that writers of one trail queue on, in a file of its own.

SQLite's own busy wait starved a writer for 0.6 s, and closing any other descriptor of the
database would drop its locks; so the queue stands in `TRAIL.lock`. POSIX record locks belong to
a process: a lock among the threads of this one stands in front, one for each file.
"""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..errors import TrailBusyError, TrailWriteError
from .paths import make_private

__all__ = ["FileLock", "file_lock", "upkeep_lock"]

POLL_S: Final = 0.005
"""Pause between tries of a caller that will not wait for ever."""

_LOCKS: dict[Path, "FileLock"] = {}
_REGISTRY = threading.Lock()  # owns _LOCKS


class FileLock:
    """One file's lock in this process. Get it from `file_lock`, never twice for one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._threads = threading.Lock()
        self._descriptor: int | None = None

    @contextmanager
    def held(self, timeout_s: float | None = None) -> Iterator[None]:
        """Hold the lock; without a timeout, wait in the system's queue for as long as it takes.

        Raises `TrailBusyError` after `timeout_s`, `TrailWriteError` if the file cannot be made.
        """
        if not self._threads.acquire(timeout=-1 if timeout_s is None else timeout_s):
            raise TrailBusyError(f"{self.path}: this process has held the lock for {timeout_s} s")
        try:
            descriptor = self._open()
            self._acquire(descriptor, timeout_s)
            try:
                yield
            finally:
                fcntl.lockf(descriptor, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def _open(self) -> int:
        if self._descriptor is None:
            try:
                make_private(self.path)
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            except OSError as error:
                raise TrailWriteError(f"{self.path}: {error.strerror}") from error
        return self._descriptor

    def _acquire(self, descriptor: int, timeout_s: float | None) -> None:
        if timeout_s is None:
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
            return
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise TrailWriteError(f"{self.path}: {error.strerror}") from error
            if time.monotonic() >= deadline:
                raise TrailBusyError(f"{self.path}: another program has held it for {timeout_s} s")
            time.sleep(POLL_S)

    def forget_threads(self) -> None:
        """In a child after a fork: no thread of the parent's lives here."""
        self._threads = threading.Lock()


def file_lock(path: Path) -> FileLock:
    """The lock of a file, the same object for every caller of this process."""
    with _REGISTRY:
        return _LOCKS.setdefault(path, FileLock(path))


def upkeep_lock(lock: Path) -> FileLock:
    """The lock of those who take entries out of a trail or personal parts out of entries: they
    wait for each other, writers don't wait for them. It stands beside the writers' `lock`.
    """
    return file_lock(lock.with_name(f"{lock.name}.upkeep"))


def _after_fork() -> None:
    global _REGISTRY
    _REGISTRY = threading.Lock()
    for lock in _LOCKS.values():
        lock.forget_threads()


os.register_at_fork(after_in_child=_after_fork)
