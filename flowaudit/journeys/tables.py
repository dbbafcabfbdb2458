"""The tables that the analyses share: events by journey, pages by journey, journeys.

Each is made once for an engine, when something first asks for it. Columns are described at the
top of the SQL file of the same name.
"""

from typing import Any, Final, Literal

from .engine import Engine, read_sql

__all__ = ["PAUSE_US", "By", "analysis", "make_journeys", "make_page_steps", "run_analysis"]

By = Literal["route", "path"]
"""What a step is called by: its route (or inferred template), or its path."""

PAUSE_US: Final = 1_800_000_000
"""A journey ends when a visitor's pause is longer than this: 30 minutes, as the trade does."""


def analysis(name: str) -> str:
    """The SQL text of an analysis of this package."""
    return read_sql(__package__, f"{name}.sql")


def run_analysis(engine: Engine, name: str, **parameters: object) -> list[tuple[Any, ...]]:
    """The rows of an analysis of this package."""
    return engine.rows(analysis(name), parameters)


def make_journeys(engine: Engine) -> None:
    """See to the tables `journey_event` and `journey`."""
    engine.keep_once("journey_event", analysis("journey_event"), {"pause_us": PAUSE_US})
    engine.keep_once("journey", analysis("journey"), {"pause_us": PAUSE_US})


def make_page_steps(engine: Engine, by: By) -> None:
    """See to the table `page_step` with steps called by route or by path."""
    make_journeys(engine)
    engine.keep_once("page_step", analysis("page_step"), {"by": by})
