"""The SQLite trail: one file, many processes, one order.

In one transaction go the events, the tiles they fill, the head, the source's last number and,
when one is due, a checkpoint; so a reader sees all of it or nothing, and nothing is committed
twice. `append` returns after the fsync of the write-ahead log (synchronous FULL).
"""

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from hashlib import sha256
from types import TracebackType
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import TrailBusyError, TrailError
from ..oplog import OPLOG
from ..proofs.checkpoint import sign_checkpoint
from ..proofs.merkle import NOT_SEALED, SALT_BYTES, Tree
from ..proofs.note import VerifierKey
from ..proofs.paths import TileTree
from .forgetting import ErasureNote, Forgetting, names_any
from .paths import (
    TrailPaths,
    file_of,
)
from .reader import TrailReader
from .signing import KeyNews, Signer, public_half
from .sqlite_file import TrailFile
from .store import Records

__all__ = ["CHECKPOINT_S", "Trail"]

CHECKPOINT_S: Final = 10.0
"""Seconds between checkpoints under traffic."""

ROWS_AT_ONCE: Final = 1_024
"""Events in one INSERT at most. Each statement gives up the interpreter's lock, and gets it back
from a busy app only after 5 ms: with few of them a group is durable sooner.
"""

RANGE: Final = 100_000
"""Entries looked through in one reading: a fraction of a second, so that none holds writers up."""

COLUMNS: Final = 4
"""Columns of a new row: `seq`, `core`, `personal`, `salt`."""

_SEAL: Final = "UPDATE event SET personal = NULL, salt = NULL, sealed = ? WHERE seq = ?"

_ROW: Final = "(?, ?, ?, ?)"


