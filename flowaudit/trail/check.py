"""Verification of a whole trail: what `flowaudit verify` does.

Each row is held against its tile, tiles against the tiles above and the head, and the roots on
the way against every signed checkpoint; each source's numbers must be without repetition and
without a hole that no gap event explains; a personal part may be missing only where an erasure
says so. It reads once, in order, and its memory does not grow with the trail's length.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from ..errors import ProofError
from ..event import Entry
from ..proofs.checkpoint import Checkpoint, VerifierKey
from ..proofs.merkle import HASH_BYTES, TILE_WIDTH, Tree, frontier_root, split_hashes
from ..proofs.verify import check_tiles, entry_leaf, is_sealed_only
from .dead_spool import waiting_records
from .keys import load_verifier_key
from .numbering import Numbering, merged, uncovered
from .paths import TrailPaths
from .reader import TrailReader
from .verification import Problem, Verification
from .witnessed import against_witnessed

__all__ = ["verify_trail"]

MAX_PROBLEMS: Final = 1_000
"""Problems reported; a trail with more of them is beyond telling them apart."""


class _Facts(msgspec.Struct):
    """What verification needs of the facts of a gap or an erasure."""

    source: str = ""
    first: int = 0
    last: int = 0
    erases: dict[str, object] | None = None


_NOTHING: Final = msgspec.Raw(b"")


class _Glance(msgspec.Struct):
    """What verification needs of a core."""

    source: str | None = None
    n: int | None = None
    kind: str | None = None
    action: str | None = None
    facts: msgspec.Raw = _NOTHING


_GLANCE: Final = msgspec.json.Decoder(_Glance)
_FACTS: Final = msgspec.json.Decoder(_Facts)


@dataclass(slots=True)
class _Walk:
    """State of the one pass over the entries."""

    reader: TrailReader
    marks: dict[int, Checkpoint]
    suspects: list[int]
    """Where tiles have shown a fault already."""
    tree: Tree = field(default_factory=Tree)
    is_intact: bool = True
    agreed: int = 0
    numbering: Numbering = field(default_factory=Numbering)
    sealed: list[tuple[int, int]] = field(default_factory=list)
    erases: list[tuple[int, int]] = field(default_factory=list)
    gaps: int = 0


def verify_trail(
    trail: Path | TrailPaths, *, key: VerifierKey | None = None, witnessed: Sequence[str] = ()
) -> Verification:
    """Verify a trail by the whole of its format, without writing anything.

    Args:
        trail: the trail's file.
        key: the key that checkpoints must be signed with; `TRAIL.pub` if not given.
        witnessed: checkpoints, as signed notes, that were kept elsewhere.

    Raises `NotATrailError` if the file is no trail at all.
    """
    paths = trail if isinstance(trail, TrailPaths) else TrailPaths.of(trail)
    with TrailReader(paths.trail) as reader:
        problems: list[Problem] = []
        key = key or _key(paths, problems)
        marks, signed_by = _checkpoints(reader, key, problems)
        suspects = list(_tiles(reader))
        walk = _Walk(reader, marks, [problem.seq or 0 for problem in suspects])
        problems += suspects
        problems += _rows(walk)
        problems += _ends(walk)
        problems += walk.numbering.problems(reader.sources())
        problems += _unexplained_erasures(walk)
        problems += against_witnessed(reader, key, witnessed)
        return Verification(
            ok=not problems,
            size=reader.size,
            root=_root64(reader),
            signed_by=signed_by,
            witnesses=0,
            problems=_sorted(problems),
            checkpoint_size=max(marks, default=0),
            waiting=waiting_records(paths.spool),
            erased=sum(last - first + 1 for first, last in walk.sealed),
            gaps=walk.gaps,
            witnessed=len(witnessed),
        )


def _key(paths: TrailPaths, problems: list[Problem]) -> VerifierKey | None:
    try:
        return load_verifier_key(paths)
    except ProofError as error:
        problems.append(
            Problem(None, f"the public key {paths.public_key.name} is damaged: {error}")
        )
        return None


def _checkpoints(
    reader: TrailReader, key: VerifierKey | None, problems: list[Problem]
) -> tuple[dict[int, Checkpoint], str | None]:
    """The checkpoints whose signature holds, by size, and who signed the newest of them."""
    marks: dict[int, Checkpoint] = {}
    found, origin, signer = 0, reader.origin, None
    for size, note in reader.checkpoints():
        found += 1
        try:
            mark = Checkpoint.parse(note)
            if mark.size != size or mark.origin != origin:
                raise ProofError("it speaks of another size or another trail")
            if key is not None:
                names = mark.signed_by((key,))
                if not names:
                    raise ProofError(f"it is not signed by {key.name}")
                signer = names[0]
        except ProofError as error:
            problems.append(Problem(None, f"the checkpoint of size {size} is not valid: {error}"))
            continue
        if key is not None:
            marks[size] = mark
    if key is None and found:
        problems.append(Problem(None, "there is no public key to judge the checkpoints by"))
    if reader.size and not found:
        problems.append(Problem(None, "there is no checkpoint: nothing of this trail is signed"))
    return marks, signer


def _rows(walk: _Walk) -> Iterator[Problem]:
    """Hold each row against the stored leaf and each signed size against the root so far."""
    reader, expected, tile = walk.reader, 0, (-1, b"")
    for entry in reader.entries():
        if entry.seq < 0:
            yield Problem(entry.seq, "the head does not cover this entry")
            continue
        if entry.seq > expected:
            yield Problem(expected, _missing(expected, entry.seq - 1))
            walk.is_intact = False
        expected = entry.seq + 1
        if entry.seq >= reader.size:
            yield Problem(entry.seq, "the head does not cover this entry")
            continue
        if entry.seq // TILE_WIDTH != tile[0]:
            tile = (entry.seq // TILE_WIDTH, reader.tile(0, entry.seq // TILE_WIDTH) or b"")
        yield from _row(walk, entry, tile[1])
    if expected < reader.size:
        yield Problem(expected, _missing(expected, reader.size - 1))
        walk.is_intact = False


def _row(walk: _Walk, entry: Entry, tile: bytes) -> Iterator[Problem]:
    at = entry.seq % TILE_WIDTH * HASH_BYTES
    stored = tile[at : at + HASH_BYTES]
    try:
        leaf = entry_leaf(entry)
        if leaf != stored:
            yield Problem(entry.seq, "this entry was changed: its hash is not the one recorded")
            walk.is_intact = False
    except ProofError as error:
        leaf = stored
        yield Problem(entry.seq, f"this entry was changed: {error}")
        walk.is_intact = False
    if walk.is_intact:
        walk.tree.append(leaf)
        mark = walk.marks.get(walk.tree.size)
        if mark is not None:
            yield from _compare(walk, mark)
    yield from _glance(walk, entry)


def _compare(walk: _Walk, mark: Checkpoint) -> Iterator[Problem]:
    """Hold the root so far against a signed one; where a tile is wrong too, it says where."""
    if mark.root == walk.tree.root():
        walk.agreed = mark.size
        return
    walk.is_intact = False
    suspects = [seq for seq in walk.suspects if walk.agreed <= seq < mark.size]
    first = min(suspects, default=walk.agreed)
    yield Problem(
        first,
        f"the signed checkpoint of size {mark.size} does not agree: an entry from"
        f" {first} to {mark.size - 1} was changed",
    )


def _glance(walk: _Walk, entry: Entry) -> Iterator[Problem]:
    try:
        seen = _GLANCE.decode(entry.core)
        has_facts = seen.kind in ("gap", "ops") and bytes(seen.facts)
        facts = _FACTS.decode(seen.facts) if has_facts else _Facts()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        yield Problem(entry.seq, "this entry's core is not a core of schema 1")
        return
    if seen.source is None or seen.n is None:
        yield Problem(entry.seq, "this entry has no source and number")
        return
    what = walk.numbering.see(seen.source, seen.n, entry.seq)
    if what:
        yield Problem(entry.seq, what)
    if seen.kind == "gap":
        walk.gaps += 1
        walk.numbering.explain(facts.source, facts.first, facts.last, entry.seq)
    elif seen.kind == "ops" and seen.action == "erase":
        walk.erases += _ranges(facts.erases)
    if is_sealed_only(entry):
        _extend(walk.sealed, entry.seq)


def _tiles(reader: TrailReader) -> Iterator[Problem]:
    stored = reader.last_seq() + 1
    if reader.size > 2 * stored + TILE_WIDTH:
        yield Problem(stored, f"the head claims {reader.size} entries")
        return
    for seq, what in check_tiles(reader.size, reader.frontier, reader.tile):
        yield Problem(seq, what)


def _ends(walk: _Walk) -> Iterator[Problem]:
    """What the signed sizes say about the end of the trail."""
    longest = max(walk.marks, default=0)
    if longest > walk.reader.size:
        yield Problem(
            walk.reader.size,
            f"the tail was cut: a checkpoint was signed over {longest} entries,"
            f" {walk.reader.size} are here",
        )
    mark = walk.marks.get(0)
    if mark is not None and mark.root != Tree().root():
        yield Problem(None, "the checkpoint of size 0 does not agree")


def _unexplained_erasures(walk: _Walk) -> Iterator[Problem]:
    covered = merged(walk.erases)
    at = 0
    for first, last in walk.sealed:
        # both rise: what ends before this run is not looked at again
        while at < len(covered) and covered[at][1] < first:
            at += 1
        end_at = at
        while end_at < len(covered) and covered[end_at][0] <= last:
            end_at += 1
        for start, end in uncovered(first, last, covered[at:end_at]):
            for seq in range(start, min(end, start + MAX_PROBLEMS) + 1):
                yield Problem(seq, "personal part missing, no erasure")


def _ranges(erases: dict[str, object] | None) -> list[tuple[int, int]]:
    seqs = (erases or {}).get("seqs")
    if not isinstance(seqs, list):
        return []
    return [
        (pair[0], pair[1])
        for pair in seqs
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) for n in pair)
    ]


def _extend(runs: list[tuple[int, int]], seq: int) -> None:
    if runs and runs[-1][1] == seq - 1:
        runs[-1] = (runs[-1][0], seq)
    else:
        runs.append((seq, seq))


def _missing(first: int, last: int) -> str:
    if first == last:
        return "this entry is missing"
    return f"the entries {first} to {last} are missing"


def _root64(reader: TrailReader) -> str:
    try:
        return base64.b64encode(frontier_root(split_hashes(reader.frontier))).decode()
    except ProofError:
        return ""


def _sorted(problems: list[Problem]) -> tuple[Problem, ...]:
    """By place, those without a place last, each place and text once."""
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda p: (p.seq is None, p.seq or 0))[:MAX_PROBLEMS])
