"""Where the files of a trail are: the trail itself, and what stands beside it."""

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..errors import NotATrailError, TrailBusyError, TrailError, TrailWriteError
from ..vault.guard import SQLITE_ERRORS, error_code
from ..vault.place import DatabaseUrl, Place, place_of
from .schema import check_schema

__all__ = [
    "APPLICATION_ID",
    "FORMAT",
    "SQLITE_MAGIC",
    "TrailPaths",
    "check_identity",
    "check_is_trail",
    "file_of",
    "make_private",
    "read_only_uri",
    "trail_error",
]

APPLICATION_ID: Final = 0x666C6F77
"""`flow` in the header of the SQLite file."""

FORMAT: Final = 2
"""Version of the trail's tables, in `user_version`. Format 1 had no table `archived`."""

OF_DATABASE: Final = "flowaudit"
"""How the names of a database trail's files begin: its key and its spool."""

SQLITE_MAGIC: Final = b"SQLite format 3\x00"
"""How every SQLite file begins."""


@dataclass(frozen=True, slots=True)
class TrailPaths:
    """A trail's file and those beside it; trail and vault may each be a database instead."""

    trail: Place
    vault: Place
    key: Path
    public_key: Path
    lock: Path
    spool: Path
    stamps: Path
    cosigned: Path

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> "TrailPaths":
        """The paths that the settings `trail`, `vault`, `key` and `spool` give; as `of`."""
        return cls.of(
            settings["trail"], vault=settings["vault"], key=settings["key"], spool=settings["spool"]
        )

    @classmethod
    def of(
        cls,
        trail: str | os.PathLike[str] | DatabaseUrl,
        *,
        vault: str | os.PathLike[str] | DatabaseUrl | None = None,
        key: str | os.PathLike[str] | None = None,
        spool: str | os.PathLike[str] | None = None,
    ) -> "TrailPaths":
        """The paths of `trail`; vault, key and spool may stand elsewhere.

        A trail in a database has its vault there too, and its files in the working folder, where
        their names begin with `flowaudit`. Raises `SettingError` for a malformed URI.
        """
        place = place_of(trail)
        base = Path(OF_DATABASE).absolute() if isinstance(place, DatabaseUrl) else place
        private = Path(key).absolute() if key else _beside(base, ".key")
        beside = place if isinstance(place, DatabaseUrl) else _beside(base, ".vault")
        return cls(
            trail=place,
            vault=place_of(vault) if vault else beside,
            key=private,
            public_key=_beside(base, ".pub") if key is None else _beside(private, ".pub"),
            lock=_beside(base, ".lock"),
            spool=Path(spool).absolute() if spool else _beside(base, ".spool"),
            stamps=_beside(base, ".stamps"),
            cosigned=_beside(base, ".cosigned"),
        )


def _beside(base: Path, suffix: str) -> Path:
    return base.with_name(base.name + suffix)


def file_of(place: Place) -> Path:
    """The file that a place is. Raises `NotATrailError` if it is a database."""
    if isinstance(place, DatabaseUrl):
        raise NotATrailError(f"{place} is a database, not a file")
    return place


def make_private(path: Path) -> None:
    """Make a file that only its owner may read, if it is not there yet.

    One that is there is left alone: to open and close it would drop the POSIX locks that this
    process holds on it, SQLite's own among them.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def read_only_uri(path: Path) -> str:
    """The SQLite URI that opens a trail for reading only.

    On a read-only medium SQLite cannot make the shared-memory file that reading a write-ahead
    log needs; where there is no log, the file is whole by itself and opened as immutable.
    """
    wal = path.with_name(path.name + "-wal")
    no_log = not wal.exists() or wal.stat().st_size == 0
    immutable = "&immutable=1" if no_log and not os.access(path.parent, os.W_OK) else ""
    return f"file:{quote(str(path.absolute()))}?mode=ro{immutable}"


def trail_error(error: Exception, what: object) -> TrailError:
    """The exception of ours that says what a SQLite error means for a trail."""
    code = error_code(error)
    if isinstance(error, UnicodeDecodeError):
        return NotATrailError(f"{what} is damaged: it has text that is none")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TrailBusyError(f"{what}: another program has locked the trail")
    if code == sqlite3.SQLITE_TOOBIG:
        return NotATrailError(f"{what} was changed: it has a value larger than any of ours")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return NotATrailError(f"{what} is damaged, or not a flowaudit trail ({error})")
    if code == sqlite3.SQLITE_FULL:
        return TrailWriteError(f"{what}: the disk is full")
    return TrailWriteError(f"{what}: {error}")


def check_is_trail(path: Path) -> None:
    """Raise `NotATrailError`, with a sentence for people, unless `path` is a trail.

    SQLite itself is asked: to read the file past it would drop locks (see `make_private`).
    Raises `TrailBusyError` if another program locks the file for longer than SQLite waits.
    """
    if not path.exists():
        raise NotATrailError(f"there is no trail at {path}")
    if path.is_dir():
        raise NotATrailError(f"{path} is a folder, not a trail")
    try:
        db = sqlite3.connect(read_only_uri(path), uri=True)
        try:
            check_identity(db, path)
        finally:
            db.close()
    except SQLITE_ERRORS as error:
        code = error_code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise TrailBusyError(f"{path}: another program has locked it") from error
        if code == sqlite3.SQLITE_NOTADB:
            raise NotATrailError(
                f"{path} is not a flowaudit trail (nor any SQLite file)"
            ) from error
        raise NotATrailError(f"{path} cannot be read: {error}") from error


def check_identity(db: sqlite3.Connection, path: Path) -> None:
    """Raise `NotATrailError` unless an open database says that it is a trail we can read."""
    (found,) = db.execute("PRAGMA application_id").fetchone()
    if found != APPLICATION_ID:
        raise NotATrailError(f"{path} is not a flowaudit trail, but another SQLite file")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise NotATrailError(
            f"{path} has trail format {version}; this flowaudit reads up to {FORMAT}: upgrade it"
        )
    if version < 1:
        raise NotATrailError(f"{path} has trail format {version}, which there never was")
    check_schema(db, path, version)
