"""The spool: a memory-mapped ring in which an event is safe from a `kill -9` at once.

One ring belongs to one source, which holds a POSIX lock on the file for as long as it lives.
The ring is also the queue to the writer: what is not committed is never overwritten.
How the file is laid out: `ring.py`.
"""

import errno
import fcntl
import mmap
import os
from pathlib import Path
from typing import Final, NamedTuple
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
    WHOLE,
    WRAP,
    boot_id,
)

__all__ = ["Spool", "Taken", "is_own"]

MIN_RING_BYTES: Final = 256 * 1024
"""Smallest ring: holds the largest event."""

_ZEROS: Final = memoryview(bytes(64 * 1024))

_NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "fuse.sshfs")
"""Where a mapping is not coherent or may vanish: no spool there."""

_OWN_INODES: set[tuple[int, int]] = set()
"""Spools this process holds the lock of: closing another descriptor of them would drop it."""


class Taken(NamedTuple):
    """Records that the writer is about to commit."""

    pairs: list[tuple[bytes, bytes]]
    """Core and personal bytes of each."""
    last_n: int
    end: int
    """Offset in the ring behind the last of them."""


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
        mapped[8:16] = U64.pack(self.ring_bytes)
        mapped[AT_SOURCE : AT_SOURCE + len(self.source)] = self.source.encode("ascii")
        boot = boot_id().encode("ascii")
        mapped[AT_BOOT : AT_BOOT + len(boot)] = boot
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
        U64.pack_into(self._map, AT_RECEIVED, received)

    def count_finished(self) -> None:
        """One more request is known not to get an event of its own."""
        self.finished += 1
        U64.pack_into(self._map, AT_FINISHED, self.finished)

    def put(self, n: int, core: bytes, personal: bytes, finishes: bool) -> bool:
        """Publish an event; False if the ring has no room for it. Kill-safe when this returns.

        The record itself carries how many requests have finished with it.
        """
        if finishes:
            self.finished += 1
        body = META.pack(n, self.finished, len(core), len(personal)) + core + personal
        size = len(body)
        room = size + PREFIX.size + 7 & ~7
        head = self._head
        used = self._used + room
        if head + room > self.ring_bytes:
            used += self.ring_bytes - head
        if used > self.ring_bytes:
            self.finished -= finishes
            return False
        mapped = self._map
        if head + room > self.ring_bytes:
            if head < self.ring_bytes:
                PREFIX.pack_into(mapped, HEADER_BYTES + head, WRAP, 0)
            head = 0
        at = HEADER_BYTES + head
        mapped[at + 8 : at + 8 + size] = body
        PREFIX.pack_into(mapped, at, size, crc32(body))
        self._head = head + room
        self._used = used
        self.waiting += 1
        return True

    def lose(self, n: int) -> None:
        """Note that `n` is used up by an event that had no room."""
        U64.pack_into(self._map, AT_LOST, n)

    def take(self, limit: int) -> Taken:
        """The oldest records, and what `release` needs to give their room back."""
        pairs, at, n = [], self._tail, 0
        mapped, ring = self._map, self.ring_bytes
        for _ in range(min(limit, self.waiting)):
            if at >= ring or PREFIX.unpack_from(mapped, HEADER_BYTES + at)[0] == WRAP:
                at = 0
            _length, _crc, n, _finished, core, personal = WHOLE.unpack_from(
                mapped, HEADER_BYTES + at
            )
            start = HEADER_BYTES + at + WHOLE.size
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
        U64.pack_into(self._map, AT_FINISHED, self.finished)
        U64.pack_into(self._map, AT_TAIL, end)
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
            U64.pack_into(self._map, AT_TAIL, 0)

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


def _inode(descriptor: int) -> tuple[int, int]:
    stat = os.fstat(descriptor)
    return stat.st_dev, stat.st_ino


def is_own(path: Path) -> bool:
    """Whether a spool is held by this very process, or is gone."""
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
