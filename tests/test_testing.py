"""The helpers that users' own tests rely on."""

from pathlib import Path

from flowaudit import FlowAudit
from flowaudit.testing import Clock, recorded_events


def test_recorded_events_and_the_clock(tmp_path: Path) -> None:
    clock = Clock(1_000)
    audit = FlowAudit(trail=tmp_path / "t.db", clock=clock)
    assert recorded_events(audit) == []
    audit.record("ops", "deploy", version="1")
    clock.advance(2.5)
    audit.record("note", text="x")
    assert [event["ts"] for event in recorded_events(audit)] == [1_000_000_000, 1_002_500_000]
    assert [event["kind"] for event in recorded_events(audit, "note")] == ["note"]
    assert recorded_events(audit, "process")[0]["action"] == "start"
    audit.close()
