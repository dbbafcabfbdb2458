"""A trail's entries, read once in order: each against its tile, and what they say together."""

from collections.abc import Generator, Iterator
from hashlib import sha256
from typing import Final

import msgspec

from ..errors import ProofError
from ..event import Entry
from ..proofs.merkle import HASH_BYTES, TILE_WIDTH
from ..proofs.verify import entry_leaf, is_sealed_only, tile_problem
from ..trail.keychain import KeyFacts
from ..trail.ranges import Away, Range
from ..trail.store import ReadableTrail
from .erasures import MAX_PROBLEMS, Erasures
from .found import Problem
from .marks import Marks
from .numbering import Numbering

__all__ = ["MAX_PROBLEMS", "Rows"]


class _Facts(msgspec.Struct):
    """What verification needs of the facts of a gap, an erasure or a key's event."""

    source: str = ""
    first: int = 0
    last: int = 0
    erases: dict[str, object] | None = None
    prunes: dict[str, object] | None = None
    key: KeyFacts | None = None


_NOTHING: Final = msgspec.Raw(b"")


class _Glance(msgspec.Struct):
    """What verification needs of a core."""

    source: str | None = None
    n: int | None = None
    kind: str | None = None
    action: object = None
    """Of any type: but for a few texts it says nothing here, in a plain tile or out of it."""
    facts: msgspec.Raw = _NOTHING


_GLANCE: Final = msgspec.json.Decoder(_Glance)
_FACTS: Final = msgspec.json.Decoder(_Facts)


