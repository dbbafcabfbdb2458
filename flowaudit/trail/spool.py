"""The spool: a memory-mapped ring in which an event is safe from a `kill -9` at once.

One ring belongs to one source, which holds a POSIX lock on the file for as long as it lives.
The ring is also the queue to the writer: what is not committed is never overwritten.

File layout, integers little-endian::

    0     magic `FLOWSPL1`            40    highest n used up by a loss not yet reported
    8     bytes of the ring           48    source (26 ASCII bytes)
    16    requests received           80    boot id of the machine (36 ASCII bytes)
    24    requests finished           4096  the ring
    32    offset of the oldest record

A record is: length (u32) and CRC-32 (u32) of what follows; n (u64), requests finished at that
moment (u64), length of the core (u32), length of the personal part (u32); core; personal;
padding to 8 bytes. Length and CRC are written last, so a torn record is none. A length of
0xFFFFFFFF says: go on at offset 0. Everything outside the records is zero.
"""

import errno
import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

__all__ = [
    "HEADER_BYTES",
    "DeadSpool",
    "Record",
    "Spool",
    "Taken",
    "boot_id",
    "spool_files",
    "waiting_records",
]

MAGIC: Final = b"FLOWSPL1"
HEADER_BYTES: Final = 4_096
MIN_RING_BYTES: Final = 256 * 1024
"""Smallest ring: holds the largest event."""

WRAP: Final = 0xFFFFFFFF
_PREFIX: Final = struct.Struct("<II")
_META: Final = struct.Struct("<QQII")
_WHOLE: Final = struct.Struct("<IIQQII")
_U64: Final = struct.Struct("<Q")
_AT_RECEIVED: Final = 16
_AT_FINISHED: Final = 24
_AT_TAIL: Final = 32
_AT_LOST: Final = 40
_AT_SOURCE: Final = 48
_AT_BOOT: Final = 80
_ZEROS: Final = memoryview(bytes(64 * 1024))

_NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "fuse.sshfs")
"""Where a mapping is not coherent or may vanish: no spool there."""

_OWN_INODES: set[tuple[int, int]] = set()
"""Spools this process holds the lock of: closing another descriptor of them would drop it."""


class Record(NamedTuple):
    """An event that a dead source left."""

    n: int
    core: bytes
    personal: bytes


class Taken(NamedTuple):
    """Records that the writer is about to commit."""

    pairs: list[tuple[bytes, bytes]]
    """Core and personal bytes of each."""
    last_n: int
    end: int
    """Offset in the ring behind the last of them."""


