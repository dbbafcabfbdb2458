"""What every store of a trail promises: the writer's side and the reader's side.

SQLite (`sqlite.py`, `reader.py`) and PostgreSQL (`postgres.py`, `postgres_reader.py`) hold the
same tables and keep the same promises; `opening.py` picks the one that a trail's place asks for.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from ..event import Entry
from ..proofs.note import VerifierKey
from .forgetting import ErasureNote
from .paths import TrailPaths
from .plain import Plain
from .ranges import Away, Range

__all__ = ["ReadableTrail", "Records", "WritableTrail"]

Records = Sequence[tuple[bytes, bytes]]
"""Canonical core and personal bytes of events; empty where there is no personal part."""


class WritableTrail(Protocol):
    """The writer's side of a trail, for one thread at a time, in any number of processes.

    Nothing is opened before the first call. Every call raises `NotATrailError`, `TrailBusyError`
    or `TrailWriteError`; after any of them the trail is as it was before, but for one whose
    connection broke in mid-commit: `last_n` then tells whether it holds.
    """

    paths: TrailPaths
    signed: tuple[int, str] | None
    """Size and note of the newest checkpoint that this object has signed and committed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def origin(self) -> str:
        """The trail's name in checkpoints: `flowaudit/<trail id>`."""

    def append(
        self,
        records: Records,
        source: str,
        last_n: int,
        *,
        running: str | None = None,
        after_n: int | None = None,
    ) -> int:
        """Add entries of one source and return the `seq` of the first; durable when this returns.

        Entries, their tiles, the head, the source's last number and, when one is due, a signed
        checkpoint change together or not at all, and never between those of another writer. Of
        who is erased nothing personal is written, and an event behind the others says so.

        Args:
            records: the events.
            source: whose events these are.
            last_n: the source's highest number that is used up with them.
            running: the boot id under which the source goes on running; `None` once it has ended.
            after_n: refuse with `TrailBusyError` unless this is the source's last number so far,
                so that two who bring in the same events cannot both.
        """

    @property
    def login(self) -> str | None:
        """Whom the store itself knows the caller as; `None` where it knows nobody."""

    def note_access(self, core: bytes, source: str) -> None:
        """Add the `access` event that tells of a reading, as the only one of its source. A store
        that knows its readers takes it from who may add nothing else, if it names `login` in
        `facts.database_user`.
        """

    def without_erased(self, records: Records) -> Records:
        """Records as the last `append` has written them: of who is erased nothing personal."""

    def erasable(self, tokens: Collection[str], end: int) -> Iterator[int]:
        """The `seq`, rising, of each entry below `end` of one of these tokens that still has its
        personal part. Looked for without holding writers up.
        """

    def erase(
        self, seqs: Sequence[int], after: int, tokens: Collection[str], note: ErasureNote
    ) -> int:
        """Delete salt and personal part of entries, keep what proofs need, and tell it, at once.

        Args:
            seqs: entries of these tokens, as far as they are known: all up to `after`.
            after: entries from here on are looked through.
            tokens: whose entries are looked for there; nothing is if there are none.
            note: makes the events that tell it.

        Returns how many entries have lost something.
        """

    def size(self) -> int:
        """How many entries there are."""

    def last_n(self, source: str) -> int:
        """The highest number of a source that is committed; 0 if the trail does not know it."""

    def running_sources(self) -> dict[str, str]:
        """Sources of this host that have not ended, each with the boot id they started under."""

    def checkpoint(self) -> None:
        """Sign the head now, unless it is signed already or the key is not here."""

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Proof that the tree of `size` begins with that of `old` (RFC 9162 §2.1.4.1), largest
        subtrees last. Raises `ProofError` if tiles are missing that it needs.
        """

    def replace_key(
        self, *, is_revoked: bool = False, why: str | None = None, actor: str | None = None
    ) -> tuple[VerifierKey, VerifierKey]:
        """Sign with a new key from now on, tell it in the trail, and return the old and the new.

        The event and the checkpoint that the new key signs are kept together; running processes
        sign with the new key from their next checkpoint on.

        Args:
            is_revoked: whether the old one is not to be trusted any more; else it signs that
                checkpoint too, so that whoever trusts it may trust the new one.
            why: a reason that stays in the trail.
            actor: token of who does it.
        """

    def change(
        self, step: Callable[[Any], None], records: Records = (), source: str = "", last_n: int = 0
    ) -> None:
        """Upkeep of the tables, and the events that tell of it, in one transaction.

        Args:
            step: does the upkeep; called with the connection, before the events are added.
            records: the events; none if there is nothing to tell.
            source: whose events these are.
            last_n: its highest number that is used up with them.
        """

    def truncate_log(self) -> bool:
        """Leave nothing of what was erased in the store's own log; False if that must wait."""

    def close(self) -> None:
        """Sign the head and close. A failure to sign leaves the trail valid."""


class ReadableTrail(Protocol):
    """One state of a trail as it was stored, for one thread at a time. Writes nothing.

    Everything comes from the state that was there when it was opened. Bytes come as they are
    stored, undecoded, whatever a hand has made of them. Raises `NotATrailError` if there is no
    trail, or its tables are gone.
    """

    size: int
    """How many entries the head covers."""
    frontier: bytes
    """Roots of complete subtrees, largest first, end to end."""
    ranges: tuple[Range, ...]
    """Ranges of entries that have left the trail, by rising place."""
    away: Away
    """Those of them whose entries this reader has not got."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def origin(self) -> str:
        """The trail's name in checkpoints; empty if it was removed."""

    def entries(self, first: int | None = None, last: int | None = None) -> Iterator[Entry]:
        """Entries with `first` <= seq <= `last` in order of seq; a missing one is passed over,
        and so is what is `away`.
        """

    def entries_of(
        self, tokens: Collection[str], first: int = 0, end: int | None = None
    ) -> Iterator[Entry]:
        """Entries with `first` <= seq < `end` that are of one of these tokens (see `names_any`),
        in order; without `end` to the last one. They have no salt, and nothing is sealed.
        """

    def last_seq(self) -> int:
        """The highest seq of an entry, stored here or in an archive; -1 if there is none."""

    def faults(self) -> Iterator[tuple[int, str]]:
        """What is wrong with ranges that have left the trail: where, and what. To be asked when
        the entries have been read.
        """

    def tile(self, level: int, idx: int) -> bytes | None:
        """A tile's hashes as stored."""

    def plain_tile(self, idx: int) -> Plain | None:
        """What the entries under a full level-0 tile tell, if they are plainly those whose hashes
        are recorded; `None` if they need a closer look, or this store is no quicker at that.
        """

    def tile_count(self) -> int:
        """How many tiles are stored."""

    def checkpoints(
        self, first: int = ..., *, limit: int | None = None
    ) -> Iterator[tuple[int, str]]:
        """Checkpoints over at least `first` entries: their size and note, by rising size."""

    def newest_checkpoint(self) -> str | None:
        """The note of the checkpoint over most entries; `None` if nothing is signed."""

    def sources(self) -> dict[str, int | None]:
        """The last number that each source used up; `None` where that is no number any more."""

    def close(self) -> None:
        """End the reading."""
