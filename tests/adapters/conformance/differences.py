"""What differs between builds by nature: declared once, with the reason.

`docs/adapters.md` has the same as a table; a test holds both against each other, and another
fails for a difference that is none any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from .build import BUILDS
from .scenario import ABSENT, PAGE
from .scenarios import SCENARIOS

__all__ = ["DIFFERENCES", "Difference", "expected_on", "table", "without_pages"]

WSGI: Final = ("flask", "django-wsgi", "raw-wsgi")
DJANGO: Final = ("django-wsgi", "django-asgi")
RAW: Final = ("raw-wsgi", "raw-asgi")

EVERY: Final = tuple(SCENARIOS)
SOCKETS: Final = tuple(name for name in SCENARIOS if SCENARIOS[name].is_websocket)


@dataclass(frozen=True)
class Difference:
    """One thing that some builds record differently, in some scenarios."""

    what: str
    builds: tuple[str, ...]
    scenarios: tuple[str, ...]
    why: str
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields of every event of the scenario that has them, and what they are instead."""
    event: int | None = None
    """The only event that is changed, by its place."""
    is_silent: bool = False
    """Nothing at all is recorded, or not that one event."""

    def apply(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The events of a scenario as these builds record them."""
        if self.is_silent:
            return [each for place, each in enumerate(events) if self.event not in (None, place)]
        return [
            each if self.event not in (None, place) else _changed(each, self.changes)
            for place, each in enumerate(events)
        ]


def _changed(event: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = event | changes
    return {name: value for name, value in merged.items() if value is not ABSENT}


DIFFERENCES: Final = (
    Difference(
        "no `route`",
        RAW,
        EVERY,
        "without a framework there is no route template",
        {"route": ABSENT},
    ),
    Difference(
        "no websockets",
        (*WSGI, "django-asgi"),
        SOCKETS,
        "WSGI has none, and Django itself answers none",
        is_silent=True,
    ),
    Difference(
        "no `bytes_in` of a chunked upload",
        (*WSGI, "django-asgi"),
        ("upload-chunked",),
        "only ASGI messages are counted as they are read; else Content-Length tells",
        {"bytes_in": ABSENT},
    ),
    Difference(
        "`ok` where a client left while a handler worked",
        WSGI,
        ("client-left-while-it-works",),
        "nothing tells a WSGI app; only a block that can't be sent does",
        {"status": 200, "outcome": "ok", "reason": ABSENT},
    ),
    Difference(
        "no `bytes_out` where a client left while a handler worked",
        ("django-asgi",),
        ("client-left-while-it-works",),
        "Django ends the handler; the others answer all the same",
        {"bytes_out": ABSENT},
    ),
    Difference(
        "nothing of what is said in a response's `close()`",
        DJANGO,
        ("deployment-after-the-answer", "sign-in-after-the-answer"),
        "Django closes it outside the middleware; "
        "`audit.wsgi(…)`, `audit.asgi(…)` around all of it see it",
        event=1,
        is_silent=True,
    ),
    Difference(
        "no `session` of anonymous people",
        ("flask",),
        ("anonymous-session",),
        "Flask's session is a cookie without an id, the same for many until somebody signs in",
        {"session": ABSENT},
    ),
    Difference(
        "no `session` before the sign-in",
        ("flask",),
        ("session-changes-at-sign-in",),
        "as above",
        {"session": ABSENT},
        event=0,
    ),
    Difference(
        "no `data.previous_session` of a sign-in",
        ("flask",),
        ("session-changes-at-sign-in",),
        "as above, unless the session before it has a CSRF token, which is random",
        {"session": "session 1", "data": ABSENT},
        event=1,
    ),
    Difference(
        "the session after the sign-in is the first",
        ("flask",),
        ("session-changes-at-sign-in",),
        "as above",
        {"session": "session 1"},
        event=2,
    ),
    Difference(
        "`status` 302 where sign-in is needed",
        ("flask", *DJANGO),
        ("members-anonymous",),
        "`login_required` of Flask-Login and Django redirects",
        {"status": 302},
    ),
    Difference(
        "`status` 303 where sign-in is needed",
        ("starlette",),
        ("members-anonymous",),
        "`requires(…, redirect=…)` redirects",
        {"status": 303},
    ),
    Difference(
        "`status` 400 of a failed CSRF check",
        ("flask",),
        ("csrf", "origin"),
        "Flask-WTF answers 400",
        {"status": 400},
    ),
    Difference(
        "`reason` `csrf` of a foreign origin",
        ("flask",),
        ("origin",),
        "Flask-WTF looks at the token alone; the flag `origin-mismatch` is there",
        {"reason": "csrf"},
    ),
    Difference(
        "`error` of a permission exception that a handler answers with 500",
        ("flask",),
        ("permission-made-a-500",),
        "Flask tells nobody of an exception that a handler answers; say `flowaudit.deny()` there",
        {"outcome": "error", "reason": "status"},
    ),
    Difference(
        "OPTIONS is `ok`",
        ("flask",),
        ("options",),
        "Flask answers OPTIONS by itself",
        {"status": 200, "outcome": "ok", "reason": ABSENT},
    ),
    Difference(
        "a double slash is a redirect",
        ("flask",),
        ("double-slash",),
        "Werkzeug merges slashes and sends people there",
        {"status": 308, "outcome": "ok", "reason": ABSENT},
    ),
    Difference(
        "`route` `/static/{filename}`",
        ("flask",),
        ("static-file",),
        "Flask's own name in its own route",
        {"route": "/static/{filename}"},
    ),
)


def expected_on(
    build: str, scenario: str, *, without: Difference | None = None
) -> list[dict[str, Any]]:
    """The events of a scenario on a build, with what is declared to differ there."""
    events = list(SCENARIOS[scenario].events)
    for each in DIFFERENCES:
        if each is not without and build in each.builds and scenario in each.scenarios:
            events = each.apply(events)
    return events


def without_pages(
    expected: list[dict[str, Any]], found: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Both without the length of pages that frameworks write themselves."""
    pages = {place for place, each in enumerate(expected) if each.get("bytes_out") == PAGE}

    def strip(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in each.items() if name != "bytes_out"}
            if place in pages
            else each
            for place, each in enumerate(events)
        ]

    return strip(expected), strip(found)


def table() -> Iterable[str]:
    """The declared differences as the lines of a Markdown table."""
    yield "| what differs | on | in | why |"
    yield "|---|---|---|---|"
    for each in DIFFERENCES:
        builds = ", ".join(name for name in BUILDS if name in each.builds)
        all_of = {EVERY: "every scenario", SOCKETS: "every websocket"}
        scenarios = all_of.get(each.scenarios) or ", ".join(each.scenarios)
        yield f"| {each.what} | {builds} | {scenarios} | {each.why} |"
