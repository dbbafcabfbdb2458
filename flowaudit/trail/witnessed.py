"""A trail against checkpoints that somebody else has kept: cut, rolled back, or another history."""

from collections.abc import Iterable, Iterator

from ..errors import ProofError
from ..proofs.checkpoint import Checkpoint
from ..proofs.note import VerifierKey
from ..proofs.paths import TileTree
from .ranges import ends_away
from .store import ReadableTrail
from .verification import Problem

__all__ = ["against_witnessed"]


def against_witnessed(
    reader: ReadableTrail, keys: tuple[VerifierKey, ...], notes: Iterable[str]
) -> Iterator[Problem]:
    """What of a trail does not fit to checkpoints that were kept elsewhere.

    A tree of the size that was signed must have the root that was signed (RFC 9162 §2.1.4: the
    larger tree begins with the smaller); its hashes come from the tiles, which are held against
    the rows by verification itself.
    """
    tree = TileTree(reader.size, reader.tile)
    for note in notes:
        try:
            mark = Checkpoint.parse(note)
        except ProofError as error:
            yield Problem(None, f"a witnessed checkpoint cannot be read: {error}")
            continue
        yield from _against_one(reader, tree, keys, mark)


def _against_one(
    reader: ReadableTrail, tree: TileTree, keys: tuple[VerifierKey, ...], mark: Checkpoint
) -> Iterator[Problem]:
    what = f"the witnessed checkpoint of size {mark.size}"
    if mark.origin != reader.origin:
        yield Problem(None, f"{what} is of another trail: {mark.origin}")
    elif not _is_signed(mark, keys):
        yield Problem(None, f"{what} is not signed by {keys[0].name if keys else 'a known key'}")
    elif mark.size > reader.size:
        yield Problem(
            reader.size,
            f"the trail was cut or rolled back: {mark.size} entries were witnessed,"
            f" {reader.size} are here",
        )
    elif not ends_away(reader.away, mark.size):
        try:
            agrees = tree.root(mark.size) == mark.root
        except ProofError as error:
            yield Problem(None, f"{what} cannot be compared: {error}")
            return
        if not agrees:
            yield Problem(
                None,
                f"{what} is of another history: an entry before {mark.size} was changed, and the"
                " trail signed anew",
            )


def _is_signed(mark: Checkpoint, keys: tuple[VerifierKey, ...]) -> bool:
    try:
        return bool(mark.signatures(keys))
    except ProofError:
        return False
