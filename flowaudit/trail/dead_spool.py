"""Spools that killed processes left: read under their lock, to be adopted."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from .ring import (
    AT_BOOT,
    AT_FINISHED,
    AT_LOST,
    AT_RECEIVED,
    AT_SOURCE,
    AT_TAIL,
    HEADER_BYTES,
    MAGIC,
    META,
    PREFIX,
    U64,
    WRAP,
)
from .spool import is_own

__all__ = [
    "DeadSpool",
    "Record",
    "SpoolState",
    "spool_files",
    "spool_states",
    "waiting_records",
]


class Record(NamedTuple):
    """An event that a dead source left."""

    n: int
    core: bytes
    personal: bytes


class DeadSpool:
    """The spool of a source that is no more, held under its lock by whoever adopts it."""

    def __init__(self, path: Path, descriptor: int, data: bytes) -> None:
        self.path = path
        self._descriptor = descriptor
        self._data = data
        self.source = data[AT_SOURCE : AT_SOURCE + 26].rstrip(b"\0").decode("ascii", "replace")
        self.boot = data[AT_BOOT : AT_BOOT + 36].rstrip(b"\0").decode("ascii", "replace")
        self.received = self._number(AT_RECEIVED)
        self.lost_to = self._number(AT_LOST)
        """Highest n that a loss used up and no gap event has reported; 0 if none."""
        self.records: list[Record] = []
        self.finished = self._number(AT_FINISHED)
        for record, finished in _scan(data):
            self.records.append(record)
            self.finished = max(self.finished, finished)

    @classmethod
    def adopt(cls, path: Path) -> "DeadSpool | None":
        """Take the spool over if its source is dead, else `None`; never blocks.

        The lock is held until `close`. A file that is no spool (a source that died at birth)
        is adopted with no records.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                with open(descriptor, "rb", closefd=False) as file:
                    return cls(path, descriptor, file.read().ljust(HEADER_BYTES, b"\0"))
        except OSError:
            pass
        os.close(descriptor)
        return None

    def _number(self, at: int) -> int:
        return int(U64.unpack_from(self._data, at)[0])

    def close(self, *, remove: bool) -> None:
        """Release the lock; remove the file once all that it held is in the trail."""
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def spool_files(folder: Path) -> list[Path]:
    """Spools in a folder that this process does not itself hold."""
    try:
        files = sorted(folder.glob("*.ring"))
    except OSError:
        return []
    return [path for path in files if not is_own(path)]


class SpoolState(NamedTuple):
    """What the spool of another process shows at a glance."""

    source: str
    is_living: bool
    received: int
    finished: int
    """Requests that came in, and those of them that are over."""
    waiting: int
    """Events in it."""

    @property
    def open(self) -> int:
        """Requests that are not over."""
        return max(0, self.received - self.finished)


def spool_states(folder: Path) -> dict[str, SpoolState]:
    """The spools of other processes in a folder, by source."""
    found: dict[str, SpoolState] = {}
    for path in spool_files(folder):
        dead = DeadSpool.adopt(path)
        if dead is not None:
            dead.close(remove=False)
            found[dead.source] = SpoolState(
                dead.source, False, dead.received, dead.finished, len(dead.records)
            )
            continue
        try:
            living = DeadSpool(path, -1, path.read_bytes().ljust(HEADER_BYTES, b"\0"))
        except OSError:
            continue  # it has just gone
        found[living.source] = SpoolState(
            living.source, True, living.received, living.finished, len(living.records)
        )
    return found


def waiting_records(folder: Path) -> int:
    """How many events wait in the spools of a folder, whoever they belong to."""
    waiting = 0
    for path in spool_files(folder):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        waiting += sum(1 for _ in _scan(data.ljust(HEADER_BYTES, b"\0")))
    return waiting


def _scan(data: bytes) -> Iterator[tuple[Record, int]]:
    """Whole records from the oldest on, with the count of finished requests beside each."""
    if data[:8] != MAGIC:
        return
    ring = min(int(U64.unpack_from(data, 8)[0]), len(data) - HEADER_BYTES)
    at, last_n = int(U64.unpack_from(data, AT_TAIL)[0]), 0
    wrapped = False
    while True:
        if at + PREFIX.size > ring:
            length = WRAP
        else:
            length, crc = PREFIX.unpack_from(data, HEADER_BYTES + at)
        if length == WRAP:
            if wrapped:
                return
            wrapped, at = True, 0
            continue
        body = data[HEADER_BYTES + at + 8 : HEADER_BYTES + at + 8 + length]
        if length < META.size or len(body) != length or crc32(body) != crc:
            return
        record, finished = _read_body(body)
        if record.n <= last_n:
            return
        yield record, finished
        last_n = record.n
        at += PREFIX.size + length + 7 & ~7


def _read_body(body: bytes) -> tuple[Record, int]:
    n, finished, core, personal = META.unpack_from(body)
    start = META.size
    return Record(
        n, body[start : start + core], body[start + core : start + core + personal]
    ), finished
