"""A trail and its archives read as one: `ReadableTrail` over both."""

from collections.abc import Callable, Collection, Iterator, Sequence
from types import TracebackType
from typing import Self

from ..errors import ArchiveError, NotATrailError
from ..event import Entry
from ..proofs.merkle import HASH_BYTES, TILE_WIDTH
from ..trail.forgetting import names_any
from ..trail.plain import Plain
from ..trail.ranges import Away, Range
from ..trail.store import ReadableTrail
from .parquet import ArchiveFile
from .places import ArchivePlace
from .survey import Survey, Surveyor, check_facts, find_file

__all__ = ["ArchivedTrail", "open_range", "with_archives"]


def open_range(places: Sequence[ArchivePlace], one: Range, origin: str) -> ArchiveFile:
    """The file of a range, from the first of the places that has it.

    Raises `ArchiveError` if none has, or if it is another file than the trail means.
    """
    return check_facts(ArchiveFile(find_file(places, one), one.file), one.first, one.last, origin)


def with_archives(
    places: Sequence[ArchivePlace], *, is_lenient: bool = True, processes: int = 0
) -> Callable[[ReadableTrail], ReadableTrail]:
    """What a trail is read through, so that archives at these places are read too.

    An archive that can't be read is a fault of its range, or else `ArchiveError`.
    """
    if not places:
        return lambda reader: reader
    return lambda reader: ArchivedTrail(reader, places, is_lenient=is_lenient, processes=processes)


