"""A funnel with its biggest drop named, and whether that is another since the last release."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..journeys.engine import Engine, read_sql
from ..journeys.flows import ways
from ..journeys.funnel import FunnelResult, funnel
from ..journeys.tables import By
from .changes import Release

__all__ = ["Comparison", "Ladder", "commonest_ladder", "ladder"]

SIGNIFICANT_Z: Final = 1.96
"""Two shares differ by more than chance if they would by chance less than once in 20 times."""

LEAST: Final = 5
"""Journeys that a share must have on both sides before they are compared at all."""

WAYS_TRIED: Final = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """One step's loss before and after a release."""

    release: Release
    lost_before: int
    of_before: int
    lost_after: int
    of_after: int

    @property
    def is_more_than_chance(self) -> bool:
        """Whether the shares differ by more than chance alone would make them."""
        lost, of = self.lost_before + self.lost_after, self.of_before + self.of_after
        pooled = lost / of
        spread = math.sqrt(pooled * (1 - pooled) * (1 / self.of_before + 1 / self.of_after))
        difference = self.lost_after / self.of_after - self.lost_before / self.of_before
        return spread > 0 and abs(difference) / spread > SIGNIFICANT_Z


@dataclass(frozen=True, slots=True)
class Ladder:
    """A funnel as it is shown."""

    title: str
    result: FunnelResult
    origin: Literal["asked", "commonest"] = "asked"
    comparison: Comparison | None = None
    """Of the biggest drop."""

    @property
    def worst(self) -> int | None:
        """Place of the step that loses most; `None` if none loses any."""
        if not any(self.result.drop_off):
            return None
        return max(range(len(self.result.steps)), key=lambda i: self.result.drop_off[i])


def ladder(
    engine: Engine,
    title: str,
    steps: Sequence[str],
    releases: Sequence[Release],
    *,
    by: By,
    origin: Literal["asked", "commonest"] = "asked",
) -> Ladder:
    """Follow steps, and compare the biggest drop with the time before the last release."""
    made = Ladder(title, funnel(engine, steps, by=by), origin)
    if made.worst is None:
        return made
    for release in reversed(releases):
        comparison = _compare(engine, made.worst + 1, release)
        if comparison is not None:
            return Ladder(title, made.result, origin, comparison)
    return made


def commonest_ladder(engine: Engine, releases: Sequence[Release], *, by: By) -> tuple[Ladder, ...]:
    """The way that most journeys of more than one page take, as a funnel; none without one."""
    for way in ways(engine, by=by, top=WAYS_TRIED):
        steps = [step for step in way.steps if step is not None]
        if len(steps) == len(way.steps) > 1:
            title = "The commonest way"
            return (ladder(engine, title, steps, releases, by=by, origin="commonest"),)
    return ()


def _compare(engine: Engine, position: int, release: Release) -> Comparison | None:
    """The loss behind a step (from 1) before and after a release."""
    for view, step in (("drop_first", 1), ("drop_here", position), ("drop_there", position + 1)):
        engine.view(view, f"SELECT who_id, journey, at_ts FROM funnel_reached_{step}")
    ((of_before, on_before, of_after, on_after),) = engine.rows(
        read_sql(__package__, "drop_by_release.sql"), {"release_ts": release.ts}
    )
    if min(of_before, of_after) < LEAST:
        return None
    return Comparison(release, of_before - on_before, of_before, of_after - on_after, of_after)
