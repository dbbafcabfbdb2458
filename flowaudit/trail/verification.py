"""What verifying a trail found, as values."""

from dataclasses import dataclass

__all__ = ["Problem", "Verification"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not hold, at a place in the trail."""

    seq: int | None
    """First entry that is wrong or missing; `None` if no entry can be named."""
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a trail found."""

    ok: bool
    size: int
    root: str
    """Root over all entries as the head gives it, base64."""
    signed_by: str | None
    """Name of the key that signed the newest checkpoint; `None` if none was verified."""
    witnesses: int
    """Parties besides the operator that cosigned it."""
    problems: tuple[Problem, ...]
    checkpoint_size: int = 0
    """Entries under the newest verified checkpoint."""
    waiting: int = 0
    """Events that still stand in spools."""
    erased: int = 0
    """Entries whose personal part is gone."""
    gaps: int = 0
    """Gap events: losses that the trail itself reports."""
    witnessed: int = 0
    """Checkpoints kept elsewhere that it was held against."""

    @property
    def after_checkpoint(self) -> int:
        """Entries that no signature covers yet."""
        return max(0, self.size - self.checkpoint_size)