class ArchivedTrail:
    """One state of a trail, and the entries of its archives at their places.

    An archive that can't be read raises `ArchiveError`.

    Args:
        reader: the trail; it is closed with this.
        places: where the files are looked for, in order.
        is_lenient: whether a range whose file can't be read is taken as away instead, and told
            of in `faults`.
        processes: how many more look through the files.
    """

    def __init__(
        self,
        reader: ReadableTrail,
        places: Sequence[ArchivePlace],
        *,
        is_lenient: bool = False,
        processes: int = 0,
    ) -> None:
        self._reader = reader
        self._places = places
        self._is_lenient = is_lenient
        self.size, self.frontier, self.ranges = reader.size, reader.frontier, reader.ranges
        self.away = Away([each for each in self.ranges if each.state == "pruned"])
        self._faults: dict[int, str] = {}  # by the first entry that should be in a file
        self._stored = Away(self.ranges)
        there = [each for each in self.ranges if each.state != "pruned"]
        self._held: set[int] = set()  # ranges whose keepsakes were looked at
        self._surveyor = Surveyor(places, there, reader.origin, processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """The trail's name in checkpoints."""
        return self._reader.origin

    def entries(self, first: int | None = None, last: int | None = None) -> Iterator[Entry]:
        """Entries of trail and archives in order of seq; what was pruned is passed over."""
        start = first if first is not None else -(2**63) + 1
        end = last if last is not None else 2**63 - 1
        for each in self.ranges:
            if each.last < start or each.first > end:
                continue
            if start < each.first:
                yield from self._reader.entries(start, each.first - 1)
            yield from self._archived(each, max(start, each.first), min(end, each.last))
            start = each.last + 1
        if start <= end:
            yield from self._reader.entries(start, end)

    def entries_of(
        self, tokens: Collection[str], first: int = 0, end: int | None = None
    ) -> Iterator[Entry]:
        """Entries that are of one of these tokens, those of archives first."""
        last = 2**63 - 1 if end is None else end - 1
        for each in self.ranges:
            if not self._may_name(each, tokens):
                continue
            for entry in self._archived(each, first, last):
                if names_any(entry.core, entry.personal, tokens):
                    yield Entry(seq=entry.seq, core=entry.core, personal=entry.personal)
        yield from self._reader.entries_of(tokens, first, end)

    def _may_name(self, one: Range, tokens: Collection[str]) -> bool:
        if self.away.range_of(one.first):
            return False
        return open_range(self._places, one, self.origin).may_name(tokens)

    def _archived(self, one: Range, first: int, last: int) -> Iterator[Entry]:
        if one.last < first or one.first > last or self.away.range_of(one.first):
            return
        entries = self._load(one)
        yield from entries[max(first - one.first, 0) : last - one.first + 1]

    def _load(self, one: Range) -> list[Entry]:
        """The entries of a range's file; none, and a fault, if that can't be read."""
        try:
            return open_range(self._places, one, self.origin).entries()
        except ArchiveError as error:
            self._give_up(one, error)
            return []

    def _survey(self, one: Range) -> Survey | None:
        try:
            found = self._surveyor.of(one)
        except ArchiveError as error:
            self._give_up(one, error)
            return None
        if one.first not in self._held:
            self._held.add(one.first)
            if self._is_whole(one, found) and not _keeps(one, found):
                self._faults[one.first] = (
                    f"what the trail has kept of the entries {one.first} to {one.last} was"
                    f" changed: {one.file} tells something else"
                )
        return found

    def _give_up(self, one: Range, error: ArchiveError) -> None:
        """Take a range as away."""
        if not self._is_lenient:
            raise error
        self._faults[one.first] = str(error)
        lost = [*self.away.ranges, one]
        self.away = Away(sorted(lost, key=lambda each: each.first))

    def plain_tile(self, idx: int) -> Plain | None:
        """What the entries under a full level-0 tile tell, if they are plainly those whose hashes
        the tile has, or for archived ones the tile above.
        """
        one = self._stored.range_of(idx * TILE_WIDTH)
        if one is None:
            return self._reader.plain_tile(idx)
        found = None if self.away.range_of(one.first) else self._survey(one)
        if found is None:
            return None
        at = idx - one.first // TILE_WIDTH
        return found.plain[at] if found.roots[at] == self._kept_root(idx) else None

    def _kept_root(self, idx: int) -> bytes:
        above, place = divmod(idx, TILE_WIDTH)
        tile = self._reader.tile(1, above) or b""
        return tile[place * HASH_BYTES : (place + 1) * HASH_BYTES]

    def _is_whole(self, one: Range, found: Survey) -> bool:
        """Whether a file has exactly the entries that the trail has kept the hashes of."""
        return all(
            root == self._kept_root(idx)
            for idx, root in enumerate(found.roots, one.first // TILE_WIDTH)
        )

    def tile(self, level: int, idx: int) -> bytes | None:
        """A tile's hashes: as stored, or for archived leaves as their columns make them."""
        one = self._stored.range_of(idx * TILE_WIDTH) if level == 0 else None
        if one is None or self.away.range_of(one.first):
            return self._reader.tile(level, idx)
        found = self._survey(one)
        return None if found is None else found.tile(idx - one.first // TILE_WIDTH)

    def last_seq(self) -> int:
        """The highest seq of an entry, wherever it stands; -1 if there is none."""
        return self._reader.last_seq()

    def faults(self) -> Iterator[tuple[int, str]]:
        """What is wrong with ranges that have left the trail, and with files read so far."""
        yield from self._reader.faults()
        yield from sorted(self._faults.items())

    def tile_count(self) -> int:
        """How many tiles are stored in the trail."""
        return self._reader.tile_count()

    def checkpoints(
        self, first: int = -(2**63), *, limit: int | None = None
    ) -> Iterator[tuple[int, str]]:
        """Checkpoints over at least `first` entries: their size and note, by rising size."""
        return self._reader.checkpoints(first, limit=limit)

    def newest_checkpoint(self) -> str | None:
        """The note of the checkpoint over most entries; `None` if nothing is signed."""
        return self._reader.newest_checkpoint()

    def sources(self) -> dict[str, int | None]:
        """The last number that each source used up."""
        return self._reader.sources()

    def close(self) -> None:
        """End the reading."""
        self._surveyor.close()
        self._reader.close()


def _keeps(one: Range, found: Survey) -> bool:
    """Whether what the trail has kept of a range is what its archive tells."""
    try:
        return one.what_it_tells().says_the_same(found.told)
    except NotATrailError:
        return False
