"""Makes an evidence pack: events, what proves them, and who reads it needs nothing of ours.

In: which entries are asked for. Out: a zip file. The head is signed and the trail verified on the
way, so that all proofs lead to one checkpoint that the statement speaks of too.
"""

import base64
import importlib.resources
import time
import zipfile
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, BinaryIO, Final

import msgspec

from .._version import __version__
from ..errors import EventError, ProofError, TrailError
from ..event import Entry, decode_core, decode_personal
from ..proofs.checkpoint import Checkpoint
from ..proofs.note import Note, VerifierKey, signature_line
from ..proofs.paths import TileTree
from ..proofs.tlog_proof import InclusionProof
from ..proofs.verify import is_sealed_only
from ..trail.forgetting import erased_ranges
from ..trail.keys import load_verifier_key, read_key
from ..trail.opening import open_reader
from ..trail.paths import TrailPaths
from ..trail.store import ReadableTrail
from ..vault.base import AnyVault
from ..verification.found import Verification
from ..verification.trail import verify_trail
from ..witnesses.publishing import Kept
from .contents import (
    CHECKPOINT,
    EVENTS,
    KEYS,
    KIND,
    MANIFEST,
    PAGE,
    PEOPLE,
    PROOFS,
    PUBLIC_KEY,
    STATEMENT,
    WITNESSES,
    Opening,
    pack_event,
)
from .making import Beside, alone, make_signed, sign_head
from .page import Unseen, render_pack
from .signed import note_text
from .statement import Span

__all__ = ["MAX_EVENTS", "Asked", "Pack", "write_pack"]

MAX_EVENTS: Final = 100_000
"""Events in one pack; more are asked for in several."""

