"""The scenarios: what is sent, and the whole event that each build must record of it."""

from typing import Final

from .scenario import Scenario
from .scenarios_bodies import BODIES
from .scenarios_people import PEOPLE
from .scenarios_refusals import REFUSALS, STATUSES
from .scenarios_requests import HEADERS, PATHS
from .scenarios_said import SAID
from .scenarios_sockets import SOCKETS

__all__ = ["SCENARIOS"]

SCENARIOS: Final[dict[str, Scenario]] = {
    **PEOPLE,
    **REFUSALS,
    **SOCKETS,
    **BODIES,
    **STATUSES,
    **PATHS,
    **HEADERS,
    **SAID,
}
