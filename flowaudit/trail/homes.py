"""Which host a spool folder is on, so that no host takes the living sources of another for dead."""

import base64
import os
import platform
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

__all__ = ["home_of"]

MACHINE_ID: Final = Path("/etc/machine-id")
ID_BYTES: Final = 16
LENGTH: Final = 26


def home_of(spool: Path) -> str:
    """26 characters that a spool folder has on this host and nowhere else.

    They come from a random number beside it (`SPOOL.home`), made if there is none, and from the
    names of the machine, for a copied disk has a copy of that number too.
    """
    parts = [_number(spool.with_name(spool.name + ".home")), platform.node().encode()]
    with suppress(OSError):
        parts.append(MACHINE_ID.read_bytes())
    digest = sha256(b"\0".join([*parts, os.fsencode(spool)])).digest()
    return base64.b32encode(digest).decode().lower()[:LENGTH]


def _number(path: Path) -> bytes:
    """What stands in the file; nothing where none can be."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.new")
    with suppress(OSError):
        return path.read_bytes()
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(ID_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with suppress(FileExistsError):  # another process was first
            os.link(draft, path)
        return path.read_bytes()
    except OSError:
        return b""
    finally:
        draft.unlink(missing_ok=True)
