"""Builds that live as long as a module of tests: a scenario costs no more than its calls."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.event import flat_event
from flowaudit.trail.reader import TrailReader

from .build import Build
from .drivers import TIME_LIMIT_S, Answer, Call
from .events import Readable

USUAL = {
    "login_paths": ["/login"],
    "session_cookie": ["sid"],
    "query_keys": ["page"],
    "group_ms": 1,
}
MAKERS = {
    "starlette": ("starlette", "build_starlette", "build"),
    "fastapi": ("fastapi", "build_fastapi", "build"),
    "flask": ("flask", "build_flask", "build"),
    "django-wsgi": ("django", "build_django", "build_wsgi"),
    "django-asgi": ("django", "build_django", "build_asgi"),
    "raw-wsgi": ("flowaudit", "build_raw", "build_wsgi"),
    "raw-asgi": ("flowaudit", "build_raw", "build_asgi"),
}
"""For each build: what must be installed, and where it is made."""


@dataclass
class Running:
    """A build with the trail that it writes."""

    build: Build
    audit: FlowAudit
    seen: int = -1

    def run(self, calls: tuple[Call, ...]) -> list[Answer]:
        """Send one client's calls, with the cookies that it was given."""
        client, answers, jar = self.build.client, [], dict[str, str]()
        for call in calls:
            if jar:
                call = call.with_headers(cookie="; ".join(f"{k}={v}" for k, v in jar.items()))
            answer = client(call)
            jar |= answer.cookies()
            answers.append(answer)
        return answers

    def events(self) -> list[dict[str, Any]]:
        """What was recorded since the last time, readable."""
        assert self.audit.flush()
        trail = self.audit.paths.trail
        if not trail.exists():
            return []
        with TrailReader(trail) as reader:
            new = [flat_event(entry) for entry in reader.entries(self.seen + 1)]
        self.seen = max([self.seen, *(event["seq"] for event in new)])
        return Readable(self.audit, self.build).read(e for e in new if e["kind"] != "process")

    def await_events(self, count: int) -> list[dict[str, Any]]:
        """What was recorded since the last time, once there is as much as that.

        Sessions are numbered anew at each look, so they must not be in these.
        """
        found, end = self.events(), time.monotonic() + TIME_LIMIT_S
        while len(found) < count and time.monotonic() < end:
            time.sleep(0.005)
            found += self.events()
        return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """Gives the build of a name, made once for each set of settings."""
    made: dict[tuple[str, str], Running] = {}

    def get(name: str, settings: dict[str, Any] | None = None) -> Running:
        key = (name, repr(settings or {}))
        if key not in made:
            framework, module, function = MAKERS[name]
            pytest.importorskip(framework)
            folder: Path = tmp_path_factory.mktemp("conformance")
            audit = FlowAudit(trail=folder / "t.db", **USUAL | (settings or {}))
            maker = getattr(import_module(f"{__package__}.{module}"), function)
            made[key] = Running(maker(audit), audit)
        found = made[key]
        found.events()  # nothing of another test is left
        return found

    yield get
    for each in reversed(made.values()):
        each.build.close()
        each.audit.close()
