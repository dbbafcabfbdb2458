"""The operator's signing key: made once, private to its owner, with its public half beside it."""

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

__all__ = ["load_or_make_key", "load_verifier_key"]


def load_or_make_key(paths: TrailPaths, origin: str) -> Ed25519PrivateKey:
    """The private key of a trail, made (PKCS #8 PEM, 0600) together with `TRAIL.pub` if missing.

    To be called under the trail's lock. Raises `TrailError` if the file holds something else.
    """
    if not paths.key.exists():
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_durably(paths.key, pem, 0o600)
    private = _read_key(paths.key)
    if not paths.public_key.exists():
        key = VerifierKey(origin, private.public_key().public_bytes_raw())
        _write_durably(paths.public_key, f"{key}\n".encode(), 0o644)
    return private


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


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
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
