"""Our own log never raises into the app."""

import io

import pytest

from flowaudit.oplog import OPLOG


@pytest.mark.parametrize("stream", ["closed", None])
def test_a_log_that_cannot_be_written_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stream: str | None
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stdout", closed if stream else None)
    OPLOG.error("lost", events=1)
    OPLOG.warning("late")
    monkeypatch.undo()
    OPLOG.warning("here again")
    printed = capsys.readouterr().out
    assert "here again" in printed
    assert "lost" not in printed


def test_it_says_what_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    OPLOG.error("events are lost", events=3)
    assert "events are lost" in capsys.readouterr().out
