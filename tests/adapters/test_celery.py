"""A task's run is an event, in the name of whoever ordered it, in whichever process."""

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import flowaudit
from flowaudit.vault.tokens import Vault

pytest.importorskip("celery")

Events = Callable[..., list[dict[str, Any]]]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[ModuleType]:
    monkeypatch.setenv("CELERY_TEST_FOLDER", str(tmp_path))
    sys.modules.pop("tests.adapters.celery_tasks", None)
    from celery import signals

    kept = {
        name: list(getattr(signals, name).receivers)
        for name in (
            "before_task_publish",
            "task_prerun",
            "task_failure",
            "task_retry",
            "task_postrun",
        )
    }
    module = importlib.import_module("tests.adapters.celery_tasks")
    yield module
    for name, receivers in kept.items():
        getattr(signals, name).receivers = receivers
    module.audit.close()


@pytest.fixture
def worker(tasks: ModuleType, tmp_path: Path) -> Iterator[None]:
    """A real worker with two forked processes; it ends by the signal that supervisors send."""
    (tmp_path / "queue").mkdir()
    (tmp_path / "control").mkdir()
    command = [sys.executable, "-m", "celery", "-A", "tests.adapters.celery_tasks", "worker"]
    options = ["--concurrency", "2", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    log = (tmp_path / "worker.log").open("wb")
    process = subprocess.Popen(
        [*command, *options],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'adapters'}",
            "CELERY_TEST_FOLDER": str(tmp_path),
        },
        stdout=log,
        stderr=log,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        log.close()


def jobs(events: Events, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 40
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        found = events("note")
        if len(found) >= count:
            return found
        time.sleep(0.2)
    raise AssertionError(f"only {found}")


@pytest.mark.usefixtures("worker")
def test_the_actor_travels_to_another_process(tasks: ModuleType, events: Events) -> None:
    # a job stands for a request here: both leave what `carry` reads
    with tasks.audit.job("order", actor="user:ann", roles=["clerk"]):
        tasks.send.delay(7)
        tasks.send.delay(1)
        tasks.send.delay(13)
    tasks.send.delay(5)
    tasks.audit.flush()
    found = jobs(events, 6)
    order = next(event for event in found if event["route"] == "job:order")
    runs = {event["resource_id"]: event for event in found if event is not order}
    with Vault(tasks.audit.paths.vault) as vault:
        assert order["actor"] == vault.find("user:ann")
    for number in ("7", "1", "2", "13"):
        run = runs[number]
        assert (run["actor"], run["roles"]) == (order["actor"], ["clerk"])
        assert (run["route"], run["resource"]) == ("job:invoice.send", "invoice")
        assert run["source"] != order["source"]
    assert [runs[n]["outcome"] for n in ("7", "1", "2", "5")] == ["ok"] * 4
    assert (runs["13"]["outcome"], runs["13"]["reason"]) == ("denied", "forbidden")
    assert (runs["7"]["data"]["state"], runs["13"]["data"]["state"]) == ("SUCCESS", "FAILURE")
    assert "actor" not in runs["5"]


def test_what_waits_in_the_queue_holds_no_identity(tasks: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "queue").mkdir()
    with tasks.audit.job("order", actor="user:ann-0189"):
        tasks.send.delay(7)
    [message] = (tmp_path / "queue").iterdir()
    assert b"flowaudit" in message.read_bytes()
    assert b"ann-0189" not in message.read_bytes()


def test_a_task_that_is_run_in_place_is_a_job_too(tasks: ModuleType, events: Events) -> None:
    with tasks.audit.job("order", actor="user:ann"):
        tasks.send.apply([7])
        flowaudit.note(after="here")
    tasks.audit.flush()
    run, order = events("note")
    assert (run["route"], run["actor"]) == ("job:invoice.send", order["actor"])
    assert order["data"] == {"after": "here"}
