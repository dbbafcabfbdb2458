"""Checkpoints given to those who do not hold the trail: what its keeper can't take back later.

In a witness's folder, under the trail's id, none of it ever written over::

    SIZE.checkpoint     the signed note
    SIZE.consistency    the same with a proof that the trail has only grown since the one before,
                        as a witness is asked (c2sp.org/tlog-witness, add-checkpoint)
    SIZE-N.tsr          a time stamp over SIZE.checkpoint (RFC 3161)
    SIZE.KEY.cosigned   the note with a witness's cosignature
"""

import base64
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import FlowauditError
from ..oplog import OPLOG
from ..proofs.note import MAX_NOTE_BYTES
from .timestamps import MAX_STAMP_BYTES, ask_for_stamp, is_authority, load_rfc3161

__all__ = [
    "CONSISTENCY",
    "COSIGNED",
    "EVERY_S",
    "STAMP",
    "SUFFIX",
    "Kept",
    "Publisher",
    "folder_of",
    "kept_in",
    "read_note",
    "size_name",
    "write_once",
]

EVERY_S: Final = 60.0
"""Seconds between two published checkpoints of one process, under traffic."""

STAMP_EVERY_S: Final = 3_600.0
"""Seconds between two time stamps of one process: authorities are others' servers."""

STAMP_WAIT_S: Final = 5.0
"""Seconds that the end of a process waits for a time stamp."""

SUFFIX: Final = ".checkpoint"
CONSISTENCY: Final = ".consistency"
STAMP: Final = ".tsr"
COSIGNED: Final = ".cosigned"
"""Ends of names in a witness's folder."""

Prove = Callable[[int, int], list[bytes]]
"""A consistency proof between two sizes; raises `FlowauditError` if it can't be made."""

_SIZE: Final = re.compile(r"[0-9]{20}")


@dataclass(frozen=True, slots=True)
class Kept:
    """What one witness has kept of a trail."""

    place: str
    notes: tuple[str, ...]
    """Checkpoints, as signed notes, some with cosignatures."""
    stamps: tuple[tuple[str, bytes], ...] = ()
    """Time stamps, each with the note that it is over."""


class Publisher:
    """Gives signed checkpoints to witnesses: folders, and time-stamp authorities by their URL.

    Args:
        witnesses: where to; a folder should be on another machine's disk, writable for this
            process and not changeable for whoever may change the trail. Stamps go into every
            folder; without any, into `stamps`.
        stamps: a folder of our own.

    Raises `MissingExtraError` if there is an authority and the package for stamps is not installed.
    """

    def __init__(self, witnesses: Iterable[str], stamps: Path | None = None) -> None:
        places = list(witnesses)
        self._folders = [Path(place) for place in places if not is_authority(place)]
        self._authorities = [place for place in places if is_authority(place)]
        if self._authorities:
            load_rfc3161()
        self._own = stamps if self._authorities and not self._folders else None
        if self._own is not None:
            self._folders = [self._own]
        self._published = -1
        self._last: dict[Path, int] = {}  # by folder: the largest size that has a proof there
        self._next = self._next_stamp = 0.0
        self._stamping: threading.Thread | None = None

    def publish(
        self,
        origin: str,
        checkpoint: tuple[int, str] | None,
        *,
        now: bool,
        prove: Prove | None = None,
    ) -> None:
        """Publish a checkpoint that was signed, if it is new, and due or asked for `now`.

        What does not take it is logged, and tried again with the next one. Never raises.
        """
        if not self._folders or checkpoint is None or checkpoint[0] == self._published:
            return
        if not now and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        size, note = checkpoint
        self._published = size
        folders = [folder_of(folder, origin) for folder in self._folders]
        for folder in folders:
            try:
                if self._own is not None:
                    self._own.mkdir(mode=0o700, exist_ok=True)
                if folder not in self._last:
                    self._last[folder] = _newest_size(folder, size)
                if _publish(folder, self._last[folder], size, note, prove):
                    self._last[folder] = max(size, self._last[folder])
            except OSError as error:
                OPLOG.error("a checkpoint was not published", folder=str(folder), error=str(error))
        if self._authorities and (now or time.monotonic() >= self._next_stamp):
            self._next_stamp = time.monotonic() + STAMP_EVERY_S
            self._stamp(folders, size, note, wait=now)

    def _stamp(self, folders: list[Path], size: int, note: str, *, wait: bool) -> None:
        """Ask the authorities beside, so that no commit waits for the network."""
        if self._stamping is not None:
            self._stamping.join(STAMP_WAIT_S if wait else 0)
            if self._stamping.is_alive():
                return
        self._stamping = threading.Thread(
            target=_stamp, args=(self._authorities, folders, size, note), daemon=True,
            name="flowaudit-stamps",
        )  # fmt: skip
        self._stamping.start()
        if wait:
            self._stamping.join(STAMP_WAIT_S)


