"""Helpers for the tests of apps that use flowaudit: a clock that stands still, events read back.

::

    clock = Clock(1_700_000_000)
    audit = FlowAudit(trail=tmp_path / "t.db", clock=clock)
    ...
    assert recorded_events(audit, "request")[0]["outcome"] == "denied"
"""

from typing import Any

from .capture.audit import FlowAudit
from .event import flat_event
from .trail.opening import open_reader, trail_exists

__all__ = ["Clock", "recorded_events"]


class Clock:
    """A clock for the setting `clock` that moves only when it is told to."""

    def __init__(self, seconds: float = 1_700_000_000.0) -> None:
        self.seconds = seconds
        """Seconds since 1970 UTC."""

    def __call__(self) -> float:
        """The time, as `time.time` tells it."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass (or, if negative, step back)."""
        self.seconds += seconds


def recorded_events(audit: FlowAudit, *kinds: str) -> list[dict[str, Any]]:
    """What an audit has recorded so far, as flat events in order of `seq`.

    Without `kinds`, all but `process` events. Waits until
    everything captured is in the trail; raises `TimeoutError` if that takes over ten seconds.
    """
    if not audit.flush():
        raise TimeoutError(f"the trail {audit.paths.trail} takes no events")
    if not trail_exists(audit.paths):
        return []
    with open_reader(audit.paths) as reader:
        flat = [flat_event(entry) for entry in reader.entries()]
    if kinds:
        return [event for event in flat if event["kind"] in kinds]
    return [event for event in flat if event["kind"] != "process"]
