"""How far people get: the journeys that reach each of a sequence of steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import QueryError
from .engine import Engine
from .tables import By, analysis, make_journeys

__all__ = ["FunnelResult", "funnel"]


@dataclass(frozen=True, slots=True)
class FunnelResult:
    """The numbers of `flowaudit funnel`, one of each for every step."""

    steps: tuple[str, ...]
    reached: tuple[int, ...]
    drop_off: tuple[int, ...]
    """Journeys that reach a step and not the next; 0 for the last."""
    median_us: tuple[int, ...]
    """Time from the step before, the lower of two middle values; 0 for the first step, and for
    one that nobody reaches."""


def funnel(engine: Engine, steps: Sequence[str], *, by: By = "route") -> FunnelResult:
    """Follow each journey from step to step: first match of the first, then first later match."""
    if not steps:
        raise QueryError("a funnel needs at least one step")
    make_journeys(engine)
    engine.view("flow_step", list(steps))
    engine.keep("funnel_match", analysis("funnel_match"), {"by": by})
    reached: list[int] = []
    medians: list[int] = []
    for position in range(1, len(steps) + 1):
        name = "funnel_first" if position == 1 else "funnel_next"
        parameters = {} if position == 1 else {"position": position}
        engine.keep(f"funnel_reached_{position}", analysis(name), parameters)
        engine.view(
            "funnel_reached",
            f"SELECT who_id, journey, at_place, at_ts, took_us FROM funnel_reached_{position}",
        )
        ((count, median_us),) = engine.rows(analysis("funnel_step"))
        reached.append(count or 0)
        medians.append(median_us or 0)
    following = [*reached[1:], reached[-1]]
    return FunnelResult(
        steps=tuple(steps),
        reached=tuple(reached),
        drop_off=tuple(here - there for here, there in zip(reached, following, strict=True)),
        median_us=tuple(medians),
    )
