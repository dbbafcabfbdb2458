"""The PostgreSQL trail: one database, many hosts, one order.

The database computes leaves, tiles and head itself, in functions that are all a writer may call
(`postgres.sql`), under a lock on the head that makes one order. The key stays with the hosts: they
sign what the database says its head is, and it keeps a checkpoint of that head only.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import NotATrailError, TrailBusyError, TrailError
from ..oplog import OPLOG
from ..proofs.checkpoint import sign_checkpoint
from ..proofs.note import VerifierKey
from ..proofs.paths import TileTree
from ..vault.link import Link, Questioned
from ..vault.place import DatabaseUrl
from .forgetting import ErasureNote, Forgetting
from .homes import home_of
from .paths import TrailPaths
from .postgres_calls import Db, append, last_n_of, postgres_error, seqs_of
from .signing import KeyNews, Signer, public_half
from .sqlite import CHECKPOINT_S
from .store import Records

__all__ = ["PostgresTrail"]

ANSWER_S: Final = 30.0
"""Seconds for connecting, and for each answer of the server; waiting for others comes on top."""

PATIENCE_S: Final = 60.0
"""Seconds that a writer waits for its turn that will wait for as long as it takes: then it says
that the trail is busy, and tries again.
"""

RANGE: Final = 50_000
"""Entries looked through in one statement: a fraction of a second."""

_TURN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT flowaudit.take_turn()"
_HEAD: Final = "SELECT origin, size, root, signed_s, newest FROM flowaudit.to_sign()"


class _Head(NamedTuple):
    """The head of the trail, and who signed one last."""

    size: int
    root: bytes
    signed_s: float | None
    """Seconds ago."""
    newest: str | None
    """The note over most entries."""


class PostgresTrail:
    """The writer's side of a trail in PostgreSQL; promises as `WritableTrail` has them."""

    def __init__(self, paths: TrailPaths, *, lock_timeout_s: float | None = 30.0) -> None:
        if not isinstance(paths.trail, DatabaseUrl):
            raise NotATrailError(f"{paths.trail} is a file, not a database")
        self.paths = paths
        self.signed: tuple[int, str] | None = None
        """Size and note of the newest checkpoint that this object has signed and committed."""
        self._url = paths.trail
        waits_s = PATIENCE_S if lock_timeout_s is None else lock_timeout_s
        self._link = Link(self._url, timeout_s=ANSWER_S, lock_timeout_s=waits_s)
        self._forgetting = Forgetting(paths.vault)
        self._origin = ""
        self._signer = Signer(paths)
        self._looked = 0.0  # when a checkpoint was last thought of
        self._signing: tuple[int, str] | None = None
        self._is_silent = False  # whether it was said that another one signs
        self._has_written = False

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

    @cached_property
    def _home(self) -> str:
        return home_of(self.paths.spool)

    @property
    def origin(self) -> str:
        """The trail's name in checkpoints: `flowaudit/<trail id>`."""
        if not self._origin:
            self.size()
        return self._origin

    def append(
        self,
        records: Records,
        source: str,
        last_n: int,
        *,
        running: str | None = None,
        after_n: int | None = None,
    ) -> int:
        """Add entries of one source; see `WritableTrail`."""
        with self._turn(is_forgetful=True) as db:
            if after_n is not None and after_n != last_n_of(db, source):
                raise TrailBusyError(f"{self._url}: another one adds the same events")
            sealed = self._forgetting.places(records)
            where = None if running is None else f"{running} {self._home}"
            first = append(db, records, source, last_n, where, sealed)
            if sealed:
                note = self._forgetting.note(records[at] for at in sealed)
                seqs = sorted(first + at for at in sealed)
                append(db, note.records(seqs), note.source, note.n, None)
            if time.monotonic() - self._looked >= CHECKPOINT_S:
                self._sign_if_possible(db, is_live=running is not None)
        return first

    @property
    def login(self) -> str | None:
        """The database's user, as which this process has logged in."""
        try:
            return str(self._link.query("SELECT session_user")[0][0])
        except psycopg.Error as error:
            raise postgres_error(error, self._url) from error

    def note_access(self, core: bytes, source: str) -> None:
        """Add the `access` event that tells of a reading; see `WritableTrail`."""
        try:
            self._link.query("SELECT flowaudit.note_access(%s, %b)", (source, core))
        except psycopg.Error as error:
            raise postgres_error(error, self._url) from error

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
            with self._transaction() as db:
                found = seqs_of(db, "erasable", [*tokens], first, min(first + RANGE, end))
            yield from found

    def erase(
        self, seqs: Sequence[int], after: int, tokens: Collection[str], note: ErasureNote
    ) -> int:
        """Delete salt and personal part of entries, and tell it; see `WritableTrail`."""
        with self._turn() as db:
            lost = seqs_of(db, "unerased", [*seqs]) if seqs else []
            if tokens:
                lost += seqs_of(db, "erasable", [*tokens], after, self._head(db).size)
            lost = sorted(set(lost))
            if lost:
                cores = [core for core, _ in note.records(lost)]
                db.execute(
                    "SELECT flowaudit.erase(%b::bigint[], %b, %b, %b::bytea[])",
                    (lost, note.source, note.n, cores),
                )
        return len(lost)

    def size(self) -> int:
        """How many entries there are."""
        with self._transaction() as db:
            return self._head(db).size

    def truncate_log(self) -> bool:
        """Let PostgreSQL give up the dead rows that an erasure leaves; False if we may not ask."""
        try:
            [(may,)] = self._link.query("SELECT pg_has_role('flowaudit_owner', 'MEMBER')")
            if may:
                self._link.query("VACUUM flowaudit.event")
            return bool(may)
        except psycopg.Error as error:
            raise postgres_error(error, self._url) from error

    def last_n(self, source: str) -> int:
        """The highest number of a source that is committed; 0 if the trail does not know it.

        It waits until a commit is over whose answer was lost.
        """
        with self._transaction() as db:
            return last_n_of(db, source)

    def running_sources(self) -> dict[str, str]:
        """Sources of this host that have not ended, each with the boot id they started under."""
        with self._transaction() as db:
            rows = db.execute("SELECT id, boot FROM flowaudit.running_sources()").fetchall()
        split = ((source, *running.rpartition(" ")) for source, running in rows)
        return {source: boot for source, boot, _, home in split if home == self._home}

    def checkpoint(self) -> None:
        """See `WritableTrail.checkpoint`."""
        with self._turn() as db:
            self._checkpoint(db)

    def consistency(self, old: int, size: int) -> list[bytes]:
        """See `WritableTrail.consistency`."""

        def tile(level: int, idx: int) -> bytes | None:
            [(hashes,)] = db.execute("SELECT flowaudit.tile(%b, %b)", (level, idx)).fetchall()
            return None if hashes is None else bytes(hashes)

        with self._transaction() as db:
            return TileTree(size, tile).consistency(old)

    def replace_key(
        self, *, is_revoked: bool = False, why: str | None = None, actor: str | None = None
    ) -> tuple[VerifierKey, VerifierKey]:
        """Sign with a new key from now on; see `WritableTrail`. The other hosts get it by hand, and
        sign nothing until they have it.

        Raises `TrailError` on a host that has not the key that signs now.
        """
        with self._turn() as db:
            newest = self._head(db).newest
            if not self._may_sign(newest):
                raise TrailError(f"{self.paths.key} is not the key that signs {self._url} now")
            key, news = self._signer.key(self._origin, newest)
            if news is not None:
                self._tell_of_key(db, news)
            new_key = self._signer.prepare()
            old, new = (public_half(each, self._origin) for each in (key, new_key))
            ended = {"revoked": old} if is_revoked else {"retired": old}
            self._tell_of_key(db, KeyNews(new, **ended, why=why, actor=actor))
            self._sign(db, *((new_key,) if is_revoked else (key, new_key)))
        with self._turn() as db:
            self._signer.key(self._origin, self._head(db).newest)
        return old, new

    def change(
        self,
        step: Callable[[Any], None],
        records: Records = (),
        source: str = "",
        last_n: int = 0,
    ) -> None:
        """See `WritableTrail.change`; the log-in needs the role `flowaudit_archivist`."""
        with self._turn() as db:
            db.execute("SET LOCAL search_path = flowaudit")
            step(Questioned(db))
            if records:
                append(db, records, source, last_n, None)

    def close(self) -> None:
        """Sign the head and close. A failure to sign leaves the trail valid."""
        self._forgetting.close()
        try:
            if self._has_written:
                self.checkpoint()
        finally:
            self._link.close()
            self._has_written = False

    def _sign_if_possible(self, db: Db, *, is_live: bool) -> None:
        """Sign the head; where the key can't be used, the events are committed all the same."""
        try:
            self._checkpoint(db, is_asked=False, is_live=is_live)
        except (TrailError, OSError) as error:
            self._looked = time.monotonic()
            OPLOG.error("the trail goes on without checkpoints: no key", error=str(error))

    def _checkpoint(self, db: Db, *, is_asked: bool = True, is_live: bool = False) -> None:
        """Sign the head; unless that is asked for, only if nobody has done so lately."""
        head = self._head(db)
        self._looked = time.monotonic()
        if not is_asked and head.signed_s is not None and head.signed_s < CHECKPOINT_S:
            self._looked -= head.signed_s
            return
        if not self._may_sign(head.newest):
            return
        key, news = self._signer.key(self._origin, head.newest)
        # as in SQLite's: the first key of an import or a command is told with its end
        if news is not None and (is_live or news.ends_another):
            self._tell_of_key(db, news)
        self._sign(db, key)

    def _sign(self, db: Db, *keys: Ed25519PrivateKey) -> None:
        head = self._head(db)
        note = sign_checkpoint(keys, self._origin, head.size, head.root)
        db.execute("SELECT flowaudit.keep_checkpoint(%s)", (note,))
        self._signing = head.size, note

    def _tell_of_key(self, db: Db, news: KeyNews) -> None:
        append(db, [(news.core, b"")], news.source, 1, None)

    def _may_sign(self, newest: str | None) -> bool:
        """Whether this host signs: it has the key that signed last, or is the first to sign.

        One that has no key, or one that was replaced elsewhere, leaves it to those who have it.
        """
        may = newest is None or self._signer.is_current(self._origin, newest)
        if not may and not self._is_silent:
            OPLOG.warning("others sign the trail: this host has not its key", trail=str(self._url))
        self._is_silent = not may
        return may

    def _head(self, db: Db) -> "_Head":
        row = db.execute(_HEAD).fetchone()
        if row is None:
            raise NotATrailError(f"{self._url} has no head: it was damaged")
        self._origin = row[0]
        return _Head(*row[1:])

    @contextmanager
    def _turn(self, *, is_forgetful: bool = False) -> Iterator[Db]:
        """A transaction in which nobody else writes."""
        with self._transaction(_TURN) as db:
            if is_forgetful:
                self._forgetting.look()
            self._signing = None
            yield db
        self.signed = self._signing or self.signed
        self._has_written = True

    @contextmanager
    def _transaction(self, begin: str = "BEGIN ISOLATION LEVEL READ COMMITTED") -> Iterator[Db]:
        try:
            with self._link.transaction(begin) as db:
                yield db
        except psycopg.Error as error:
            raise postgres_error(error, self._url) from error
