"""Where archives are: a folder, or an object store by its URL.

A file is written once, under a name that no other content has, and is whole or not there. What a
place holds is never believed: it is read back, and held against the trail's tiles.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

from ..errors import ArchiveError
from .modules import archive_module

__all__ = ["ArchivePlace", "open_place", "place_text"]

MAX_FILE_BYTES: Final = 1 << 30
"""A larger file is none of ours, and is not read."""

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")

_T = TypeVar("_T")


class ArchivePlace(Protocol):
    """A place that holds files by name. Every call raises `ArchiveError`."""

    text: str
    """How it is named, without a password."""

    def read(self, name: str) -> bytes:
        """A file's bytes."""

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""

    def write_new(self, name: str, data: bytes) -> None:
        """A new file, durable when this returns. One of the same bytes may be there already."""

    def remove(self, name: str) -> None:
        """Remove a file, durably; nothing happens if there is none."""


def place_text(given: str | os.PathLike[str]) -> str:
    """How a place is told and kept: a folder by its whole path, a URL without its password."""
    text = os.fspath(given)
    if not _URL.match(text):
        return str(Path(text).absolute())
    parts = urlsplit(text)
    return urlunsplit(
        (parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", "")
    )


def open_place(given: str | os.PathLike[str], *, is_new: bool = False) -> ArchivePlace:
    """The place that a path or URL means.

    Args:
        given: a folder, or a URL such as `s3://bucket/folder`; credentials come from the
            environment, as the store's own tools read them.
        is_new: whether a folder that is not there is made, for its owner alone.

    Raises `ArchiveError` if there is no such place, `MissingExtraError` without the extra.
    """
    text = os.fspath(given)
    if _URL.match(text) and not text.lower().startswith("file://"):
        return _Store(text)
    folder = Path(urlsplit(text).path if _URL.match(text) else text).absolute()
    if is_new:
        _guarded(str(folder), lambda: _make(folder))
    if not folder.is_dir():
        raise ArchiveError(f"there is no folder {folder} for archives")
    return _Folder(folder)


class _Folder:
    """A folder on a disk. Files are readable for their owner alone."""

    def __init__(self, folder: Path) -> None:
        self.text = str(folder)
        self._folder = folder

    def read(self, name: str) -> bytes:
        path = self._path(name)

        def read() -> bytes:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
            return _bounded(data, path)

        return _guarded(str(path), read)

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def write_new(self, name: str, data: bytes) -> None:
        # content, fsync, its name, fsync of the folder: a crash leaves a draft or a whole file
        path = self._path(name)
        draft = path.with_name(f".{name}.new")

        def write() -> None:
            if path.exists():
                if path.read_bytes() != data:
                    raise ArchiveError(f"{path} is there already, with another content")
            else:
                draft.unlink(missing_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with open(os.open(draft, flags, 0o600), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(draft, path)  # unlike a rename, never over another file
                draft.unlink()
            _sync_folder(self._folder)

        _guarded(str(path), write)

    def remove(self, name: str) -> None:
        path = self._path(name)

        def remove() -> None:
            path.unlink(missing_ok=True)
            path.with_name(f".{name}.new").unlink(missing_ok=True)
            _sync_folder(self._folder)

        _guarded(str(path), remove)

    def _path(self, name: str) -> Path:
        return self._folder / _checked(name)


class _Store:
    """An object store through obstore: S3 and what speaks like it, Google's, Azure's, HTTP."""

    def __init__(self, url: str) -> None:
        self.text = place_text(url)
        self._obstore = archive_module("obstore")
        try:
            self._store = archive_module("obstore.store").from_url(url)
        except Exception as error:  # its exceptions have no common root of their own
            raise ArchiveError(f"{self.text} is no place for archives: {_line(error)}") from error

    def read(self, name: str) -> bytes:
        def read() -> bytes:
            found = self._obstore.get(self._store, _checked(name))
            if found.meta["size"] > MAX_FILE_BYTES:
                raise ArchiveError(f"{name} is larger than any archive of ours")
            return bytes(found.bytes())

        return self._guarded(name, read)

    def has(self, name: str) -> bool:
        try:
            self._obstore.head(self._store, _checked(name))
        except FileNotFoundError:
            return False
        except Exception as error:
            raise ArchiveError(f"{self.text}/{name}: {_line(error)}") from error
        return True

    def write_new(self, name: str, data: bytes) -> None:
        def write() -> None:
            try:
                self._obstore.put(self._store, _checked(name), data, mode="create")
            except self._obstore.exceptions.AlreadyExistsError:
                if self.read(name) != data:
                    raise ArchiveError(f"{name} is there already, with another content") from None

        self._guarded(name, write)

    def remove(self, name: str) -> None:
        def remove() -> None:
            if self.has(name):
                self._obstore.delete(self._store, _checked(name))

        self._guarded(name, remove)

    def _guarded(self, name: str, step: Callable[[], _T]) -> _T:
        try:
            return step()
        except ArchiveError:
            raise
        except Exception as error:  # its exceptions have no common root of their own
            raise ArchiveError(f"{self.text}/{name}: {_line(error)}") from error


def _guarded(what: str, step: Callable[[], _T]) -> _T:
    try:
        return step()
    except OSError as error:
        raise ArchiveError(f"{what}: {error.strerror}") from error


def _bounded(data: bytes, path: object) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        raise ArchiveError(f"{path} is larger than any archive of ours")
    return data


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ArchiveError(f"{name!r:.60} is no name of an archive's file")
    return name


def _make(folder: Path) -> None:
    """Make a folder if need be, durably: rows are deleted for what is written into it."""
    if not folder.exists():
        folder.mkdir(mode=0o700)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(error: BaseException) -> Any:
    return str(error).strip().split("\n", 1)[0][:200]
