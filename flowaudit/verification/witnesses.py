"""A trail against what others have kept of it: cut, rolled back, or another history; who agrees."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import ProofError
from ..proofs.checkpoint import Checkpoint
from ..proofs.note import VerifierKey
from ..proofs.paths import TileTree
from ..trail.keychain import KeyChain, short_name
from ..trail.ranges import ends_away
from ..trail.store import ReadableTrail
from ..witnesses.publishing import Kept
from ..witnesses.timestamps import check_stamp
from .found import Problem, Witness

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["Witnesses", "why_away"]


class Witnesses:
    """Holds a trail against checkpoints that were kept elsewhere.

    A tree of the size that was signed must have the root that was signed (RFC 9162 §2.1.4: the
    larger tree begins with the smaller); its hashes come from the tiles, which are held against
    the rows by verification itself.

    Args:
        reader: the trail.
        chain: the keys that have signed it, and how far each counts.
        cosigners: keys of other parties, whose cosignatures count.
        roots: certificates that vouch for time-stamp authorities; without any, no stamp counts.
    """

    def __init__(
        self,
        reader: ReadableTrail,
        chain: KeyChain,
        cosigners: Sequence[VerifierKey] = (),
        roots: "Sequence[Certificate]" = (),
    ) -> None:
        self.checkpoints = 0
        """Checkpoints that it was held against."""
        self.uncompared = 0
        """Checkpoints that end among entries which are away: whether they agree nobody can say."""
        self._reader, self._chain, self._roots = reader, chain, roots
        self._cosigners = tuple(key for key in cosigners if not _is_own(key, chain.keys))
        self._tree = TileTree(reader.size, reader.tile)
        self._agreeing: dict[tuple[str, str], Witness] = {}

    @property
    def agreeing(self) -> tuple[Witness, ...]:
        """Every party that agrees, with the largest checkpoint that it has seen."""
        return tuple(self._agreeing.values())

    def hold(self, kept: Iterable[Kept]) -> Iterator[Problem]:
        """What of the trail does not fit to what was kept."""
        for place in kept:
            problems, newest = 0, None
            for note in place.notes:
                newest = max(newest, _mark(note), key=lambda mark: mark.size if mark else -1)
                for problem in self._note(place.place, note):
                    problems += 1
                    yield problem
            for note, stamp in place.stamps:
                for problem in self._stamp(note, stamp):
                    problems += 1
                    yield problem
            if newest is not None and not problems and self._is_away(newest):
                problems += 1
                yield Problem(None, self._not_held(newest, place.place))
            if problems:
                self._agreeing.pop(("folder", place.place), None)

    def _note(self, place: str, note: str) -> Iterator[Problem]:
        try:
            mark = Checkpoint.parse(note)
            self.uncompared += self._is_away(mark)
            self.checkpoints += not self._is_away(mark)
            what = f"the witnessed checkpoint of size {mark.size}"
            yield from self._against(mark, what)
        except ProofError as error:
            yield Problem(None, f"a witnessed checkpoint cannot be read: {error}")
            return
        if mark.size and self._agrees(mark):
            self._count(Witness("folder", place, mark.size, 0), place)
            for signature in mark.signatures(self._cosigners):
                seen = Witness("cosigner", signature.key.name, mark.size, signature.at)
                self._count(seen, signature.key.public.hex())

    def _against(self, mark: Checkpoint, what: str) -> Iterator[Problem]:
        if mark.origin != self._reader.origin:
            yield Problem(None, f"{what} is of another trail: {mark.origin}")
        elif self._chain.counting(mark) is None:
            yield Problem(None, f"{what} {self._unsigned(mark)}")
        elif mark.size > self._reader.size:
            yield Problem(
                self._reader.size,
                f"the trail was cut or rolled back: {mark.size} entries were witnessed,"
                f" {self._reader.size} are here",
            )
        elif not self._is_away(mark):
            try:
                agrees = self._tree.root(mark.size) == mark.root
            except ProofError as error:
                yield Problem(None, f"{what} cannot be compared: {error}")
                return
            if not agrees:
                yield Problem(
                    None,
                    f"{what} is of another history: an entry before {mark.size} was changed, and"
                    " the trail signed anew",
                )

    def _unsigned(self, mark: Checkpoint) -> str:
        """Why nobody's signature counts. A key that has ended accuses nobody of another history:
        who has stolen it may have signed that.
        """
        for key in self._chain.signers(mark):
            return (
                f"does not count: {short_name(key)} signed it, whose turn was over or had not come;"
                " a thief has that key, or the trail was rolled back and the key replaced"
            )
        name = self._chain.trusted.name if self._chain.trusted else "a known key"
        return f"is not signed by {name}"

    def _agrees(self, mark: Checkpoint) -> bool:
        return not self._is_away(mark) and next(self._against(mark, ""), None) is None

    def _is_away(self, mark: Checkpoint) -> bool:
        return ends_away(self._reader.away, mark.size)

    def _not_held(self, mark: Checkpoint, place: str) -> str:
        why = why_away(self._reader, mark.size)
        return f"{place}: the newest checkpoint, of size {mark.size}, {why}"

    def _stamp(self, note: str, stamp: bytes) -> Iterator[Problem]:
        if not self._roots:
            return
        try:
            mark = Checkpoint.parse(note)
            found = check_stamp(stamp, note.encode(), self._roots)
        except ProofError as error:
            yield Problem(None, f"a time stamp does not count: {error}")
            return
        if mark.size and self._agrees(mark):
            self._count(Witness("timestamp", found.authority, mark.size, found.at), found.authority)

    def _count(self, witness: Witness, who: str) -> None:
        known = self._agreeing.get((witness.kind, who))
        if known is None or known.size < witness.size:
            self._agreeing[witness.kind, who] = witness


def why_away(reader: ReadableTrail, size: int) -> str:
    """Why the root at this size, which ends among entries that are away, can't be compared."""
    one = reader.away.range_of(size)
    how = "pruned" if one is not None and one.state == "pruned" else "archived: give --archive"
    return f"can't be compared with this trail: the entries there are {how}"


def _mark(note: str) -> Checkpoint | None:
    try:
        return Checkpoint.parse(note)
    except ProofError:
        return None


def _is_own(key: VerifierKey, keys: Iterable[VerifierKey]) -> bool:
    """Whether a cosigner's key is the operator's own under another name."""
    return any(key.public == own.public for own in keys)
