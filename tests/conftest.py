"""Fixtures that every part of the suite may use."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from flowaudit import FlowAudit
from flowaudit.capture.context import current
from flowaudit.event import flat_event
from flowaudit.trail.opening import open_reader
from flowaudit.verification.trail import verify_trail
from tests.postgres import Server, binaries, running

# no time limit for an example, since machines differ; in CI the same examples each time, so that
# a red run is about the change: new ones are looked for at the desk and in the soak
settings.register_profile("suite", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FLOWAUDIT_")]:
        if name != "FLOWAUDIT_SOAK":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_request_from_before() -> None:
    """A test that plays a WSGI server and closes no answer leaves its request in the thread."""
    current.set(None)


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return tmp_path / "t.db"


@pytest.fixture
def make_audit(trail: Path) -> Iterator[Callable[..., FlowAudit]]:
    made: list[FlowAudit] = []

    def make(**settings: Any) -> FlowAudit:
        audit = FlowAudit(trail=getattr(trail, "uri", trail), **settings)
        made.append(audit)
        return audit

    yield make
    for audit in made:
        audit.close()


@pytest.fixture
def audit(make_audit: Callable[..., FlowAudit]) -> FlowAudit:
    return make_audit()


@pytest.fixture
def events(trail: Path) -> Callable[..., list[dict[str, Any]]]:
    """Flat events of the trail, process events left out unless asked for; of those alone, the one
    that tells of the signing key is left out.
    """

    def read(*kinds: str) -> list[dict[str, Any]]:
        with open_reader(trail) as reader:
            flat = [flat_event(entry) for entry in reader.entries()]
        if kinds:
            hidden = "key" if kinds == ("process",) else None
            return [e for e in flat if e["kind"] in kinds and e.get("action", "") != hidden]
        return [event for event in flat if event["kind"] != "process"]

    return read


@pytest.fixture
def holds(trail: Path) -> Callable[[], None]:
    def check() -> None:
        found = verify_trail(trail)
        assert found.ok, found.problems

    return check


@pytest.fixture
def sql(trail: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Run a statement on the trail's file, as a hand with the sqlite3 shell would."""
    return lambda statement, *values: run_sqlite(trail, statement, *values)


def run_sqlite(file: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(file)
    try:
        with db:
            return db.execute(statement, values).fetchall()
    finally:
        db.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL of these tests' own."""
    if binaries() is None:
        message = "no PostgreSQL on this machine: nothing was tried with a trail in a database"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        message = "no chromium on PATH: nothing was looked at in a browser"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
