"""What verifying a trail found, as values."""

from dataclasses import dataclass

from ..proofs.checkpoint import Checkpoint

__all__ = ["KeySpan", "LastTime", "Problem", "Verification", "Witness"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not hold, at a place in the trail."""

    seq: int | None
    """First entry that is wrong or missing; `None` if no entry can be named."""
    what: str


@dataclass(frozen=True, slots=True)
class KeySpan:
    """A key of the trail, and over which sizes its signature counts."""

    key: str
    """The verifier key, in the text form of signed notes."""
    first: int
    last: int | None
    """`None` if it has not ended."""

    def has(self, size: int) -> bool:
        """Whether its signature counts over so many entries."""
        return self.first <= size and (self.last is None or size <= self.last)


@dataclass(frozen=True, slots=True)
class LastTime:
    """Where an earlier verification ended. Whoever keeps it trusts it: nobody else may write it."""

    checkpoint: Checkpoint
    """The newest that held then."""
    keys: tuple[KeySpan, ...] = ()
    """Keys that might sign then; none if only the checkpoint is known."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A party besides the operator that has seen a checkpoint of this very history."""

    kind: str
    """`folder`, `cosigner` or `timestamp`."""
    name: str
    """The folder, the cosigner's key, or the authority."""
    size: int
    """Entries under the largest such checkpoint."""
    at: int
    """When it says that it saw it, seconds since 1970; 0 if it does not."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a trail found."""

    ok: bool
    size: int
    root: str
    """Root over all entries as the head gives it, base64."""
    signed_by: str | None
    """Name of the key that signed the newest checkpoint that holds; `None` if there is none."""
    witnesses: int
    """Parties besides the operator that agree: folders, cosigners, time-stamp authorities."""
    problems: tuple[Problem, ...]
    """First entries that are wrong by themselves, by place; then what does not fit together with
    other entries; last what has no place.
    """
    checkpoint_size: int = 0
    """Entries under the newest verified checkpoint."""
    checkpoint: str = ""
    """That checkpoint, as a signed note; empty if there is none."""
    waiting: int = 0
    """Events that still stand in spools."""
    erased: int = 0
    """Entries whose personal part is gone."""
    gaps: int = 0
    """Gap events: losses that the trail itself reports."""
    witnessed: int = 0
    """Checkpoints kept elsewhere that it was held against."""
    uncompared: int = 0
    """Checkpoints kept elsewhere that end among entries which are archived or pruned."""
    agreeing: tuple[Witness, ...] = ()
    """Those parties."""
    since: int = 0
    """Entries that were verified before, of which only the hashes were looked at."""
    archived: int = 0
    """Entries that stand in archives which were not looked at."""
    pruned: int = 0
    """Entries that were pruned: nobody has them."""
    keys: tuple[KeySpan, ...] = ()
    """Keys that may have signed it, by their order."""

    @property
    def first_bad(self) -> int | None:
        """The first entry that is wrong or missing; `None` if there is none or it has no place."""
        return next((p.seq for p in self.problems if p.seq is not None), None)

    @property
    def after_checkpoint(self) -> int:
        """Entries that no signature covers yet."""
        return max(0, self.size - self.checkpoint_size)
