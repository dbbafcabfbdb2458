"""Runs Django's own test suite twice, as it is and with every app wrapped, and compares.

    python tests/third_party/run_django.py [--wrap both] [--jobs N] DJANGO [LABEL …]

DJANGO is an unpacked source archive of the installed Django's version. Wrapped means that our
middleware stands first in every handler; with `--wrap both` also that a wrapper of ours stands
around every WSGI and ASGI call. Exit status 0 only if both runs give the same counts and the same
failures, but for the tests of `LOOK_AT_THE_RESPONSE` and `NOBODY_LISTENS`, and nothing of ours
was lost or failed.
"""

import argparse
import atexit
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

HANDLERS = (
    "test_client test_client_regress handlers middleware middleware_exceptions csrf_tests "
    "sessions_tests auth_tests admin_views asgi wsgi servers staticfiles_tests file_uploads "
    "requests_tests responses httpwrappers generic_views view_tests urlpatterns messages_tests "
    "i18n cache"
).split()
"""Suites that go through handlers: what is run without labels."""

LOOK_AT_THE_RESPONSE = {
    "test_bad_path_info (handlers.tests.HandlerTests.test_bad_path_info)",
    "test_invalid_multipart_boundary (handlers.tests.HandlerTests.test_invalid_multipart_boundary)",
    "test_get_wsgi_application (wsgi.tests.WSGITest.test_get_wsgi_application)",
    *(
        f"{test} (handlers.test_exception.ExceptionHandlerTests.{test})"
        for test in (
            "test_data_upload_max_memory_size_exceeded",
            "test_data_upload_max_number_fields_exceeded",
            "test_data_upload_max_number_files_exceeded",
        )
    ),
}
"""Tests that take what a WSGI app returns for Django's own response: no server may, and a wrapper
around the app returns an iterable of its own. With the middleware alone they must pass.
"""

NOBODY_LISTENS = {
    "test_disconnect_in_dispatch (signals.tests.SignalTests.test_disconnect_in_dispatch)",
}
"""Tests that want a signal of Django's to have no receiver in the whole process."""

WRAPS = "FLOWAUDIT_WRAPS"
COUNTERS = "flowaudit counters:"
RESULT = re.compile(r"^(?:FAIL|ERROR|UNEXPECTED SUCCESS): (.+)$", re.MULTILINE)
COUNTS = re.compile(r"^Ran (\d+) tests? in .*$|^(?:OK|FAILED)(?: \((.*)\))?$", re.MULTILINE)


@dataclass
class Outcome:
    """What one run came to."""

    tests: int = 0
    counts: str = ""
    failed: set[str] = field(default_factory=set)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("django", type=Path, metavar="DJANGO")
    parser.add_argument("--jobs", default="1", help="processes (default 1)")
    parser.add_argument("--wrap", choices=("middleware", "both"), default="middleware")
    parser.add_argument("--output", type=Path, help="folder for the whole output of both runs")
    parser.add_argument("labels", nargs="*", metavar="LABEL")
    args = parser.parse_intermixed_args()
    labels = [] if args.labels == ["all"] else args.labels or HANDLERS
    with tempfile.TemporaryDirectory(prefix="flowaudit-") as folder:
        output = args.output or Path(folder)
        output.mkdir(parents=True, exist_ok=True)
        trail, django = Path(folder) / "t.db", args.django.resolve()
        plain = run(django, labels, args.jobs, output / "plain.txt", {})
        environ = {WRAPS: args.wrap, "FLOWAUDIT_TRAIL": str(trail)}
        wrapped = run(django, labels, args.jobs, output / "wrapped.txt", environ)
        is_whole = recorded(trail, output / "wrapped.txt")
    is_both = args.wrap == "both"
    expected = NOBODY_LISTENS | (LOOK_AT_THE_RESPONSE if is_both else set())
    return max(compare(plain, wrapped, expected), not is_whole)