class Rows:
    """One pass over the entries of a trail; its memory does not grow with their number.

    Args:
        reader: the trail.
        marks: the checkpoints, judged on the way.
        first: the entry to begin with; those before it are taken as verified.
    """

    def __init__(self, reader: ReadableTrail, marks: Marks, first: int = 0) -> None:
        self.gaps = 0
        """Gap events."""
        self.numbering = Numbering(is_whole=first == 0)
        self.erasures = Erasures()
        self._reader = reader
        self._marks = marks
        self._first = first
        self._prunes: list[tuple[int, int, str]] = []
        self._dropped = Away(reader.ranges)

    def check(self) -> Iterator[Problem]:
        """Hold each row against the stored leaf, and each checkpoint that is passed."""
        reader, marks, expected = self._reader, self._marks, self._first
        begun_in = reader.away.range_of(expected) if expected else None
        if begun_in is not None:
            expected = begun_in.last + 1
        yield from marks.reach(expected)
        if not expected:
            for entry in reader.entries(None, -1):
                yield Problem(entry.seq, "the head does not cover this entry")
        at: int | None = expected
        while at is not None:
            while (said := self._take_plain(at)) is not None:
                at += TILE_WIDTH
                yield from said
                if marks.next_size <= at:
                    yield from marks.reach(at)
            at = yield from self._carefully(at)
        yield from marks.end()

    def _take_plain(self, first: int) -> list[Problem] | None:
        """What is wrong with what the entries of a tile tell; `None` if they are not so plain that
        it could be taken in one go.
        """
        reader, numbering = self._reader, self.numbering
        if first % TILE_WIDTH or first + TILE_WIDTH > reader.size or reader.away.range_of(first):
            return None
        plain = reader.plain_tile(first // TILE_WIDTH)
        if not plain or not all(numbering.follows(s, run[0]) for s, run in plain.runs.items()):
            return None
        for source, (n, last, seq) in plain.runs.items():
            numbering.see_run(source, n, last, seq - last + n)
        for seq, core in plain.sealed:
            self.erasures.see(seq, core)
        told = [(e.seq, self._take(e, is_numbered=True)) for e in plain.telling]
        return [Problem(seq, what) for seq, what in told if what]

    def _carefully(self, expected: int) -> Generator[Problem, None, int | None]:
        """Look at entries one by one, to the end of a tile; where to go on, `None` at the end."""
        reader, marks, tile = self._reader, self._marks, (-1, b"")
        archived = -1  # the last entry of the archived range that this is in
        for entry in reader.entries(expected):
            seq = entry.seq
            if seq > expected:
                yield from self._skip(expected, seq)
            expected = seq + 1
            if seq >= reader.size:
                yield Problem(seq, "the head does not cover this entry")
                continue
            if seq // TILE_WIDTH != tile[0]:
                tile = (seq // TILE_WIDTH, reader.tile(0, seq // TILE_WIDTH) or b"")
                if dropped := self._dropped.range_of(seq):
                    archived = dropped.last
                    yield from self._archived_tile(seq)
            is_archived = seq <= archived
            what = (None if is_archived else _against_tile(entry, tile[1])) or self._take(entry)
            if what:
                yield Problem(seq, what)
            if marks.next_size <= expected:
                yield from marks.reach(expected)
            if expected % TILE_WIDTH == 0 and archived < expected < reader.size:
                return expected
        if expected < reader.size:
            yield from self._skip(expected, reader.size)
        return None

    def _archived_tile(self, seq: int) -> Iterator[Problem]:
        """An archive's leaves are made of its rows: it is the tile above that speaks of them."""
        first = seq - seq % TILE_WIDTH
        if tile_problem(0, first // TILE_WIDTH, TILE_WIDTH, self._reader.tile):
            last = first + TILE_WIDTH - 1
            self._marks.suspect(first)
            yield Problem(first, f"an archived entry from {first} to {last} was changed")

    def _skip(self, first: int, end: int) -> Iterator[Problem]:
        """What stands between two entries: ranges that are away, and entries that are missing."""
        for each in self._reader.away.between(first, end):
            if first < each.first:
                yield Problem(first, _missing(first, each.first - 1))
            yield from self._hear(each)
            first = each.last + 1
            yield from self._marks.reach(first)
        if first < end:
            yield Problem(first, _missing(first, end - 1))

    def _hear(self, away: Range) -> Iterator[Problem]:
        """Take what the trail has kept of entries that are not at hand."""
        told = away.what_it_tells()
        for source, first, last in told.runs:
            what = self.numbering.see_run(source, first, last, away.first)
            if what:
                yield Problem(away.first, what)
        for seq, core in told.events:
            what = self._take(Entry(seq=seq, core=core.encode()), is_numbered=True)
            if what:
                yield Problem(seq, what)

    def _take(self, entry: Entry, *, is_numbered: bool = False) -> str | None:
        """Note what an entry says of numbers, losses, erasures and keys; what is wrong with it."""
        try:
            seen = _GLANCE.decode(entry.core)
            has_facts = seen.kind in ("gap", "ops") and bytes(seen.facts)
            facts = _FACTS.decode(seen.facts) if has_facts else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return "this entry's core is not a core of schema 1"
        if seen.source is None or seen.n is None:
            return "this entry has no source and number"
        if is_sealed_only(entry):
            self.erasures.see(entry.seq, entry.core)
        what = None if is_numbered else self.numbering.see(seen.source, seen.n, entry.seq)
        if facts is None:
            return what
        return self._told(entry.seq, seen, facts, is_proved=not is_numbered) or what

    def _told(self, seq: int, seen: _Glance, facts: _Facts, *, is_proved: bool) -> str | None:
        if seen.kind == "gap":
            self.gaps += 1
            self.numbering.explain(facts.source, facts.first, facts.last, seq)
        elif seen.action == "erase":
            self.erasures.tell(seq, facts.erases)
        elif seen.action == "prune":
            self._prunes += _pruned(facts.prunes)
        elif seen.action == "key" and facts.key is not None:
            return self._marks.learn(seq, facts.key, is_proved=is_proved)
        return None

    def unexplained_prunings(self) -> Iterator[Problem]:
        """Ranges that nobody has, of which no event says that they were pruned as they are."""
        told = set(self._prunes)
        for each in self._reader.ranges:
            if each.last < self._first:
                continue  # its event may stand before the first entry that was read
            digest = sha256(each.told.encode()).hexdigest()
            if each.state == "pruned" and (each.first, each.last, digest) not in told:
                is_told = any(told_of[:2] == (each.first, each.last) for told_of in told)
                what = "what is kept of it was changed" if is_told else "no event says so"
                yield Problem(each.first, f"a range up to {each.last} is pruned, and {what}")


def _against_tile(entry: Entry, tile: bytes) -> str | None:
    """What is wrong with an entry by the hash that was recorded for it."""
    at = entry.seq % TILE_WIDTH * HASH_BYTES
    try:
        if entry_leaf(entry) == tile[at : at + HASH_BYTES]:
            return None
    except ProofError as error:
        return f"this entry was changed: {error}"
    return "this entry was changed: its hash is not the one recorded"


def _pruned(prunes: dict[str, object] | None) -> list[tuple[int, int, str]]:
    try:
        return msgspec.convert((prunes or {}).get("ranges", []), list[tuple[int, int, str]])
    except msgspec.ValidationError:
        return []


def _missing(first: int, last: int) -> str:
    if first == last:
        return "this entry is missing"
    return f"the entries {first} to {last} are missing"
