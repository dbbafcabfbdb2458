"""Lines of a log file, plain or gzip, as a flat stream: whatever its size, so much is in memory.

A file is gone through twice. The first time gives its size and the SHA-256 of its uncompressed
bytes, which is the import's source; the second time reads exactly those bytes, so that a log
that grows meanwhile is imported as it was.
"""

import base64
import gzip
import hashlib
import io
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ..errors import ImportFormatError

__all__ = ["MAX_LINE_BYTES", "Content", "Progress", "lines_of", "open_log", "survey"]

Progress = Callable[[str, int, int], None]
"""Told while a file is read: what is being done, bytes done, bytes in all."""

BLOCK_BYTES: Final = 1 << 20
"""Read at once."""

MAX_LINE_BYTES: Final = 1 << 20
"""A longer line is malformed and never held whole; servers log 16 KiB of a request at most."""

GZIP_MAGIC: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds."""

    source: str
    """Source id of its events: 26 base32 characters, 128 bits of its SHA-256."""
    size_bytes: int
    """Uncompressed."""


@contextmanager
def open_log(path: Path) -> Iterator[BinaryIO]:
    """The file, rewindable: a pipe is copied to a temporary file first.

    Raises `ImportFormatError`, with a sentence for people, if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            if file.seekable():
                yield file
                return
            with tempfile.TemporaryFile(prefix="flowaudit-") as copy:
                shutil.copyfileobj(file, copy, BLOCK_BYTES)
                yield copy
    except OSError as error:
        raise ImportFormatError(f"{path} cannot be read: {error.strerror or error}") from error


def survey(file: BinaryIO, progress: Progress | None = None) -> Content:
    """Go through a whole file for its source id and size. Raises if it is a broken gzip."""
    size_on_disk = file.seek(0, io.SEEK_END)
    digest, size = hashlib.sha256(), 0
    for block in _blocks(file):
        digest.update(block)
        size += len(block)
        if progress is not None:
            progress("reading", min(file.tell(), size_on_disk), size_on_disk)
    source = base64.b32encode(digest.digest()[:16]).decode().rstrip("=").lower()
    return Content(source, size)


def lines_of(
    file: BinaryIO, size_bytes: int, progress: Progress | None = None
) -> Iterator[str | None]:
    """The lines of a file's first uncompressed bytes, split at `\\n`; `None` for one too long.

    A last empty line is no line. Bytes that are not UTF-8 are read as latin-1, line by line.
    """
    done, pending, is_too_long = 0, b"", False
    for block in _blocks(file):
        block = block[: size_bytes - done]
        done += len(block)
        *lines, rest = (pending + block).split(b"\n")
        if lines and is_too_long:
            yield None
            del lines[0]
            is_too_long = False
        for line in lines:
            yield _text(line) if len(line) <= MAX_LINE_BYTES else None
        if is_too_long or len(rest) > MAX_LINE_BYTES:
            is_too_long, rest = True, b""
        pending = rest
        if progress is not None:
            progress("importing", done, size_bytes)
        if done >= size_bytes:
            break
    if is_too_long:
        yield None
    elif pending:
        yield _text(pending)


def _text(line: bytes) -> str:
    if line.endswith(b"\r"):
        line = line[:-1]
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    stream = gzip.GzipFile(fileobj=file) if is_gzip else file
    try:
        while block := stream.read(BLOCK_BYTES):
            yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportFormatError(f"the file is not whole gzip: {error}") from error
