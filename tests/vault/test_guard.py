"""A guard's lock through forks: whoever took it for a fork gives it back, and nobody else."""

import threading
from pathlib import Path

import pytest

from flowaudit.vault.guard import ConnectionGuard


def test_of_two_threads_that_fork_at_once_one_goes_without_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowaudit.vault.guard.FORK_S", 0.05)
    guard = ConnectionGuard(tmp_path / "t.db")
    guard.before_fork()
    seen: list[bool] = []

    def fork_too() -> None:
        guard.before_fork()
        guard.after_fork_in_parent()
        seen.append(guard._lock.locked())

    other = threading.Thread(target=fork_too)
    other.start()
    other.join(10)
    assert seen == [True], "still the first one's"
    guard.after_fork_in_parent()
    with guard:
        assert guard.connection is None
    assert not guard._lock.locked()
