"""Checkpoints in folders that the trail's keeper does not hold: what it can't take back later."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..oplog import OPLOG
from ..proofs.note import MAX_NOTE_BYTES

__all__ = ["EVERY_S", "SUFFIX", "Publisher", "published_notes"]

EVERY_S: Final = 60.0
"""Seconds between two published checkpoints of one process, under traffic."""

SUFFIX: Final = ".checkpoint"
"""End of the name of a published checkpoint: `TRAIL-ID/SIZE.checkpoint`."""


class Publisher:
    """Puts signed checkpoints into folders, one file each; none is ever written over.

    Args:
        folders: where to; each should be on another machine's disk, writable for this process
            and not changeable for whoever may change the trail.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = [Path(folder) for folder in folders]
        self._published = -1
        self._next = 0.0

    def publish(self, origin: str, checkpoint: tuple[int, str] | None, *, now: bool) -> None:
        """Publish a checkpoint that was signed, if it is new, and due or asked for `now`.

        A folder that takes none is logged, and tried again with the next one. Never raises.
        """
        if not self._folders or checkpoint is None or checkpoint[0] == self._published:
            return
        if not now and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        size, note = checkpoint
        self._published = size
        for folder in self._folders:
            try:
                _write_once(folder / origin.rpartition("/")[2] / f"{size:020}{SUFFIX}", note)
            except OSError as error:
                OPLOG.error("a checkpoint was not published", folder=str(folder), error=str(error))


def published_notes(place: Path) -> list[str]:
    """The notes in a file, or in a folder and the folders in it. Raises `OSError`."""
    paths = sorted(place.rglob(f"*{SUFFIX}")) if place.is_dir() else [place]
    return [_read_note(path) for path in paths]


def _read_note(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES + 1).decode("utf-8", "replace")


def _write_once(path: Path, note: str) -> None:
    # 1. whole file under another name  2. fsync  3. link, which fails where one is  4. fsync
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, note.encode())
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
