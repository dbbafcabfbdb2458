"""Entries without their personal part, held against the events that tell of erasures.

An erasure takes what is of a person: entries that name their token, and `auth` events about their
account, which may name them in the part that is gone. And it takes what was there: an event speaks
of entries before itself alone. So an erasure of somebody else, or of nobody, excuses nothing.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from ..trail.forgetting import erased_ranges
from ..trail.intervals import merged, uncovered
from .found import Problem

__all__ = ["MAX_PROBLEMS", "Erasures"]

MAX_PROBLEMS: Final = 1_000
"""Entries named in one run of them; a trail with more is beyond telling them apart."""


class _Glance(msgspec.Struct):
    kind: str | None = None
    actor: str | None = None
    via: str | None = None


_GLANCE: Final = msgspec.json.Decoder(_Glance)

_ANYBODY: Final = ("",)
"""Of an `auth` event, which may be about anybody's account."""


class Erasures:
    """What is sealed only, and what is told of erasures; in any order."""

    def __init__(self) -> None:
        self.count = 0
        """Entries whose personal part is gone."""
        self._sealed: dict[tuple[str, ...], list[tuple[int, int]]] = {}
        self._told: list[list[tuple[int, int]]] = []
        self._of: dict[str, list[int]] = {}  # token: places in `_told`

    def see(self, seq: int, core: bytes) -> None:
        """An entry has no personal part any more."""
        self.count += 1
        runs = self._sealed.setdefault(_names(core), [])
        if runs and runs[-1][1] == seq - 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))

    def tell(self, seq: int, erases: object) -> None:
        """The `facts.erases` of an event; what is malformed in it counts for nothing."""
        ranges = [(first, min(last, seq - 1)) for first, last in erased_ranges(erases)]
        ranges = [pair for pair in ranges if pair[0] <= pair[1]]
        tokens = erases.get("tokens") if isinstance(erases, dict) else None
        if not ranges or not isinstance(tokens, list):
            return
        for token in {each for each in tokens if isinstance(each, str)}:
            self._of.setdefault(token, []).append(len(self._told))
        self._told.append(ranges)

    def problems(self) -> Iterator[Problem]:
        """Entries that no erasure of theirs speaks of; of each run the first ones."""
        for names, runs in self._sealed.items():
            covered = merged(pair for ranges in self._told_of(names) for pair in ranges)
            at = 0
            for first, last in sorted(runs):
                # both rise: what ends before this run is not looked at again
                while at < len(covered) and covered[at][1] < first:
                    at += 1
                end_at = at
                while end_at < len(covered) and covered[end_at][0] <= last:
                    end_at += 1
                for start, end in uncovered(first, last, covered[at:end_at]):
                    for seq in range(start, min(end, start + MAX_PROBLEMS) + 1):
                        yield Problem(seq, "personal part missing, no erasure")

    def _told_of(self, names: tuple[str, ...]) -> list[list[tuple[int, int]]]:
        if names is _ANYBODY:
            return self._told
        return [self._told[at] for at in {at for name in names for at in self._of.get(name, ())}]


def _names(core: bytes) -> tuple[str, ...]:
    """Whose an entry is, by what is left of it."""
    try:
        seen = _GLANCE.decode(core)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
    if seen.kind == "auth":
        return _ANYBODY
    return tuple(name for name in (seen.actor, seen.via) if name)
