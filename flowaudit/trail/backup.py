"""A copy of a trail that is in use, as one file that verifies by itself.

`VACUUM INTO` copies one state of the file while others go on writing, and leaves out what SQLite
keeps of deleted rows. SQLite alone opens the trail: to read the file past it would drop the locks
of this process (see `make_private`).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

from ..errors import TrailError, TrailWriteError, VaultError
from ..vault.guard import SQLITE_ERRORS
from ..vault.place import DatabaseUrl, Place
from .opening import check_trail, open_trail
from .paths import TrailPaths, make_private, trail_error

__all__ = ["back_up"]


def back_up(
    paths: TrailPaths, to: Path, *, has_vault: bool = False, has_key: bool = False
) -> list[Path]:
    """Copy a trail, sign the copy's head, and return the files that were written, mode 0600.

    Args:
        paths: the trail.
        to: the copy's file, new; the public key goes beside it.
        has_vault: whether the vault is copied too: with it the copy says who everybody is.
        has_key: whether the private key is copied too: with it anybody can sign in its name.

    Raises `TrailError` if the trail is a database, a file is there already, or can't be written.
    """
    check_trail(paths)
    copy = TrailPaths.of(to)
    written: list[Path] = []
    with _all_or_nothing(written):
        _copy(paths.trail, to, written)
        if has_vault:
            _copy(paths.vault, copy.vault, written)
        for source, target in ((paths.public_key, copy.public_key), (paths.key, copy.key)):
            if source.exists() and (source != paths.key or has_key):
                _create(target, written)
                copyfile(source, target)
        if paths.key.exists():
            _sign(replace(copy, key=paths.key, public_key=paths.public_key))
        for each in [*written, to.parent]:
            _sync(each)
    return written


@contextmanager
def _all_or_nothing(written: list[Path]) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        for path in written:
            for suffix in ("", "-wal", "-shm", "-journal"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise TrailWriteError(f"{error.filename}: {error.strerror}") from error
        raise


def _copy(place: Place, target: Place, written: list[Path]) -> None:
    if isinstance(place, DatabaseUrl) or isinstance(target, DatabaseUrl):
        raise TrailError(f"{place} is a database: its own tools back it up, such as pg_dump")
    if not place.exists():
        raise VaultError(f"there is no vault at {place}")
    _create(target, written)
    try:
        # not read-only: a reader that is alone must be able to bring the log in order
        with closing(sqlite3.connect(place, timeout=30, isolation_level=None)) as db:
            db.execute("VACUUM INTO ?", (str(target),))
    except SQLITE_ERRORS as error:
        raise trail_error(error, place) from error


def _create(path: Path, written: list[Path]) -> None:
    """An empty file of our own, mode 0600, which SQLite then fills."""
    if path.exists():
        raise TrailWriteError(f"{path} is there already; a backup is a new file")
    make_private(path)
    written.append(path)


def _sign(copy: TrailPaths) -> None:
    """Sign the head of the copy: what came into the trail meanwhile is not in it."""
    with open_trail(copy) as trail:
        trail.checkpoint()
    with closing(sqlite3.connect(str(copy.trail), isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")  # one file, which readers add nothing to
    copy.lock.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
