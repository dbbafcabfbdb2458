"""Key files: written whole or not at all, private to their owner."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ..errors import TrailError
from ..proofs.note import VerifierKey
from .paths import TrailPaths

__all__ = ["load_verifier_key", "make_key", "no_key", "read_key", "write_public_key"]


def make_key(path: Path) -> Ed25519PrivateKey:
    """A new private key (PKCS #8 PEM, 0600). Raises `TrailError` if it cannot be written."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_durably(path, pem, 0o600)
    return private


def write_public_key(path: Path, key: VerifierKey) -> None:
    """Write a verifier key in the text form of signed notes."""
    _write_durably(path, f"{key}\n".encode(), 0o644)


def load_verifier_key(paths: TrailPaths, given: Path | None = None) -> VerifierKey | None:
    """The public key to judge checkpoints by: the one given, else `TRAIL.pub`; `None` if neither.

    Raises `ProofError` if the file is not a verifier key, `TrailError` if it cannot be read.
    """
    path = given or paths.public_key
    if given is None and not path.exists():
        return None
    try:
        return VerifierKey.parse(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TrailError(f"verifier key {path}: {error}") from error


def no_key(path: Path) -> TrailError:
    """What is raised where something must be signed, and the private key is not there."""
    return TrailError(
        f"there is no private key at {path} (setting key) to sign with; if it is lost,"
        " flowaudit key revoke makes another"
    )


def read_key(path: Path) -> Ed25519PrivateKey:
    """A private key. Raises `TrailError` if the file holds something else, or can't be read."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise no_key(path) from error
    except (OSError, ValueError, TypeError) as error:
        raise TrailError(f"signing key {path} cannot be used: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TrailError(f"signing key {path} is not an Ed25519 key")
    return key


def _write_durably(path: Path, data: bytes, mode: int) -> None:
    # 1. whole file under another name  2. fsync  3. rename  4. fsync of the folder:
    # a crash leaves either no key or a whole one
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
