"""`kill -9` under real servers; all 200 in the soak."""

import os

import pytest

from faults import killing
from faults.figures import table

SCALE = 1.0 if os.environ.get("FLOWAUDIT_SOAK") else 0.1
KILLS = max(4, -(-int(killing.KILLS * SCALE) // len(killing.SERVERS)))


@pytest.mark.timeout(1_800 if SCALE == 1.0 else 180)
@pytest.mark.parametrize("server", killing.SERVERS)
def test_no_answered_request_is_lost(server: str) -> None:
    figures = killing.kill_server(server, KILLS, seed=11)
    assert all(figure.ok for figure in figures), table(figures)
