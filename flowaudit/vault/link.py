"""A connection to PostgreSQL that several threads use in turn, that no fork shares, and on which
nothing waits for ever: every step has its time, name look-up and a server that hangs included.
"""

import encodings.idna  # noqa: F401 - a look-up of a name would import it, in some thread
import os
import threading
import time
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg import Connection, OperationalError
from psycopg.pq import TransactionStatus

from .base import Rows
from .guard import living
from .place import DatabaseUrl

__all__ = ["Link", "Questioned", "first_line"]

IDLE_S: Final = 15
"""Seconds after which the server ends a transaction of ours in which nothing comes any more: a
host that vanished in the middle holds the others up no longer than this.
"""

_SETTINGS: Final = """SELECT set_config('statement_timeout', %s, false),
    set_config('lock_timeout', %s, false),
    set_config('idle_in_transaction_session_timeout', %s, false), set_config('jit', 'off', false)"""
"""What a session of ours begins with. It compiles nothing: that takes 0.1 s and more, and others
may wait for a lock meanwhile.
"""

_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"


class _TimedConnection(Connection[tuple[Any, ...]]):
    """A connection whose every answer must come within `timeout_s`."""

    timeout_s: float = 30.0

    def wait(self, gen: Any, *args: Any, **named: Any) -> Any:
        """As psycopg's, which resumes a generator ten times a second at least."""
        return super().wait(_until(gen, time.monotonic() + self.timeout_s), *args, **named)


def _until(gen: Generator[Any, Any, Any], deadline: float) -> Generator[Any, Any, Any]:
    try:
        want = next(gen)
        while True:
            ready = yield want
            if not ready and time.monotonic() > deadline:
                raise OperationalError("the server did not answer in time")
            want = gen.send(ready)
    except StopIteration as done:
        return done.value


