"""Where the files of a trail are: the trail itself, and what stands beside it."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import NotATrailError

__all__ = ["APPLICATION_ID", "FORMAT", "TrailPaths", "check_is_trail", "make_private"]

APPLICATION_ID: Final = 0x666C6F77
"""`flow` in the header of the SQLite file."""

FORMAT: Final = 1
"""Version of the trail's tables, in `user_version`."""

SQLITE_MAGIC: Final = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class TrailPaths:
    """A trail's file and those beside it."""

    trail: Path
    vault: Path
    key: Path
    public_key: Path
    lock: Path
    spool: Path

    @classmethod
    def of(
        cls,
        trail: str | os.PathLike[str],
        *,
        vault: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        spool: str | os.PathLike[str] | None = None,
    ) -> "TrailPaths":
        """The paths of `trail`; vault, key and spool may stand elsewhere."""
        base = Path(trail).absolute()
        private = Path(key).absolute() if key else _beside(base, ".key")
        return cls(
            trail=base,
            vault=Path(vault).absolute() if vault else _beside(base, ".vault"),
            key=private,
            public_key=_beside(base, ".pub") if key is None else _beside(private, ".pub"),
            lock=_beside(base, ".lock"),
            spool=Path(spool).absolute() if spool else _beside(base, ".spool"),
        )


def _beside(base: Path, suffix: str) -> Path:
    return base.with_name(base.name + suffix)


def make_private(path: Path) -> None:
    """Make a file that only its owner may read, if it is not there yet."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def check_is_trail(path: Path) -> None:
    """Raise `NotATrailError`, with a sentence for people, unless `path` is a trail."""
    if not path.exists():
        raise NotATrailError(f"there is no trail at {path}")
    if path.is_dir():
        raise NotATrailError(f"{path} is a folder, not a trail")
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise NotATrailError(f"{path} cannot be read: {error.strerror}") from error
    if not header.startswith(SQLITE_MAGIC):
        raise NotATrailError(f"{path} is not a flowaudit trail (nor any SQLite file)")
    if int.from_bytes(header[68:72], "big") == APPLICATION_ID:
        _check_format(path, int.from_bytes(header[60:64], "big"))
        return
    # the header of a trail in use may still stand in its write-ahead log
    if not path.with_name(path.name + "-wal").exists() or _asks_as_trail(path) is False:
        raise NotATrailError(f"{path} is a SQLite file, but not a flowaudit trail")


def _check_format(path: Path, found: int) -> None:
    if found > FORMAT:
        raise NotATrailError(
            f"{path} has trail format {found}; this flowaudit reads up to {FORMAT}: upgrade it"
        )


def _asks_as_trail(path: Path) -> bool:
    try:
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            return bool(db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID)
        finally:
            db.close()
    except sqlite3.Error:
        return False