SEEN: Final = 5
"""Cosigned checkpoints and time stamps of each place that go in, the newest."""

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a pack was asked for: at least one of the first three."""

    actors: tuple[str, ...] = ()
    """Tokens of a person."""
    finding: str | None = None
    seqs: tuple[int, ...] = ()
    """Entries; with a finding, its own."""
    span: Span | None = None
    """Only events that began in it."""
    by: str | None = None
    """Token of who asks."""
    why: str | None = None

    def has(self, entry: Entry) -> bool:
        """Whether an entry lies in the span."""
        if self.span is None:
            return True
        try:
            return self.span.has(decode_core(entry.core).ts or 0)
        except EventError:
            return True


@dataclass(frozen=True, slots=True)
class Pack:
    """What was put into a pack."""

    events: int
    """Events that were asked for."""
    related: int
    """Events beside them, that tell of erasures and keys."""
    people: int
    """Tokens whose identity is in it."""
    erased: int
    """Events whose personal part is gone."""
    verified: bool
    size: int
    """Entries under the checkpoint."""
    unseen: Unseen
    """What was not looked at."""


def write_pack(
    file: BinaryIO,
    paths: TrailPaths,
    asked: Asked,
    vault: AnyVault | None = None,
    kept: Sequence[Kept] = (),
    beside: Beside = alone,
) -> Pack:
    """Write a pack.

    Args:
        file: where to.
        paths: the trail; its private key must be readable.
        asked: what is wanted.
        vault: to say who tokens stand for; nobody is named without.
        kept: what others have kept of the trail; the newest of it goes in.
        beside: gives a reader that has more of the trail at hand: what stands in archives.

    Raises `TrailError` if there is nothing to show, or too much; or the trail cannot be used.
    """
    sign_head(paths)
    found = verify_trail(paths, witnessed=kept, beside=beside)
    if not found.checkpoint:
        raise TrailError(f"{paths.trail}: no checkpoint holds, so nothing can be proved")
    with (
        beside(open_reader(paths)) as reader,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack,
    ):
        return _Maker(pack, reader, paths, asked, found, beside).make(vault, kept)


class _Maker:
    def __init__(
        self,
        pack: zipfile.ZipFile,
        reader: ReadableTrail,
        paths: TrailPaths,
        asked: Asked,
        found: Verification,
        beside: Beside,
    ) -> None:
        self._beside = beside
        self._zip = pack
        self._reader, self._paths, self._asked, self._found = reader, paths, asked, found
        self._mark = Checkpoint.parse(found.checkpoint)
        self._made = time.time_ns() // 1_000
        self._files: dict[str, str] = {}

    def make(self, vault: AnyVault | None, kept: Sequence[Kept]) -> Pack:
        """Put everything in."""
        wanted = list(_wanted(self._reader, self._asked, self._mark.size))
        if not wanted:
            hint = "; --archive PLACE looks into archives too" if self._found.archived else ""
            raise TrailError(f"there are no such events under the trail's checkpoint{hint}")
        unseen = self._unseen(wanted)
        erasures, keys = self._related(wanted)
        shown = {entry.seq: entry for entry in (*wanted, *erasures, *keys)}
        entries = [shown[seq] for seq in sorted(shown)]
        openings = list(_openings(vault, wanted, self._asked.by)) if vault is not None else []
        self._put(EVENTS, b"".join(_line(pack_event(entry)) for entry in entries))
        self._put(CHECKPOINT, str(self._mark.note).encode())
        self._prove(entries, keys)
        seen = self._witness(kept)
        if openings:
            self._put(PEOPLE, msgspec.json.format(_ENCODER.encode(openings)) + b"\n")
        said, statement = make_signed(
            self._paths,
            self._span(wanted),
            made=self._made,
            found=self._found,
            beside=self._beside,
        )
        self._put(STATEMENT, statement.encode())
        self._put(PUBLIC_KEY, f"{load_verifier_key(self._paths)}\n".encode())
        manifest = self._manifest(wanted)
        self._put(PAGE, render_pack(manifest, entries, openings, said, seen, unseen).encode())
        for name in ("verify.py", "__main__.py"):
            self._put(name, _own_file(name))
        self._sign(manifest)
        return Pack(
            events=len(wanted),
            related=len(entries) - len(wanted),
            people=len(openings),
            erased=sum(map(is_sealed_only, wanted)),
            verified=self._found.ok,
            size=self._mark.size,
            unseen=unseen,
        )

    def _unseen(self, wanted: Collection[Entry]) -> Unseen:
        found = self._found
        missing = set(self._asked.seqs).difference(entry.seq for entry in wanted)
        return Unseen(len(missing), found.archived, found.pruned)

    def _related(self, wanted: Collection[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Events that tell of erasures in these entries, and those that tell of keys."""
        sealed = sorted(entry.seq for entry in wanted if is_sealed_only(entry))
        erasures, keys = [], []
        for entry in self._reader.entries(0, self._mark.size - 1):
            if sealed and b'"action":"erase"' in entry.core and _covers(entry, sealed):
                erasures.append(entry)
            elif b'"action":"key"' in entry.core:
                keys.append(entry)
        return erasures, keys

    def _prove(self, entries: Iterable[Entry], keys: Iterable[Entry]) -> None:
        tree = TileTree(self._reader.size, self._reader.tile)
        for entry in entries:
            path = tuple(tree.inclusion(entry.seq, self._mark.size))
            proof = InclusionProof(entry.seq, path, self._mark)
            self._put(PROOFS.format(entry.seq), str(proof).encode())
        for entry in keys:
            for _, note in self._reader.checkpoints(entry.seq + 1, limit=1):
                mark = Checkpoint.parse(note)
                path = tuple(tree.inclusion(entry.seq, mark.size))
                proof = InclusionProof(entry.seq, path, mark)
                self._put(KEYS.format(entry.seq), str(proof).encode())

    def _witness(self, kept: Sequence[Kept]) -> int:
        """What others have seen, as far as the checkpoint has grown from it; how much that is."""
        seen = 0
        for place in kept:
            cosigned = ((note, None) for note in place.notes if _is_cosigned(note))
            for mark, note, stamp, proof in (*self._newest(cosigned), *self._newest(place.stamps)):
                name = f"{WITNESSES}{mark.size}.{seen}"
                lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in proof)
                self._put(f"{name}.checkpoint", note.encode())
                self._put(f"{name}.proof", lines.encode())
                if stamp is not None:
                    self._put(f"{name}.tsr", stamp)
                seen += 1
        return seen

    def _newest(
        self, found: Iterable[tuple[str, bytes | None]]
    ) -> Iterator[tuple[Checkpoint, str, bytes | None, list[bytes]]]:
        """The newest of these that our keys have signed, and that are of this history."""
        marks = []
        for note, stamp in dict.fromkeys(found):
            with suppress(ProofError):
                marks.append((Checkpoint.parse(note), note, stamp))
        marks.sort(key=lambda each: each[0].size, reverse=True)
        grown = ((*each, proof) for each in marks if (proof := self._growth(each[0])) is not None)
        yield from islice(grown, SEEN)

    def _growth(self, mark: Checkpoint) -> list[bytes] | None:
        """Proof that the checkpoint has grown from one that was seen; `None` for one of another
        history (verification has told), of more entries, or whose tiles are in an archive.
        """
        keys = tuple(VerifierKey.parse(s.key) for s in self._found.keys if s.has(mark.size))
        if mark.origin != self._mark.origin or not mark.signatures(keys):
            return None
        tree = TileTree(self._reader.size, self._reader.tile)
        try:
            proof = tree.consistency(mark.size, self._mark.size)
            return proof if tree.root(mark.size) == mark.root else None
        except ProofError:
            return None

    def _span(self, wanted: Collection[Entry]) -> Span:
        if self._asked.span is not None:
            return self._asked.span
        times = [ts for entry in wanted if (ts := _ts(entry)) is not None] or [0]
        return Span(min(times), max(times) + 1)

    def _manifest(self, wanted: Collection[Entry]) -> dict[str, Any]:
        asked = self._asked
        span = self._span(wanted)
        said: dict[str, Any] = {
            "trail": self._mark.origin,
            "made": self._made,
            "by": asked.by,
            "why": asked.why,
            "actors": list(asked.actors) or None,
            "finding": asked.finding,
            "seqs": [entry.seq for entry in wanted],
            "first": span.first,
            "end": span.end,
            "flowaudit": __version__,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _put(self, name: str, data: bytes) -> None:
        self._files[name] = sha256(data).hexdigest()
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        moment = time.gmtime(self._made // 1_000_000)[:6]
        info = zipfile.ZipInfo(name, moment)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        self._zip.writestr(info, data)

    def _sign(self, manifest: dict[str, Any]) -> None:
        said = note_text(_ENCODER.encode({**manifest, "files": self._files}))
        text = f"{KIND}\n{said}\n"
        line = signature_line(read_key(self._paths.key), self._mark.origin, text)
        self._write(MANIFEST, str(Note(text, (line,))).encode())


def _is_cosigned(note: str) -> bool:
    """Whether a note has more than one line below it."""
    return len(note.split("\n\n")[-1].splitlines()) > 1


def _wanted(reader: ReadableTrail, asked: Asked, size: int) -> Iterator[Entry]:
    """The entries that are asked for, in order. Raises `TrailError` if they are too many."""
    seqs = set(asked.seqs)
    if asked.actors:
        seqs |= {entry.seq for entry in reader.entries_of(asked.actors) if asked.has(entry)}
    seqs = {seq for seq in seqs if 0 <= seq < size}
    if len(seqs) > MAX_EVENTS:
        raise TrailError(f"{len(seqs):,} events are too many for one pack: ask for a shorter span")
    for first, last in _runs(sorted(seqs)):
        yield from reader.entries(first, last)


def _runs(seqs: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = -2
    for seq in seqs:
        if seq != last + 1:
            if first >= 0:
                yield first, last
            first = seq
        last = seq
    if first >= 0:
        yield first, last


def _covers(entry: Entry, sealed: Sequence[int]) -> bool:
    """Whether an erasure's event speaks of one of these entries, whose places rise."""
    try:
        ranges = erased_ranges((decode_core(entry.core).facts or {}).get("erases"))
    except EventError:
        return False
    places = ((bisect_left(sealed, first), last) for first, last in ranges)
    return any(at < len(sealed) and sealed[at] <= last for at, last in places)


def _openings(vault: AnyVault, entries: Iterable[Entry], by: str | None) -> Iterator[Opening]:
    """Who stands behind the tokens of these entries, and who asks, as far as the vault knows it."""
    tokens: dict[str, None] = {} if by is None else {by: None}
    for entry in entries:
        tokens |= dict.fromkeys(_tokens(entry))
    for token in tokens:
        opened = vault.opening(token)
        if opened is not None:
            yield Opening(token, opened[0].hex(), opened[1])


def _tokens(entry: Entry) -> list[str]:
    try:
        core = decode_core(entry.core)
        data = decode_personal(entry.personal).data if entry.personal else None
    except EventError:
        return []
    target = (data or {}).get("target")
    named = [core.actor, core.via, target if isinstance(target, str) else None]
    return [token for token in named if token]


def _ts(entry: Entry) -> int | None:
    try:
        return decode_core(entry.core).ts
    except EventError:
        return None


def _line(event: object) -> bytes:
    return _ENCODER.encode(event) + b"\n"


def _own_file(name: str) -> bytes:
    folder = importlib.resources.files(__package__).joinpath("templates")
    stored = {"verify.py": "verify_pack.py", "__main__.py": "main_of_pack.py"}[name]
    return folder.joinpath(stored).read_bytes()
