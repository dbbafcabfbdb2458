"""A pytest plugin that wraps every app of another project's tests: `pytest -p wrap_every_app`.

It stands where that project's own test client takes an app, so that its tests run unchanged with
flowaudit around it. `FLOWAUDIT_WRAP` says whose tests they are: one of `WRAPPERS`. One trail
takes the events of the whole run; the run fails if nothing was recorded, if anything of ours
failed, or if the trail does not verify. See `docs/third-party-suites.md`.
"""

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.verification.trail import verify_trail


class _Telling(FlowAudit):
    """Says what failed, where a `FlowAudit` of an app would only count it."""

    faults: set[str]

    def note_failure(self, error: BaseException) -> None:
        """Remember a fault of ours."""
        super().note_failure(error)
        where = traceback.extract_tb(error.__traceback__)[-1:]
        vars(self).setdefault("faults", set()).add(f"{error!r} at {where}")


def wrap_starlette(audit: FlowAudit) -> None:
    """Around each app that Starlette's `TestClient` is given."""
    from starlette import testclient

    from flowaudit_fastapi import FlowAuditMiddleware

    transport = testclient._TestClientTransport
    original = transport.__init__

    def init(self: Any, app: Any, *args: Any, **options: Any) -> None:
        original(self, FlowAuditMiddleware(app, audit=audit), *args, **options)

    transport.__init__ = init  # type: ignore[method-assign]


def wrap_flask(audit: FlowAudit) -> None:
    """Around each `Flask` that is made."""
    import flask

    from flowaudit_flask import FlowAuditFlask

    original = flask.Flask.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        FlowAuditFlask(self, audit=audit)

    flask.Flask.__init__ = init  # type: ignore[method-assign]


def wrap_flask_with_nothing(audit: FlowAudit) -> None:
    """Around each `Flask`, as Flask's documentation has it, with a middleware that does nothing.

    What fails with this as well is no doing of ours.
    """
    import flask

    original = flask.Flask.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        inner = self.wsgi_app
        self.wsgi_app = lambda environ, start_response: inner(environ, start_response)

    flask.Flask.__init__ = init  # type: ignore[method-assign]


def wrap_werkzeug(audit: FlowAudit) -> None:
    """Around each app that Werkzeug's `run_wsgi_app` runs, its `Client` included."""
    from werkzeug import test

    original = test.run_wsgi_app

    def run(app: Any, environ: Any, buffered: bool = False) -> Any:
        return original(audit.wsgi(app), environ, buffered)

    test.run_wsgi_app = run


WRAPPERS: dict[str, Callable[[FlowAudit], None]] = {
    "flask": wrap_flask,
    "flask-nothing": wrap_flask_with_nothing,
    "starlette": wrap_starlette,
    "werkzeug": wrap_werkzeug,
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the trail, and wrap before the tests import anything."""
    folder = Path(tempfile.mkdtemp(prefix="flowaudit-"))
    config.flowaudit_folder = folder
    config.flowaudit = _Telling(trail=folder / "t.db")
    WRAPPERS[os.environ["FLOWAUDIT_WRAP"]](config.flowaudit)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hold the trail to what it must be."""
    audit: FlowAudit = session.config.flowaudit
    audit.close()
    found = verify_trail(audit.paths.trail) if audit.paths.trail.exists() else None
    size = found.size if found is not None else 0
    is_whole = found is not None and found.ok and not any(audit.counters.values())
    session.config.flowaudit_line = f"flowaudit: {size} entries, whole: {is_whole}, " + ", ".join(
        f"{name}: {count}" for name, count in audit.counters.items()
    )
    is_ours = os.environ["FLOWAUDIT_WRAP"] != "flask-nothing"
    if is_ours and (not is_whole or size < 2):
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One line on what was recorded."""
    terminalreporter.write_line(getattr(config, "flowaudit_line", "flowaudit: no line"))
    for fault in sorted(vars(config.flowaudit).get("faults", ())):
        terminalreporter.write_line(f"  {fault}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    shutil.rmtree(config.flowaudit_folder, ignore_errors=True)
