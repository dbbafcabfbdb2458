"""Files that a command writes: whole or not at all, private to their owner, never over another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import SettingError

__all__ = ["check_new", "new_file"]


def check_new(path: Path) -> None:
    """Raise `SettingError` if there is such a file already."""
    if path.exists():
        raise SettingError("output", str(path), "a file that does not exist yet")


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, mode 0600. It has its name once all of it is on the disk.

    Raises `SettingError` if there is one already, or it cannot be written.
    """
    check_new(path)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        draft.rename(path)
    except OSError as error:
        raise SettingError("output", str(path), f"a file to write ({error.strerror})") from error
    finally:
        draft.unlink(missing_ok=True)
