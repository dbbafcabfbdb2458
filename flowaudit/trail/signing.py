"""Who signs a trail's heads: the current key, replaced without a moment in which none is.

A key is replaced in three steps, so that a crash leaves either the old one or the new one:

1. the new key stands in `TRAIL.key.next`, durably;
2. the trail says so, in the transaction of a checkpoint that the new key signs (and the old one
   too, unless it is revoked);
3. `TRAIL.key.next` becomes `TRAIL.key`, and `TRAIL.pub` is written anew.

Whoever signs next completes step 3 where it is missing: the newest checkpoint shows whether
step 2 was done. All of it happens under the trail's lock.
"""

import os
import time
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import ProofError
from ..event import SCHEMA_VERSION, Core, Value, encode_core, new_source
from ..proofs.checkpoint import Checkpoint
from ..proofs.note import Note, VerifierKey
from .keychain import key_facts
from .keys import load_verifier_key, make_key, no_key, read_key, write_public_key
from .paths import TrailPaths

__all__ = ["KeyNews", "Signer"]

GONE: Final = "the private key was gone"
"""What an event says of a key that was replaced because its file was missing."""


class KeyNews:
    """What the trail must be told of a key, as one event of a source of its own."""

    def __init__(
        self,
        created: VerifierKey,
        *,
        retired: VerifierKey | None = None,
        revoked: VerifierKey | None = None,
        why: str | None = None,
        actor: str | None = None,
    ) -> None:
        self.source = new_source()
        self.ends_another = retired is not None or revoked is not None
        """Whether another key signed until now."""
        facts: dict[str, Value] = {
            "key": {**key_facts(created, retired=retired, revoked=revoked)},
            **({"why": why} if why else {}),
        }
        self.core = encode_core(
            Core(
                v=SCHEMA_VERSION,
                source=self.source,
                n=1,
                ts=time.time_ns() // 1_000,
                kind="ops" if self.ends_another else "process",
                action="key",
                actor=actor,
                actor_kind=("user" if actor else "system") if self.ends_another else None,
                outcome="ok" if self.ends_another else None,
                facts=facts,
            )
        )


class Signer:
    """The key that a trail's heads are signed with, as other processes have left it."""

    def __init__(self, paths: TrailPaths, *, replaces_key: bool = False) -> None:
        self._paths = paths
        self._replaces_key = replaces_key
        self._next = paths.key.with_name(paths.key.name + ".next")
        self._key: Ed25519PrivateKey | None = None
        self._seen: tuple[int, int] | None = None  # inode and time of the file it was read from

    def key(self, origin: str, newest: str | None) -> tuple[Ed25519PrivateKey, KeyNews | None]:
        """The current key, and what the trail must be told first if it had to be made.

        Args:
            origin: the trail's name in checkpoints.
            newest: the note of its newest checkpoint.

        Raises `TrailError` if the file holds something else, or is not here and not to be replaced.
        """
        if self.lacks_key(origin, newest):
            raise no_key(self._paths.key)
        if not self._paths.key.exists():
            return self._make(origin)
        stat = self._paths.key.stat()
        if self._key is None or self._seen != (stat.st_ino, stat.st_mtime_ns):
            self._key = read_key(self._paths.key)
            self._seen = stat.st_ino, stat.st_mtime_ns
            if not self._paths.public_key.exists():
                write_public_key(self._paths.public_key, public_half(self._key, origin))
        return self._key, None

    def lacks_key(self, origin: str, newest: str | None) -> bool:
        """Whether another key has signed so far, it is not here, and is not to be replaced."""
        self._complete(origin, newest)
        return newest is not None and not self._replaces_key and not self._paths.key.exists()

    def is_current(self, origin: str, newest: str) -> bool:
        """Whether the key that this host has, or is about to have, signed the newest checkpoint
        last: of two that did, the later one takes over. For a trail that many hosts write.
        """
        try:
            note = Note.parse(newest)
        except ProofError:
            return False
        for path in (self._next, self._paths.key):
            if path.exists():
                key = public_half(read_key(path), origin)
                if note.last_signed_by(key):
                    return True
        return False

    def prepare(self) -> Ed25519PrivateKey:
        """Step 1: a key that is to follow the current one."""
        self._next.unlink(missing_ok=True)  # of an attempt that the trail was never told of
        return make_key(self._next)

    def _make(self, origin: str) -> tuple[Ed25519PrivateKey, KeyNews]:
        """A key where there is none; if there was one, its public half is still here."""
        try:
            old = load_verifier_key(self._paths)
        except ProofError:
            old = None
        self._key = make_key(self._paths.key)
        new = public_half(self._key, origin)
        write_public_key(self._paths.public_key, new)
        stat = self._paths.key.stat()
        self._seen = stat.st_ino, stat.st_mtime_ns
        news = KeyNews(new, revoked=old, why=GONE) if old is not None else KeyNews(new)
        return self._key, news

    def _complete(self, origin: str, newest: str | None) -> None:
        """Step 3, where whoever did the second was stopped before it."""
        if newest is None or not self._next.exists():
            return
        new = public_half(read_key(self._next), origin)
        try:
            is_told = bool(Checkpoint.parse(newest).signatures((new,)))
        except ProofError:
            return
        if is_told:
            os.replace(self._next, self._paths.key)
            write_public_key(self._paths.public_key, new)


def public_half(private: Ed25519PrivateKey, name: str) -> VerifierKey:
    """The key that verifies what a private one signs as `name`."""
    return VerifierKey(name, private.public_key().public_bytes_raw())