def boot_id() -> str:
    """An id that changes with each boot of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()[:36]
    except OSError:
        return ""


class Spool:
    """The ring of a living source.

    What waits is held in the ring alone: to keep it as objects as well costs each request more
    than reading it back costs the writer, for they would stand in memory that no cache holds.

    Not locked in itself: `put`, `count_received`, `count_finished`, `release` and `lose` are
    called under the recorder's lock; `take` reads only what was published before.
    """

    def __init__(self, folder: Path, source: str, ring_bytes: int) -> None:
        self.source = source
        self.ring_bytes = max(MIN_RING_BYTES, ring_bytes - ring_bytes % 8)
        self.path: Path | None = folder / f"{source}.ring"
        self._descriptor, self._map = self._allocate(folder)
        self._head = self._tail = self._used = 0
        self.received = self.finished = 0
        self.waiting = 0
        """Records published and not yet released."""

    @property
    def kind(self) -> str:
        """`file` (survives the process) or `memory` (does not)."""
        return "memory" if self.path is None else "file"

    def _allocate(self, folder: Path) -> tuple[int | None, mmap.mmap]:
        wanted = self.ring_bytes
        while True:
            try:
                descriptor = self._create(folder, HEADER_BYTES + self.ring_bytes)
                break
            except OSError as error:
                # on a small disk a smaller ring in a file is better than a large one in memory
                if error.errno == errno.ENOSPC and self.ring_bytes > MIN_RING_BYTES:
                    self.ring_bytes = max(MIN_RING_BYTES, self.ring_bytes // 4 & ~7)
                    continue
                self.path, self.ring_bytes = None, wanted
                return None, mmap.mmap(-1, HEADER_BYTES + wanted)
        mapped = mmap.mmap(descriptor, HEADER_BYTES + self.ring_bytes)
        mapped[8:16] = _U64.pack(self.ring_bytes)
        mapped[_AT_SOURCE : _AT_SOURCE + len(self.source)] = self.source.encode("ascii")
        boot = boot_id().encode("ascii")
        mapped[_AT_BOOT : _AT_BOOT + len(boot)] = boot
        mapped[0:8] = MAGIC
        return descriptor, mapped

    def _create(self, folder: Path, size: int) -> int:
        assert self.path is not None
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_network(folder):
            raise OSError("no mapping on a network file system")
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # the lock comes first: a file without magic that is locked is being born, not dead
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(descriptor, 0, size)
        except OSError:
            os.close(descriptor)
            self.path.unlink(missing_ok=True)
            raise
        _OWN_INODES.add(_inode(descriptor))
        return descriptor

    def count_received(self) -> None:
        """One more request has come in."""
        self.received = received = self.received + 1
        _U64.pack_into(self._map, _AT_RECEIVED, received)

    def count_finished(self) -> None:
        """One more request is known not to get an event of its own."""
        self.finished += 1
        _U64.pack_into(self._map, _AT_FINISHED, self.finished)

    def put(self, n: int, core: bytes, personal: bytes, finishes: bool) -> bool:
        """Publish an event; False if the ring has no room for it. Kill-safe when this returns.

        The record itself carries how many requests have finished with it.
        """
        if finishes:
            self.finished += 1
        body = _META.pack(n, self.finished, len(core), len(personal)) + core + personal
        size = len(body)
        room = size + _PREFIX.size + 7 & ~7
        head = self._head
        used = self._used + room
        if head + room > self.ring_bytes:
            used += self.ring_bytes - head
        if used > self.ring_bytes:
            self.finished -= finishes
            return False
        mapped = self._map
        if head + room > self.ring_bytes:
            _PREFIX.pack_into(mapped, HEADER_BYTES + head, WRAP, 0)
            head = 0
        at = HEADER_BYTES + head
        mapped[at + 8 : at + 8 + size] = body
        _PREFIX.pack_into(mapped, at, size, crc32(body))
        self._head = head + room
        self._used = used
        self.waiting += 1
        return True

    def lose(self, n: int) -> None:
        """Note that `n` is used up by an event that had no room."""
        _U64.pack_into(self._map, _AT_LOST, n)

    def take(self, limit: int) -> Taken:
        """The oldest records, and what `release` needs to give their room back."""
        pairs, at, n = [], self._tail, 0
        mapped, ring = self._map, self.ring_bytes
        for _ in range(min(limit, self.waiting)):
            if at >= ring or _PREFIX.unpack_from(mapped, HEADER_BYTES + at)[0] == WRAP:
                at = 0
            _length, _crc, n, _finished, core, personal = _WHOLE.unpack_from(
                mapped, HEADER_BYTES + at
            )
            start = HEADER_BYTES + at + _WHOLE.size
            middle = start + core
            end = middle + personal
            pairs.append((mapped[start:middle], mapped[middle:end]))
            at = end - HEADER_BYTES + 7 & ~7
        return Taken(pairs, n, at)

    def release(self, count: int, end: int) -> None:
        """Give the room of `count` committed records back, up to the offset `end`.

        Order: first the new offset of the oldest record (a crash after it leaves stale bytes
        that no reader takes, for their n is not higher), then zeros over the old records.
        """
        start = self._tail
        # in the header too, for the records that carry the count are about to go
        _U64.pack_into(self._map, _AT_FINISHED, self.finished)
        _U64.pack_into(self._map, _AT_TAIL, end)
        if end > start:
            self._zero(start, end)
            self._used -= end - start
        elif count:
            self._zero(start, self.ring_bytes)
            self._zero(0, end)
            self._used -= self.ring_bytes - start + end
        self._tail = end
        self.waiting -= count
        if not self._used:
            # stay in the first pages: the rest of the file is not dirtied under light load
            self._head = self._tail = 0
            _U64.pack_into(self._map, _AT_TAIL, 0)

    def _zero(self, start: int, end: int) -> None:
        for at in range(HEADER_BYTES + start, HEADER_BYTES + end, len(_ZEROS)):
            stop = min(at + len(_ZEROS), HEADER_BYTES + end)
            self._map[at:stop] = _ZEROS[: stop - at]

    def close(self, *, remove: bool) -> None:
        """End the source's hold; remove the file if nothing in it is needed any more."""
        if self.path is not None and remove:
            self.path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Let go of mapping and descriptor without touching the file (as a forked child does)."""
        self._map.close()
        if self._descriptor is not None:
            _OWN_INODES.discard(_inode(self._descriptor))
            os.close(self._descriptor)
            self._descriptor = None


class DeadSpool:
    """The spool of a source that is no more, held under its lock by whoever adopts it."""

    def __init__(self, path: Path, descriptor: int, data: bytes) -> None:
        self.path = path
        self._descriptor = descriptor
        self._data = data
        self.source = data[_AT_SOURCE : _AT_SOURCE + 26].rstrip(b"\0").decode("ascii", "replace")
        self.boot = data[_AT_BOOT : _AT_BOOT + 36].rstrip(b"\0").decode("ascii", "replace")
        self.received = self._number(_AT_RECEIVED)
        self.lost_to = self._number(_AT_LOST)
        """Highest n that a loss used up and no gap event has reported; 0 if none."""
        self.records: list[Record] = []
        self.finished = self._number(_AT_FINISHED)
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
        return int(_U64.unpack_from(self._data, at)[0])

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
    return [path for path in files if not _is_own(path)]


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
    ring = min(int(_U64.unpack_from(data, 8)[0]), len(data) - HEADER_BYTES)
    at, last_n = int(_U64.unpack_from(data, _AT_TAIL)[0]), 0
    wrapped = False
    while True:
        if at + _PREFIX.size > ring:
            length = WRAP
        else:
            length, crc = _PREFIX.unpack_from(data, HEADER_BYTES + at)
        if length == WRAP:
            if wrapped:
                return
            wrapped, at = True, 0
            continue
        body = data[HEADER_BYTES + at + 8 : HEADER_BYTES + at + 8 + length]
        if length < _META.size or len(body) != length or crc32(body) != crc:
            return
        record, finished = _read_body(body)
        if record.n <= last_n:
            return
        yield record, finished
        last_n = record.n
        at += _PREFIX.size + length + 7 & ~7


def _read_body(body: bytes) -> tuple[Record, int]:
    n, finished, core, personal = _META.unpack_from(body)
    start = _META.size
    return Record(
        n, body[start : start + core], body[start + core : start + core + personal]
    ), finished


def _inode(descriptor: int) -> tuple[int, int]:
    stat = os.fstat(descriptor)
    return stat.st_dev, stat.st_ino


def _is_own(path: Path) -> bool:
    try:
        stat = path.stat()
    except OSError:
        return True
    return (stat.st_dev, stat.st_ino) in _OWN_INODES


def _is_network(folder: Path) -> bool:
    """Whether a folder is on a network file system, as `/proc/mounts` says."""
    try:
        mounts = Path("/proc/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    where, best = folder.resolve().as_posix(), ("", "")
    for line in mounts:
        _, point, kind, *_ = [*line.split(" "), "", "", ""]
        point = point.replace("\\040", " ")
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1].startswith(_NETWORK_FILE_SYSTEMS)


def _after_fork() -> None:
    _OWN_INODES.clear()


os.register_at_fork(after_in_child=_after_fork)