class Trail:
    """The writer's side of a trail. Made at its first use; one object for one thread at a time.

    Raises `NotATrailError`, `TrailBusyError` or `TrailWriteError`; after any of them the trail
    is as it was before the call.
    """

    def __init__(
        self,
        trail: str | os.PathLike[str] | TrailPaths,
        *,
        lock_timeout_s: float | None = 30.0,
        replaces_key: bool = False,
    ) -> None:
        self.paths = trail if isinstance(trail, TrailPaths) else TrailPaths.of(trail)
        self._file = file_of(self.paths.trail)
        self._place = TrailFile(self._file, self.paths.lock, lock_timeout_s)
        self._tree: Tree | None = None  # as of the last commit of ours; checked against `head`
        self._of: sqlite3.Connection | None = None  # where that was read
        self._signer = Signer(self.paths, replaces_key=replaces_key)
        self._checkpointed = 0.0
        self.signed: tuple[int, str] | None = None
        """Size and note of the newest checkpoint that this object has signed and committed."""
        self._signing: tuple[int, str] | None = None
        self._forgetting = Forgetting(self.paths.vault)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # what went wrong before is what counts
        with suppress(TrailError) if error is not None else nullcontext():
            self.close()

    @property
    def origin(self) -> str:
        """The trail's name in checkpoints: `flowaudit/<trail id>`."""
        if not self._place.origin:
            with self._transaction():
                pass
        return self._place.origin

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

        Of who is erased nothing personal is written, and an event behind the others says so.

        Args:
            records: canonical core and personal bytes (empty if there is no personal part).
            source: whose events these are.
            last_n: the source's highest number that is used up with them.
            running: the boot id under which the source goes on running; `None` once it has ended.
            after_n: refuse with `TrailBusyError` unless this is the source's last number so far,
                so that two who bring in the same events cannot both.
        """
        try:
            with self._transaction(is_forgetful=True) as db:
                if after_n is not None and after_n != _last_n(db, source):
                    raise TrailBusyError(f"{self._file}: another one adds the same events")
                tree = self._current_tree(db)
                first = tree.size
                sealed = self._forgetting.places(records)
                self._store(db, tree, records, sealed)
                _note_source(db, source, last_n, running)
                if sealed:
                    note = self._forgetting.note(records[at] for at in sealed)
                    self._tell(db, tree, note, sorted(first + at for at in sealed))
                if time.monotonic() - self._checkpointed >= CHECKPOINT_S:
                    self._sign_if_possible(db, tree, is_live=running is not None)
        except BaseException:
            self._tree = None  # it has leaves that were rolled back
            raise
        return first

    @property
    def login(self) -> str | None:
        """Nobody: a file knows no log-ins."""
        return None

    def note_access(self, core: bytes, source: str) -> None:
        """Add the `access` event that tells of a reading, as the only one of its source."""
        self.append([(core, b"")], source, 1)

    def without_erased(self, records: Records) -> Records:
        """Records as the last `append` has written them: of who is erased nothing personal."""
        sealed = self._forgetting.places(records)
        if not sealed:
            return records
        return [(core, b"" if at in sealed else p) for at, (core, p) in enumerate(records)]

    def erasable(self, tokens: Collection[str], end: int) -> Iterator[int]:
        """The `seq`, rising, of each entry below `end` of one of these tokens that still has its
        personal part. Looked for without holding writers up.
        """
        for first in range(0, end, RANGE):
            with TrailReader(self._file) as reader:
                found = list(reader.entries_of(tokens, first, min(first + RANGE, end)))
            yield from (entry.seq for entry in found if entry.personal is not None)

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
        try:
            with self._transaction() as db:
                tree = self._current_tree(db)
                rows = [row for seq in seqs for row in _personal(db, "seq = ?", seq)]
                if tokens:
                    late = _personal(db, "seq >= ?", after)
                    rows += [row for row in late if names_any(row[1], row[2], tokens)]
                rows.sort()
                seals = [
                    (sha256(b"\x02" + salt + text).digest(), seq) for seq, _, text, salt in rows
                ]
                db.executemany(_SEAL, seals)
                if rows:
                    self._tell(db, tree, note, [row[0] for row in rows])
        except BaseException:
            self._tree = None  # it has leaves that were rolled back
            raise
        return len(rows)

    def size(self) -> int:
        """How many entries there are."""
        with self._transaction() as db:
            return int(db.execute("SELECT size FROM head").fetchone()[0])

    def truncate_log(self) -> bool:
        """Write the write-ahead log into the file and empty it; False if a reader blocks that."""
        return self._place.truncate_log()

    def last_n(self, source: str) -> int:
        """The highest number of a source that is committed; 0 if the trail does not know it."""
        with self._transaction() as db:
            return _last_n(db, source)

    def running_sources(self) -> dict[str, str]:
        """Sources that have not ended, each with the boot id they started under."""
        with self._transaction() as db:
            return dict(db.execute("SELECT id, running FROM source WHERE running IS NOT NULL"))

    def checkpoint(self) -> None:
        """See `WritableTrail.checkpoint`."""
        with self._transaction() as db:
            self._checkpoint(db, self._current_tree(db))

    def consistency(self, old: int, size: int) -> list[bytes]:
        """See `WritableTrail.consistency`."""
        with self._transaction() as db:
            return TileTree(size, lambda level, idx: _tile(db, level, idx)).consistency(old)

    def replace_key(
        self, *, is_revoked: bool = False, why: str | None = None, actor: str | None = None
    ) -> tuple[VerifierKey, VerifierKey]:
        """See `WritableTrail.replace_key`."""
        try:
            with self._transaction() as db:
                tree = self._current_tree(db)
                key, news = self._signer.key(self._place.origin, _newest_note(db))
                if news is not None:
                    self._tell_of_key(db, tree, news)
                new_key = self._signer.prepare()
                old, new = (public_half(each, self._place.origin) for each in (key, new_key))
                ended = {"revoked": old} if is_revoked else {"retired": old}
                self._tell_of_key(db, tree, KeyNews(new, **ended, why=why, actor=actor))
                signers = (new_key,) if is_revoked else (key, new_key)
                self._sign(db, tree, signers)
        except BaseException:
            self._tree = None  # it has leaves that were rolled back
            raise
        with self._transaction() as db:
            self._signer.key(self._place.origin, _newest_note(db))
        return old, new

    def change(
        self,
        step: Callable[[sqlite3.Connection], None],
        records: Records = (),
        source: str = "",
        last_n: int = 0,
    ) -> None:
        """See `WritableTrail.change`."""
        try:
            with self._transaction() as db:
                step(db)
                if records:
                    self._store(db, self._current_tree(db), records)
                    _note_source(db, source, last_n, None)
        except BaseException:
            self._tree = None  # it may have leaves that were rolled back
            raise

    def close(self) -> None:
        """Sign the head and close the file. A failure to sign leaves the trail valid."""
        self._forgetting.close()
        if not self._place.is_open:
            return
        try:
            self.checkpoint()
        finally:
            self._place.close()
            self._tree = self._of = None

    def _store(
        self,
        db: sqlite3.Connection,
        tree: Tree,
        records: Records,
        sealed_only: Collection[int] = (),
    ) -> None:
        """Add rows, and their hashes to the tree; those at the places `sealed_only` keep nothing
        personal: it does not even reach the write-ahead log.
        """
        base = tree.size
        seals: list[tuple[bytes, int]] = []
        salts = os.urandom(SALT_BYTES * len(records))
        values: list[int | str | bytes | None] = []
        leaves: list[bytes] = []
        add_row, add_leaf = values.extend, leaves.append
        at = 0
        for seq, (core, personal) in enumerate(records, tree.size):
            if personal:
                salt = salts[at : at + SALT_BYTES]
                at += SALT_BYTES
                sealed = sha256(b"\x02" + salt + personal).digest()
                if sealed_only and seq - base in sealed_only:
                    add_row((seq, core.decode(), None, None))
                    seals.append((sealed, seq))
                else:
                    add_row((seq, core.decode(), personal.decode(), salt))
            else:
                sealed = NOT_SEALED
                add_row((seq, core.decode(), None, None))
            add_leaf(sha256(b"\x00" + core + sealed).digest())
        tree.extend(leaves)
        start = 0
        while start < len(values):
            # powers of two, so that few statements are ever prepared
            left = (len(values) - start) // COLUMNS
            rows = min(ROWS_AT_ONCE, 1 << left.bit_length() - 1)
            db.execute(_insert_rows(rows), values[start : start + rows * COLUMNS])
            start += rows * COLUMNS
        db.executemany(_SEAL, seals)
        db.executemany("INSERT OR REPLACE INTO tile VALUES (?, ?, ?)", tree.take_tiles())
        db.execute("UPDATE head SET size = ?, frontier = ?", (tree.size, b"".join(tree.frontier)))

    def _tell(
        self, db: sqlite3.Connection, tree: Tree, note: ErasureNote, seqs: Sequence[int]
    ) -> None:
        """Add the events that say that these entries have lost their personal part."""
        self._store(db, tree, note.records(seqs))
        _note_source(db, note.source, note.n, None)

    def _current_tree(self, db: sqlite3.Connection) -> Tree:
        size, frontier = db.execute("SELECT size, frontier FROM head").fetchone()
        if self._tree is None or self._of is not db or self._tree.size != size:
            self._of = db
            self._tree = Tree.load(size, bytes(frontier), lambda *at: _tile(db, *at) or b"")
        return self._tree

    def _sign_if_possible(self, db: sqlite3.Connection, tree: Tree, *, is_live: bool) -> None:
        """Sign the head; where the key can't be used, the events are committed all the same."""
        try:
            self._checkpoint(db, tree, is_live=is_live)
        except (TrailError, OSError) as error:
            self._checkpointed = time.monotonic()
            OPLOG.error("the trail goes on without checkpoints: no key", error=str(error))

    def _checkpoint(self, db: sqlite3.Connection, tree: Tree, *, is_live: bool = False) -> None:
        newest = _newest_note(db)
        if self._signer.lacks_key(self._place.origin, newest):
            return
        key, news = self._signer.key(self._place.origin, newest)
        # the first key of an import or a command is told with its end: of what is brought in
        # from elsewhere nothing but that shall stand there
        if news is not None and (is_live or news.ends_another):
            self._tell_of_key(db, tree, news)
        self._sign(db, tree, (key,))

    def _sign(
        self, db: sqlite3.Connection, tree: Tree, signers: Sequence[Ed25519PrivateKey]
    ) -> None:
        note = sign_checkpoint(signers, self._place.origin, tree.size, tree.root())
        db.execute("INSERT OR IGNORE INTO checkpoint VALUES (?, ?)", (tree.size, note))
        self._signing = tree.size, note
        self._checkpointed = time.monotonic()

    def _tell_of_key(self, db: sqlite3.Connection, tree: Tree, news: KeyNews) -> None:
        self._store(db, tree, [(news.core, b"")])
        _note_source(db, news.source, 1, None)

    @contextmanager
    def _transaction(self, *, is_forgetful: bool = False) -> Iterator[sqlite3.Connection]:
        self._signing = None
        with self._place.transaction(self._forgetting.look if is_forgetful else None) as db:
            yield db
        self.signed = self._signing or self.signed


