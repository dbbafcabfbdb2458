"""The records in a spool's bytes, whoever has written those: whole ones, in order, in bounded time.

A record that was damaged (a flipped bit, a page that a power cut has not written) hides what comes
behind it, since its length leads there. So the next whole one is looked for: records begin at
multiples of 8, and their checksum and rising number tell them from anything else.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

from ..event import MAX_CORE_BYTES, MAX_PERSONAL_BYTES
from .ring import AT_TAIL, HEADER_BYTES, MAGIC, META, PREFIX, U64, WRAP

__all__ = ["Record", "scan"]

MAX_BODY: Final = META.size + MAX_CORE_BYTES + MAX_PERSONAL_BYTES

MAX_SEARCH_BYTES: Final = 64 * 1024 * 1024
"""Bytes that are looked through, and bytes that are checksummed, for whole records behind damaged
ones: some seconds.
"""


class Record(NamedTuple):
    """An event that a dead source left."""

    n: int
    core: bytes
    personal: bytes


class _Found(NamedTuple):
    record: Record
    finished: int
    """How many requests had finished with it."""
    end: int
    """Offset of the next."""


def scan(data: bytes) -> Iterator[tuple[Record, int]]:
    """Whole records from the oldest on, with the count of finished requests beside each."""
    if data[:8] != MAGIC:
        return
    ring = min(int(U64.unpack_from(data, 8)[0]), len(data) - HEADER_BYTES)
    tail = at = int(U64.unpack_from(data, AT_TAIL)[0])
    last_n, wrapped, left = 0, False, [MAX_SEARCH_BYTES]
    while True:
        if at + PREFIX.size > ring or _length(data, at) == WRAP:
            if wrapped:
                return
            wrapped, at = True, 0
            continue
        found = _read(data, ring, at, last_n)
        if found is None:
            if not _length(data, at):
                return
            found = _search(data, at + 8, ring, last_n, left)
            if found is None and not wrapped:
                wrapped, found = True, _search(data, 0, min(tail, ring), last_n, left)
            if found is None:
                return
        yield found.record, found.finished
        last_n, at = found.record.n, found.end


def _search(data: bytes, start: int, end: int, last_n: int, left: list[int]) -> _Found | None:
    """The first whole record from `start` on; `left` is what may still be spent on looking."""
    for at in range(start, end - PREFIX.size - META.size + 1, 8):
        left[0] -= 8
        if left[0] <= 0:
            return None
        length = _length(data, at)
        if META.size <= length <= MAX_BODY and _fits(data, at, length, last_n):
            left[0] -= length
            found = _read(data, end, at, last_n)
            if found is not None:
                return found
    return None


def _length(data: bytes, at: int) -> int:
    return int(PREFIX.unpack_from(data, HEADER_BYTES + at)[0])


def _fits(data: bytes, at: int, length: int, last_n: int) -> bool:
    n, _, core, personal = META.unpack_from(data, HEADER_BYTES + at + PREFIX.size)
    return bool(n > last_n and META.size + core + personal == length)


def _read(data: bytes, ring: int, at: int, last_n: int) -> _Found | None:
    """The record at an offset; `None` if there is no whole one that comes after `last_n`."""
    length, crc = PREFIX.unpack_from(data, HEADER_BYTES + at)
    start = HEADER_BYTES + at + PREFIX.size
    if not META.size <= length <= min(MAX_BODY, ring - at - PREFIX.size):
        return None
    body = data[start : start + length]
    if len(body) != length or not _fits(data, at, length, last_n) or crc32(body) != crc:
        return None
    n, finished, core, _ = META.unpack_from(body)
    middle = META.size + core
    record = Record(n, body[META.size : middle], body[middle:])
    return _Found(record, finished, at + PREFIX.size + length + 7 & ~7)
