"""What is in an evidence pack: the names of its files and how each is laid out.

::

    manifest            signed note: what was asked for, by whom, and SHA-256 of every other file
    checkpoint          the signed head that every proof leads to
    events.jsonl        a line for each event: seq, core and personal part as stored, salt, sealed
    proofs/SEQ.tlog-proof
    keys/SEQ.tlog-proof under a checkpoint that the key before has signed, for each key that follows
    trail.pub           the key that signed the checkpoint
    witnesses/SIZE.N.checkpoint, .proof, .tsr
                        what others have seen: a note, cosigned or stamped; a proof (RFC 9162
                        2.1.4, base64 lines) that `checkpoint` has only grown from it; a time stamp
    statement           how complete the trail is for the span, a signed note
    people.json         who tokens stand for, with the salts that prove it; if there are any
    index.html          all of it for people
    verify.py           checks it with nothing but Python; __main__.py runs that on the pack itself
"""

from typing import Any, Final

import msgspec

from ..errors import EventError, ProofError
from ..event import Entry
from ..proofs.note import Note

__all__ = [
    "CHECKPOINT",
    "EVENTS",
    "KEYS",
    "KIND",
    "MANIFEST",
    "PAGE",
    "PEOPLE",
    "PROOFS",
    "PUBLIC_KEY",
    "STATEMENT",
    "WITNESSES",
    "Opening",
    "PackEvent",
    "pack_event",
    "read_manifest",
]

KIND: Final = "flowaudit/pack/v1"
"""First line of a manifest."""

CHECKPOINT: Final = "checkpoint"
EVENTS: Final = "events.jsonl"
KEYS: Final = "keys/{}.tlog-proof"
MANIFEST: Final = "manifest"
PAGE: Final = "index.html"
PEOPLE: Final = "people.json"
PROOFS: Final = "proofs/{}.tlog-proof"
PUBLIC_KEY: Final = "trail.pub"
STATEMENT: Final = "statement"
WITNESSES: Final = "witnesses/"

MAX_MANIFEST: Final = 64 * 1024 * 1024
"""Characters of a manifest: some 500,000 files."""


class PackEvent(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A line of `events.jsonl`."""

    seq: int
    core: str
    personal: str | None = None
    salt: str | None = None
    """Hexadecimal, as `sealed`."""
    sealed: str | None = None

    def entry(self) -> Entry:
        """The entry as the trail holds it. Raises `ProofError` if it is not one."""
        try:
            return Entry(
                seq=self.seq,
                core=self.core.encode(),
                personal=None if self.personal is None else self.personal.encode(),
                salt=None if self.salt is None else bytes.fromhex(self.salt),
                sealed=None if self.sealed is None else bytes.fromhex(self.sealed),
            )
        except ValueError as error:
            raise ProofError(f"event {self.seq} cannot be read: {error}") from error


class Opening(msgspec.Struct):
    """Whom a token stands for, and what proves it: token = base32(SHA-256(3 ‖ salt ‖ identity))."""

    token: str
    salt: str
    """Hexadecimal."""
    identity: str


def pack_event(entry: Entry) -> PackEvent:
    """An entry as a line of `events.jsonl`. Raises `EventError` if it is no text at all."""
    try:
        return PackEvent(
            seq=entry.seq,
            core=entry.core.decode(),
            personal=None if entry.personal is None else entry.personal.decode(),
            salt=None if entry.salt is None else entry.salt.hex(),
            sealed=None if entry.sealed is None else entry.sealed.hex(),
        )
    except UnicodeDecodeError as error:
        raise EventError(f"entry {entry.seq} was damaged: it is no text ({error})") from error


def read_manifest(text: str) -> tuple[dict[str, Any], Note]:
    """What a manifest says, and its note. Raises `ProofError` if it is none."""
    note = Note.parse(text, limit=MAX_MANIFEST)
    kind, _, rest = note.text[:-1].partition("\n")
    if kind != KIND:
        raise ProofError("it is not the manifest of a flowaudit evidence pack")
    try:
        return msgspec.json.decode(rest, type=dict[str, Any]), note
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ProofError(f"the manifest cannot be read: {error}") from error
