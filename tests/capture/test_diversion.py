"""Audits write elsewhere while an app is tried out, and to their own files before and after."""

import pytest

from flowaudit import FlowAudit
from flowaudit.capture.diversion import diverted
from flowaudit.errors import SettingError
from flowaudit.testing import recorded_events


def deploys(audit):
    return [event["facts"]["name"] for event in recorded_events(audit, "ops")]


def test_an_audit_writes_elsewhere_meanwhile_and_nowhere_else(make_audit, trail, tmp_path, capfd):
    audit = make_audit(emit="core")
    audit.record("ops", "deploy", name="before")
    assert deploys(audit) == ["before"]
    printed = capfd.readouterr().out
    folder = tmp_path / "trial"
    folder.mkdir()
    with diverted(folder) as audits:
        audit.record("ops", "deploy", name="meanwhile")
        made = FlowAudit(trail=tmp_path / "no such folder" / "t.db")
        made.record("ops", "deploy", name="made")
        assert {audit, made} <= set(audits())
        assert (deploys(audit), deploys(made)) == (["meanwhile"], ["made"])
        assert folder in audit.paths.trail.parents
        assert audit.paths.trail.parent != made.paths.trail.parent
    assert "deploy" in printed
    assert "meanwhile" not in capfd.readouterr().out
    audit.record("ops", "deploy", name="after")
    assert deploys(audit) == ["before", "after"]
    assert audit.paths.trail == trail
    made.close()


def test_an_audit_that_could_not_be_made_is_in_nobody_s_way(tmp_path):
    with pytest.raises(SettingError) as kept:
        FlowAudit(trail=tmp_path / "no such folder" / "t.db")
    with diverted(tmp_path):
        assert kept.value.name == "trail"
