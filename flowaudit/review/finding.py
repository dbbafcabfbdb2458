"""What a review says: findings, what it could not judge, and what it was told to leave out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = [
    "EVENTS_CAP",
    "SEVERITIES",
    "Finding",
    "NotJudged",
    "Review",
    "Severity",
    "Suppressed",
]

Severity = Literal["info", "low", "medium", "high", "critical"]

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "low", "medium", "high", "critical")
"""Every severity, the least one first."""

EVENTS_CAP: Final = 50
"""Events listed as evidence of one finding; how many there were is always said beside them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One detection fired for one key, and went on until the key was quiet for a whole window."""

    id: str
    """The detection."""
    severity: Severity
    """The highest that it reached."""
    key: Mapping[str, str]
    """Whom or what it is about: actor, session, client (IPv6: the /64), login, route, resource."""
    first_ts: int
    """µs UTC of the first event that made it fire."""
    last_ts: int
    """µs UTC of the last event that counts."""
    count: int
    """Events from the first to the last."""
    thresholds: Mapping[str, int | bool]
    """The parameters in force, and `shared_source` where they were doubled."""
    events: tuple[int, ...]
    """`seq` of the events that made it fire, in the order of time; at most `EVENTS_CAP`."""
    events_total: int
    """How many events made it fire."""
    version: int
    """Version of the rule."""
    title: str
    """One sentence for people. It holds text from clients as it came: escape it where shown."""
    succeeded: bool
    """Whether anything was allowed."""
    late: bool
    """Whether an event of it came into the trail more than 120 s after later ones."""
    notes: tuple[str, ...] = ()
    """Further sentences: doubled thresholds, order of ids, the cap, lateness."""


@dataclass(frozen=True, slots=True)
class NotJudged:
    """What a rule could not say anything about, so that silence is not taken for safety."""

    id: str
    """The detection."""
    count: int
    """Events it would have looked at."""
    why: str
    """The field, history or declaration that is missing."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What a rule was told to leave out by a declaration."""

    id: str
    """The detection."""
    count: int
    """Events left out."""
    why: str
    """The declaration."""


@dataclass(frozen=True, slots=True)
class Review:
    """All that the rules had to say of one set of events."""

    findings: tuple[Finding, ...] = ()
    """The most severe first, then the latest."""
    not_judged: tuple[NotJudged, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    rules: tuple[str, ...] = field(default=())
    """Detections that ran."""
