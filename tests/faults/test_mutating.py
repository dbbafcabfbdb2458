"""A share of what `make faults` does; all of it in the soak."""

import os

import pytest

from faults import mutating
from faults.figures import Figure, table

SCALE = 1.0 if os.environ.get("FLOWAUDIT_SOAK") else 0.02


@pytest.mark.timeout(3_600 if SCALE == 1.0 else 120)
def test_every_mutation_is_found_and_no_clean_trail_accused() -> None:
    figures = mutating.run(SCALE)
    print(table(figures))
    assert all(figure.ok for figure in figures), table(figures)
    assert sum(figure.done for figure in figures[:3]) >= 100_000 * SCALE


def test_a_figure_of_nothing_is_not_ok() -> None:
    """What was not done does not hold, and one failure is enough."""
    figure = Figure("x", "y")
    assert not figure.ok
    assert figure.count(True)
    assert figure.ok
    assert not figure.count(False, "why")
    assert not figure.ok
    assert "1 of         2" in table([figure])
    assert "why" in table([figure])
