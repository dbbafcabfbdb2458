"""Verification of a whole trail, or of what came since the last time: `flowaudit verify`.

Each row is held against its tile, tiles against the tiles above and the head, and the tiles' roots
against every signed checkpoint; each source's numbers must be without repetition and without a
hole that no gap event explains; a personal part may be missing only where an erasure says so. It
reads once, in order, and its memory does not grow with the trail's length.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import ProofError
from ..proofs.merkle import TILE_WIDTH, edge_tiles, frontier_root, split_hashes
from ..proofs.note import VerifierKey
from ..proofs.paths import TileTree
from ..proofs.verify import check_tiles
from ..spool.dead import waiting_records
from ..trail.keychain import KeyChain
from ..trail.keys import load_verifier_key
from ..trail.opening import Given, open_reader
from ..trail.paths import TrailPaths
from ..trail.ranges import Away
from ..trail.store import ReadableTrail
from ..witnesses.publishing import Kept
from .found import KeySpan, LastTime, Problem, Verification
from .marks import Marks
from .persons import person_problems
from .rows import MAX_PROBLEMS, Rows
from .witnesses import Witnesses

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["verify_trail"]


def verify_trail(
    trail: Given,
    *,
    key: VerifierKey | None = None,
    witnessed: Sequence[Kept] = (),
    cosigners: Sequence[VerifierKey] = (),
    roots: "Sequence[Certificate]" = (),
    since: LastTime | None = None,
    beside: Callable[[ReadableTrail], ReadableTrail] = lambda reader: reader,
) -> Verification:
    """Verify a trail by the whole of its format, without writing anything.

    Args:
        trail: the trail's file.
        key: the key that checkpoints must be signed with; `TRAIL.pub` if not given.
        witnessed: what others have kept of it.
        cosigners: keys of other parties, whose cosignatures count.
        roots: certificates that vouch for time-stamp authorities.
        since: where an earlier verification ended. Of the entries that its checkpoint covers only
            the hashes are looked at: that they are still those which were signed.
        beside: gives a reader that has more of the trail at hand: what stands in archives.

    Raises `NotATrailError` if the file is no trail at all, and `ProofError` if `since` names a key
    that is none.
    """
    paths = trail if isinstance(trail, TrailPaths) else TrailPaths.of(trail)
    with beside(open_reader(paths)) as reader:
        problems: list[Problem] = []
        together: list[Problem] = []
        untold: list[Problem] = []
        chain = KeyChain(key or _key(paths, problems))
        if since is not None:
            spans = ((VerifierKey.parse(k.key), k.first, k.last) for k in since.keys)
            chain.resume(spans, since.checkpoint.size)
        tree = TileTree(reader.size, reader.tile)
        suspects = _take(problems, _tiles(reader))
        marks = Marks(reader, chain, tree, [p.seq or 0 for p in suspects], _size_of(since, reader))
        rows = Rows(reader, marks, _size_of(since, reader))
        _take(problems, rows.check())
        _take(problems, (Problem(seq, what) for seq, what in reader.faults()))
        if reader.size and not marks.found:
            what = "there is no checkpoint: nothing of this trail is signed"
            problems.append(Problem(None, what if since is None else "no checkpoint is left"))
        _take(problems, _unsigned_ranges(reader, marks))
        _take(together, rows.numbering.problems(reader.sources(), reader.size))
        _take(untold, rows.erasures.problems())
        _take(untold, rows.unexplained_prunings())
        witnesses = Witnesses(reader, chain, cosigners, roots)
        _take(problems, witnesses.hold(witnessed))
        _take(problems, Witnesses(reader, chain).hold(_last_time(since)))
        _take(problems, person_problems(paths))
        return Verification(
            ok=not (problems or together or untold),
            size=reader.size,
            root=_root64(reader),
            signed_by=marks.signer.name if marks.signer else None,
            witnesses=len(witnesses.agreeing),
            problems=_sorted(problems, together, untold),
            checkpoint_size=marks.newest.size if marks.newest else 0,
            checkpoint=str(marks.newest.note) if marks.newest else "",
            waiting=waiting_records(paths.spool),
            erased=rows.erasures.count,
            gaps=rows.gaps,
            witnessed=witnesses.checkpoints,
            uncompared=witnesses.uncompared,
            agreeing=witnesses.agreeing,
            since=_size_of(since, reader),
            archived=sum(each.count for each in reader.away.ranges if each.state != "pruned"),
            pruned=sum(each.count for each in reader.ranges if each.state == "pruned"),
            keys=tuple(KeySpan(str(key), first, last) for key, first, last in chain.spans()),
        )


def _size_of(since: LastTime | None, reader: ReadableTrail) -> int:
    """The entry to begin with: all that was verified, as far as it is still there."""
    return 0 if since is None else min(since.checkpoint.size, reader.size)


def _last_time(since: LastTime | None) -> list[Kept]:
    """What was verified before is kept by ourselves: no witness, but held against all the same."""
    return [] if since is None else [Kept("verified before", (str(since.checkpoint.note),))]


def _take(problems: list[Problem], found: Iterable[Problem]) -> list[Problem]:
    """Add what was found, up to a limit; gives what was added."""
    added = list(islice(found, MAX_PROBLEMS))
    problems += added
    return added


def _key(paths: TrailPaths, problems: list[Problem]) -> VerifierKey | None:
    try:
        return load_verifier_key(paths)
    except ProofError as error:
        problems.append(
            Problem(None, f"the public key {paths.public_key.name} is damaged: {error}")
        )
        return None


def _tiles(reader: ReadableTrail) -> Iterator[Problem]:
    stored = reader.last_seq() + 1
    if reader.size > 2 * stored + TILE_WIDTH:
        yield Problem(stored, f"the head claims {reader.size} entries")
        return
    dropped = Away(reader.ranges)
    for seq, what in check_tiles(
        reader.size, reader.frontier, reader.tile, lambda seq: dropped.range_of(seq) is not None
    ):
        yield Problem(seq, what)
    stray = reader.tile_count() - sum(
        idx + (1 if width else 0) for _, width, idx in edge_tiles(reader.size)
    )
    gone = sum(each.count for each in reader.ranges if each.state != "moving") // TILE_WIDTH
    if stray > -gone:
        yield Problem(None, f"{stray + gone} tiles are stored that are not of this tree")


def _unsigned_ranges(reader: ReadableTrail, marks: Marks) -> Iterator[Problem]:
    """Only what is signed leaves a trail: a range that no checkpoint covers was made up."""
    signed = marks.newest.size if marks.newest else 0
    for each in reader.ranges:
        if each.last >= signed:
            what = f"the entries {each.first} to {each.last} are said to be {each.state}"
            yield Problem(None, f"{what}, and no checkpoint that holds covers them")


def _root64(reader: ReadableTrail) -> str:
    try:
        return base64.b64encode(frontier_root(split_hashes(reader.frontier))).decode()
    except ProofError:
        return ""


def _sorted(*found: list[Problem]) -> tuple[Problem, ...]:
    """First what is wrong by itself, by place; then numbers that do not fit together; then what no
    event tells of, which may follow from those at an earlier place. Those without a place last;
    each one once.
    """
    ranked = [
        ((problem.seq is None, rank, problem.seq or 0), problem)
        for rank, problems in enumerate(found)
        for problem in dict.fromkeys(problems)
    ]
    return tuple(p for _, p in sorted(ranked, key=lambda one: one[0])[:MAX_PROBLEMS])