@lru_cache(maxsize=16)
def _insert_rows(count: int) -> str:
    return (
        f"INSERT INTO event (seq, core, personal, salt) VALUES {_ROW}{(', ' + _ROW) * (count - 1)}"
    )


def _note_source(db: sqlite3.Connection, source: str, last_n: int, running: str | None) -> None:
    db.execute(
        "INSERT INTO source VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " last_n = max(last_n, excluded.last_n), running = excluded.running",
        (source, last_n, running),
    )


def _personal(
    db: sqlite3.Connection, where: str, seq: int
) -> Iterator[tuple[int, bytes, bytes, bytes]]:
    """Rows that still have a personal part: seq, core, personal, salt."""
    return db.execute(
        "SELECT seq, CAST(core AS BLOB), CAST(personal AS BLOB), coalesce(salt, x'')"
        f" FROM event WHERE personal IS NOT NULL AND {where}",
        (seq,),
    )


def _tile(db: sqlite3.Connection, level: int, idx: int) -> bytes | None:
    row = db.execute("SELECT hashes FROM tile WHERE level = ? AND idx = ?", (level, idx)).fetchone()
    return bytes(row[0]) if row else None


def _newest_note(db: sqlite3.Connection) -> str | None:
    row = db.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    return str(row[0]) if row else None


def _last_n(db: sqlite3.Connection, source: str) -> int:
    row = db.execute("SELECT last_n FROM source WHERE id = ?", (source,)).fetchone()
    return int(row[0]) if row else 0