def folder_of(place: Path, origin: str) -> Path:
    """Where a witness's folder has what is of one trail."""
    return place / origin.rpartition("/")[2]


def size_name(size: int) -> str:
    """How files of a checkpoint of this size begin: so that names sort as sizes do."""
    return f"{size:020}"


def kept_in(place: Path) -> Kept:
    """What a file, or a folder and the folders in it, keep of checkpoints. Raises `OSError`."""
    if not place.is_dir():
        return Kept(str(place), (read_note(place),))
    files = [path for path in sorted(place.rglob("*")) if path.is_file()]  # no pipe, no folder
    notes = tuple(read_note(path) for path in files if path.suffix in (SUFFIX, COSIGNED))
    return Kept(str(place), notes, tuple(_stamps(files)))


def _stamps(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for path in files:
        if path.suffix == STAMP:
            size = _SIZE.match(path.name)
            over = path.with_name(f"{size[0] if size else ''}{SUFFIX}")
            if over.is_file():
                with path.open("rb") as file:
                    yield read_note(over), file.read(MAX_STAMP_BYTES + 1)


def read_note(path: Path) -> str:
    """A note, as far as one may be long. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES + 1).decode("utf-8", "replace")


def _newest_size(folder: Path, end: int) -> int:
    """The largest size below `end` to which proofs in a folder lead; 0 if it has none. What claims
    more is not of this history, and must not end its proofs.
    """
    names = (path.name[:20] for path in folder.glob(f"*{CONSISTENCY}"))
    sizes = (int(name) for name in names if _SIZE.fullmatch(name))
    return max((size for size in sizes if size < end), default=0)


def _publish(folder: Path, old: int, size: int, note: str, prove: Prove | None) -> bool:
    """Put a checkpoint into a folder; whether there is a proof of it from one that has one."""
    is_proved = False
    name = size_name(size)
    folder.mkdir(exist_ok=True)
    if prove is not None and old < size:
        try:
            hashes = [base64.b64encode(each).decode() for each in prove(old, size)]
            lines = "".join(f"{line}\n" for line in (f"old {old}", *hashes))
            write_once(folder / f"{name}{CONSISTENCY}", f"{lines}\n{note}".encode())
            is_proved = True
        except FlowauditError as error:  # tiles that went into an archive, a trail that is busy
            OPLOG.warning("no proof was published", old=old, size=size, error=str(error))
    write_once(folder / f"{name}{SUFFIX}", note.encode())
    return is_proved


def _stamp(authorities: Iterable[str], folders: Iterable[Path], size: int, note: str) -> None:
    for number, url in enumerate(authorities):
        try:
            stamp = ask_for_stamp(url, note.encode())
            for folder in folders:
                write_once(folder / f"{size_name(size)}-{number}{STAMP}", stamp)
        except (OSError, FlowauditError) as error:
            OPLOG.error("a checkpoint was not stamped", authority=url, error=str(error))


def write_once(path: Path, data: bytes) -> None:
    """A file that is there whole, durably, and never written over. Raises `OSError`."""
    # 1. whole file under another name  2. fsync  3. link, which fails where one is  4. fsync
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # published already, by another process
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
