"""Draws requests and websockets from a seed, odd ones too, and what may never come of them."""

import asyncio
import os
import random
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

import flowaudit
from flowaudit import FlowAudit
from flowaudit.event import flat_event
from flowaudit.trail.reader import TrailReader
from flowaudit.verification.trail import verify_trail

__all__ = ["BATCH", "POLICIES", "Boom", "Dice", "Fuzzed", "fuzzed_audit", "fuzzing", "same_error"]

BATCH = 50
"""Requests drawn from one seed."""

EXAMPLES = 2_000 if os.environ.get("FLOWAUDIT_SOAK") else 200

fuzzing = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


class Boom(Exception):
    pass


class Rude(BaseException):
    """As some libraries raise to stop a worker."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even a text")

    __repr__ = __str__


ERRORS: list[Callable[[], BaseException]] = [
    Boom,
    Rude,
    Unprintable,
    PermissionError,
    asyncio.CancelledError,
    SystemExit,
    GeneratorExit,
    KeyboardInterrupt,
    RecursionError,
    MemoryError,
    UnicodeError,
]


class Dice(random.Random):
    """Draws requests from a seed: much faster than a strategy for each part of them."""

    def any_of(self, *some: Any) -> Any:
        return self.choice(some)

    def raw(self) -> bytes:
        """Mostly what is seen, sometimes anything at all."""
        roll = self.random()
        if roll < 0.5:
            return self.any_of(
                b"", b"/", b"/items/7", b"text/html", b"\xff\x00", b"\r\n", b"%00%2e"
            )
        if roll < 0.97:
            return self.randbytes(self.randrange(24))
        return self.randbytes(self.randint(1, 2)) * self.randrange(9_000)

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(self.choice(HEADERS), self.raw()) for _ in range(self.randrange(6))]

    def method(self) -> str:
        return self.any_of("GET", "POST", "HEAD", "M-SEARCH", "get", "", "ÄÖ", "G" * 300, "\x00")

    def text(self, most: int) -> str:
        return "".join(chr(self.randint(0, most)) for _ in range(self.randrange(9)))

    def some(self, draw: Callable[[], Any], most: int) -> list[Any]:
        return [draw() for _ in range(self.randrange(most + 1))]

    def error(self) -> BaseException | None:
        return self.choice(ERRORS)() if self.random() < 0.3 else None

    def say(self) -> Callable[[], object]:
        return self.choice(SPEECH) if self.random() < 0.5 else lambda: None


HEADERS = [
    b"host",
    b"user-agent",
    b"accept",
    b"cookie",
    b"referer",
    b"x-forwarded-for",
    b"forwarded",
    b"x-request-id",
    b"traceparent",
    b"origin",
    b"x-original-url",
    b"x-http-method-override",
    b"content-length",
    b"content-type",
    b"purpose",
    b"hx-request",
    b"sec-fetch-dest",
    b"\xff",
    b"",
]
SPEECH: list[Callable[[], object]] = [
    lambda: flowaudit.identify("user:1", roles=["\ud800", None, 3], kind="king"),  # type: ignore[list-item]
    lambda: flowaudit.identify(None),  # type: ignore[arg-type]
    lambda: flowaudit.identify("\ud800" * 4_000, via="x"),
    lambda: flowaudit.resource("\x00", object(), rows=-1),
    lambda: flowaudit.deny("\ud800 ALL caps!"),
    lambda: flowaudit.hide(),
    lambda: flowaudit.note(**{"a": float("nan"), "b": {"c": [object()]}, "\xff": 1}),
    lambda: flowaudit.note(big="x" * 9_000),
    lambda: flowaudit.step("", ""),
    lambda: flowaudit.record("no such kind"),
    lambda: flowaudit.login("user:\udfff", name="\x00"),
    lambda: flowaudit.login_failed(None),
    lambda: flowaudit.logout(),
]

POLICIES = {
    "default": "",
    "payload": '[[policy]]\npath = "/**"\nlevel = "payload"\nrequest_json = ["/a"]\n'
    'request_form = ["b"]\nresponse_json = ["/c"]\nmax_bytes = 1000\n',
}

OURS = str(Path(flowaudit.__file__).parent)

Fuzzed = tuple[FlowAudit, list[int]]
"""An audit, and how many requests or websockets it should have by now."""


@contextmanager
def fuzzed_audit(folder: Path, policy: str) -> Iterator[Fuzzed]:
    """Gives what is fuzzed; at the end every event must be there, and the trail hold."""
    file = folder / "flowaudit.toml"
    file.write_text(POLICIES[policy])
    audit = FlowAudit(
        trail=folder / "t.db",
        policy=file,
        session_cookie=["sid"],
        query_keys=["q"],
        login_paths=["/login"],
        trusted_proxies=["10.0.0.0/8"],
    )
    expected = [0]
    yield audit, expected
    audit.close()
    assert audit.counters["lost"] == 0
    with TrailReader(folder / "t.db") as reader:
        events = [flat_event(entry) for entry in reader.entries()]
    talks = "".join(event["action"][0] for event in events if event["kind"] == "websocket")
    assert re.fullmatch("(ac|r)*", talks)  # accepted and closed, or refused
    ended = len(talks) - talks.count("a")
    assert sum(event["kind"] == "request" for event in events) + ended == expected[0]
    assert not [event for event in events if event["kind"] == "gap"]
    found = verify_trail(folder / "t.db")
    assert found.ok, found.problems


def same_error(raised: BaseException | None, error: BaseException | None) -> None:
    """The app's own, unchanged, and its traceback ends outside of us."""
    assert raised is error, (raised.__class__, error.__class__)
    if raised is not None:
        assert raised.__cause__ is None
        assert not traceback.extract_tb(raised.__traceback__)[-1].filename.startswith(OURS)
