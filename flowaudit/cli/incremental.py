"""The file of `flowaudit verify --incremental`: where the last time ended.

JSON: the signed `checkpoint` that held, and the `keys` that might sign then. A signed checkpoint
alone will do too, such as a witness has.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from ..errors import ProofError, TrailError
from ..proofs.checkpoint import Checkpoint
from ..proofs.note import VerifierKey
from ..verification.found import KeySpan, LastTime, Verification

__all__ = ["keep_for_next_time", "read_last_time"]

MAX_BYTES: Final = 1_000_000
"""Of the file: thousands of keys."""


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    checkpoint: str
    keys: tuple[KeySpan, ...]


def read_last_time(path: Path) -> LastTime | None:
    """Where the last verification ended; `None` the first time. Raises `TrailError` for a file that
    is not from one.
    """
    try:
        if not path.exists():
            return None
        with path.open("rb") as file:
            return _parse(file.read(MAX_BYTES))
    except (OSError, ProofError, ValueError) as error:
        raise TrailError(f"{path} is not from an earlier verification: {error}") from error


def _parse(data: bytes) -> LastTime:
    if not data.startswith(b"{"):
        return LastTime(Checkpoint.parse(data.decode()))
    kept = msgspec.json.decode(data, type=_Kept)
    for span in kept.keys:
        VerifierKey.parse(span.key)
    return LastTime(Checkpoint.parse(kept.checkpoint), kept.keys)


def keep_for_next_time(path: Path, found: Verification) -> None:
    """Write where a verification ended. Raises `TrailError` if the file can't be written."""
    kept = msgspec.json.encode(_Kept(found.checkpoint, found.keys))
    # whole file under another name, then renamed: a crash leaves the old one or the new one
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        draft.write_bytes(msgspec.json.format(kept) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise TrailError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