class Link:
    """The connection to one database. Opened at its first use, and again once it is lost.

    Args:
        url: which database.
        timeout_s: seconds for connecting, and for each answer.
        lock_timeout_s: seconds to wait for a lock.
        pause_s: seconds in which, after it could not be reached, it is not tried again.
        idle_s: seconds that a transaction may stand still; 0 is for ever, for one that holds
            nobody up. `IDLE_S` if not given.
    """

    def __init__(
        self,
        url: DatabaseUrl,
        *,
        timeout_s: float,
        lock_timeout_s: float | None = None,
        pause_s: float = 0.0,
        idle_s: float | None = None,
    ) -> None:
        self.url = url
        self._timeout_s = timeout_s
        self._lock_timeout_s = lock_timeout_s
        self._idle_s = idle_s
        self._pause_s = pause_s
        self._lock = threading.Lock()  # owns all below, and the use of the connection
        self._db: _TimedConnection | None = None
        self._dialling: _Dialling | None = None
        self._not_before = 0.0
        _ALL.add(self)

    @contextmanager
    def transaction(self, begin: str = _BEGIN) -> Iterator[Connection[tuple[Any, ...]]]:
        """A transaction, committed at the end; what is raised inside undoes it.

        Raises `psycopg.Error`. If the connection breaks while it is committed, nobody knows
        whether it was.
        """
        with self._lock:
            db = self._begun(begin)
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                self._undo(db)
                raise

    def query(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What a statement of its own finds. It must do no harm if it is run twice: it is, where
        the connection was lost while it stood idle. Raises `psycopg.Error`.
        """
        with self._lock:
            if self._db is not None:
                try:
                    return _rows(self._db, sql, values)
                except psycopg.Error:
                    if not self._is_lost():
                        raise
                    self._drop()
            self._db = self._dial()
            try:
                return _rows(self._db, sql, values)
            except psycopg.Error:
                if self._is_lost():
                    self._drop()
                raise

    def close(self) -> None:
        """Close the connection; a later use opens it again."""
        with self._lock:
            self._drop()
            dialling, self._dialling = self._dialling, None
        if dialling is not None:
            dialling.abandon()

    def _begun(self, begin: str) -> _TimedConnection:
        if self._db is not None:
            try:
                self._db.execute(begin)
                return self._db
            except psycopg.Error:
                if not self._is_lost():
                    self._undo(self._db)  # a lock that was not to be had
                    raise
                self._drop()  # it was lost while it stood idle
        self._db = self._dial()
        try:
            self._db.execute(begin)
        except BaseException:
            self._undo(self._db)
            raise
        return self._db

    def _is_lost(self) -> bool:
        """Whether nothing more can be asked on the connection; a query that got no answer in time
        is still on it.
        """
        if self._db is None or self._db.closed:
            return True
        return self._db.info.transaction_status is TransactionStatus.ACTIVE

    def _undo(self, db: _TimedConnection) -> None:
        try:
            db.execute("ROLLBACK")
        except psycopg.Error:
            self._drop()

    def _drop(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _dial(self) -> _TimedConnection:
        """A new connection, or `OperationalError`. Dialling goes on behind our back if it takes
        too long; what comes of it then serves the next use.
        """
        if time.monotonic() < self._not_before:
            raise OperationalError(f"it could not be reached {self._pause_s:g} s ago or less")
        if self._dialling is None:
            idle_s = IDLE_S if self._idle_s is None else self._idle_s
            self._dialling = _Dialling(self.url, self._timeout_s, self._lock_timeout_s, idle_s)
        try:
            db = self._dialling.result(self._timeout_s)
        except BaseException:
            self._not_before = time.monotonic() + self._pause_s
            if self._dialling.is_over:
                self._dialling = None
            raise
        self._dialling = None
        return db

    def after_fork_in_child(self) -> None:
        """In a child: nothing of the parent's is used. Its socket is closed here, so that the
        server sees the parent's end when it comes; nothing is said on it.
        """
        self._lock = threading.Lock()
        self._dialling = None
        db, self._db = self._db, None
        if db is not None:
            _INHERITED.append(db)
            with suppress(OSError, psycopg.Error):
                os.close(db.pgconn.socket)


class _Dialling:
    """One attempt to connect, in a thread: looking up a name cannot be given a time otherwise."""

    def __init__(
        self, url: DatabaseUrl, timeout_s: float, lock_timeout_s: float | None, idle_s: float
    ) -> None:
        self._url = url
        self._idle_s = idle_s
        self._timeout_s = timeout_s
        self._lock_timeout_s = lock_timeout_s
        self._done = threading.Event()
        self._lock = threading.Lock()  # owns the two below
        self._is_abandoned = False
        self._db: _TimedConnection | None = None
        self._error: Exception | None = None
        try:
            threading.Thread(target=self._run, name="flowaudit-dial", daemon=True).start()
        except RuntimeError:
            self._run()  # the interpreter is shutting down: no more threads

    @property
    def is_over(self) -> bool:
        """Whether it came to an end."""
        return self._done.is_set()

    def result(self, timeout_s: float) -> _TimedConnection:
        """The connection. Raises `psycopg.Error`."""
        if not self._done.wait(timeout_s):
            raise OperationalError(f"no connection within {timeout_s:g} s")
        if self._db is None:
            raise self._error or OperationalError("no connection")
        return self._db

    def abandon(self) -> None:
        """Nobody wants the connection any more: what comes of it is closed."""
        with self._lock:
            self._is_abandoned = True
            if self._db is not None:
                self._db.close()

    def _run(self) -> None:
        try:
            db = self._connected()
            with self._lock:
                self._db = db
                if self._is_abandoned:
                    db.close()
        except psycopg.ProgrammingError:
            # its text may hold a part of the URI, and so of a password
            self._error = OperationalError("the URI is not one that PostgreSQL's library takes")
        except Exception as error:
            self._error = error
        finally:
            self._done.set()

    def _connected(self) -> _TimedConnection:
        db = _TimedConnection.connect(
            self._url.uri,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=max(2, int(self._timeout_s)),
            fallback_application_name="flowaudit",
            tcp_user_timeout=int(self._timeout_s * 1_000),
            keepalives_idle=30,
        )
        db.timeout_s = self._timeout_s + (self._lock_timeout_s or 0.0)
        seconds = (db.timeout_s, self._lock_timeout_s or self._timeout_s, self._idle_s)
        try:
            db.execute(_SETTINGS, [str(int(each * 1_000)) for each in seconds])
        except BaseException:
            db.close()
            raise
        return db


class Questioned:
    """A connection that takes SQL as SQLite's module does: a parameter stands as `?`."""

    def __init__(self, db: Connection[tuple[Any, ...]]) -> None:
        self._db = db

    def execute(self, sql: str, parameters: tuple[Any, ...] = (), /) -> Rows:
        """Run a statement."""
        return self._db.execute(sql.replace("?", "%s"), parameters)


def _rows(db: _TimedConnection, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    cursor = db.execute(sql, values or None)
    return cursor.fetchall() if cursor.description else []


def first_line(error: BaseException) -> str:
    """What a server or library says, as far as it stands in one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


_INHERITED: Final[list[object]] = []
"""Connections that a child inherited: kept for ever, so that nothing closes them with a word."""

_ALL: "weakref.WeakSet[Link]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for link in living(_ALL):
        link.after_fork_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)
