"""Opens an evidence pack and has it verified; what is too large or ambiguous is refused unread."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import ProofError
from ..proofs.note import VerifierKey
from .checks import PackCheck, PackVerification

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["PackVerification", "is_pack", "verify_pack"]

MAX_FILE_BYTES: Final = 1 << 30
"""What the files of a pack may unpack to; more is refused unread."""

MAX_FILES: Final = 250_000


def is_pack(path: Path) -> bool:
    """Whether a file is a zip file, as packs are."""
    return path.is_file() and zipfile.is_zipfile(path)


def verify_pack(
    path: Path,
    *,
    key: VerifierKey | None = None,
    witnesses: tuple[VerifierKey, ...] = (),
    roots: "Sequence[Certificate]" = (),
) -> PackVerification:
    """Verify a pack.

    Args:
        path: the zip file.
        key: the key that is trusted; the pack's own if not given, and then it proves only that
            the pack is of one piece.
        witnesses: keys of parties that may have cosigned.
        roots: certificates that vouch for time-stamp authorities.

    Raises `ProofError` if it is no pack at all.
    """
    try:
        with zipfile.ZipFile(path) as file:
            return PackCheck(_files(file), key, witnesses, roots).result()
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError) as error:
        raise ProofError(f"{path} is not an evidence pack: {error}") from error
    except (ValueError, KeyError) as error:
        raise ProofError(f"{path} is not an evidence pack that can be read: {error}") from error


def _files(file: zipfile.ZipFile) -> dict[str, bytes]:
    """Every file by its name. Raises `ProofError` if they are too large, or one is there twice."""
    infos = file.infolist()
    if len(infos) > MAX_FILES or sum(info.file_size for info in infos) > MAX_FILE_BYTES:
        raise ProofError(f"a pack has at most {MAX_FILES:,} files and 1 GiB in all")
    files: dict[str, bytes] = {}
    for info in infos:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ProofError("a pack is stored or deflated")  # others unpack past what they claim
        if info.filename in files:
            raise ProofError(f"the pack has two files {info.filename!r}")
        with file.open(info) as stream:
            files[info.filename] = stream.read(info.file_size)
    return files