def run(
    django: Path, labels: list[str], jobs: str, output: Path, environ: dict[str, str]
) -> Outcome:
    """Run the suite once, in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(django), **environ}
    command = [sys.executable, __file__, "--inside", str(django), f"--parallel={jobs}", *labels]
    with output.open("w") as file:
        subprocess.run(
            command, cwd=django / "tests", env=environ, stdout=file, stderr=file, check=False
        )
    text, outcome = output.read_text("utf-8", "replace"), Outcome()
    for tests, counts in COUNTS.findall(text):
        outcome.tests, outcome.counts = int(tests or outcome.tests), counts or outcome.counts
    outcome.failed = set(RESULT.findall(text))
    print(f"{output.stem}: {outcome.tests} tests; {outcome.counts or 'no failures'}", flush=True)
    return outcome


def compare(plain: Outcome, wrapped: Outcome, expected: set[str]) -> int:
    """Say what differs."""
    excused = (wrapped.failed - plain.failed) & expected
    if excused:
        print(f"{len(excused)} tests can't but differ, for the reasons in {Path(__file__).name}")
        wrapped.failed -= excused
        wrapped.counts = plain.counts if wrapped.failed == plain.failed else wrapped.counts
    for name in sorted(wrapped.failed - plain.failed):
        print(f"only wrapped: {name}")
    for name in sorted(plain.failed - wrapped.failed):
        print(f"only plain: {name}")
    is_same = plain == wrapped and plain.tests > 0
    print("the same" if is_same else "NOT the same")
    return 0 if is_same else 1


def recorded(trail: Path, output: Path) -> bool:
    """Say what the wrapped run has put into its trail; tells whether it is whole and holds."""
    from flowaudit.trail.paths import TrailPaths
    from flowaudit.verification.trail import verify_trail

    found = verify_trail(TrailPaths.of(trail))
    print(f"trail: {found.size} entries; {'holds' if found.ok else found.problems}")
    lines = re.findall(rf"^{COUNTERS} (.*)$", output.read_text("utf-8", "replace"), re.MULTILINE)
    print(f"lost or failed of ours: {', '.join(lines) or 'not told'}")
    is_clean = len(lines) > 0 and not any(any(json.loads(line).values()) for line in lines)
    return found.ok and found.size > 1 and is_clean


class Prepended:
    """Django's settings, but that our middleware stands first in `MIDDLEWARE`."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._settings, name)
        return ["flowaudit_django.FlowAuditMiddleware", *value] if name == "MIDDLEWARE" else value


def wrap(*, is_outside: bool) -> None:
    """Wrap every app of this process: the suite's settings and handlers are made anew in tests."""
    from django.core.handlers import asgi, base, wsgi

    from flowaudit_django import get_audit

    base.settings = Prepended(base.settings)
    atexit.register(lambda: print(f"\n{COUNTERS} {json.dumps(get_audit().counters)}", flush=True))
    if not is_outside:
        return
    call_wsgi, call_asgi = wsgi.WSGIHandler.__call__, asgi.ASGIHandler.__call__

    def wsgi_call(self: Any, environ: Any, start_response: Any) -> Any:
        return get_audit().wsgi(partial(call_wsgi, self))(environ, start_response)

    async def asgi_call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        await get_audit().asgi(partial(call_asgi, self))(scope, receive, send)

    wsgi.WSGIHandler.__call__, asgi.ASGIHandler.__call__ = wsgi_call, asgi_call


def inside(django: Path, arguments: list[str]) -> None:
    """Become Django's own test runner."""
    sys.path.insert(0, str(django / "tests"))
    sys.argv = ["runtests.py", *arguments]
    if WRAPS in os.environ:
        wrap(is_outside=os.environ[WRAPS] == "both")
    runpy.run_path(str(django / "tests" / "runtests.py"), run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(Path(sys.argv[2]), sys.argv[3:])
    else:
        sys.exit(main())
