"""Asks an app for everything that it answers to, and tells what of it left no event."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

from ..capture.diversion import Divertible, diverted
from ..errors import AppError
from ..event import flat_event
from ..trail.opening import open_reader, trail_exists
from .asgi import AsgiAsker
from .asking import PROBE_S, Answer, Asker, Question, WsgiAsker
from .endpoint import Endpoint
from .loading import Interface, interface_of, load_app
from .walk import walk

__all__ = ["Coverage", "Probe", "Result", "look"]

Result = Literal["covered", "uncovered", "left-out", "not-probed"]

HOST: Final = "localhost"
"""What is asked for where no host is wanted."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One endpoint, and what came of asking it."""

    endpoint: Endpoint
    result: Result
    asked: str | None = None
    """Method and path."""
    status: int | None = None
    detail: str | None = None
    """Why it was not asked, by which rule it is left out, or what the app raised."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an app's endpoints came to."""

    app: str
    interface: Interface
    audits: int
    """How many `FlowAudit` there were."""
    probes: tuple[Probe, ...]
    is_stuck: bool
    """Whether something of the app still runs that nothing can end."""

    def count(self, result: Result) -> int:
        """How many probes came to this."""
        return sum(probe.result == result for probe in self.probes)

    @property
    def kinds(self) -> Counter[str]:
        """How many endpoints there are of each kind."""
        return Counter(probe.endpoint.kind for probe in self.probes)


def look(spec: str) -> Coverage:
    """Import an app, ask it, and read what was recorded. Nothing is left behind.

    Raises `AppError` if the app cannot be imported, or is none.
    """
    with TemporaryDirectory(prefix="flowaudit-") as folder, diverted(Path(folder)) as audits:
        app = load_app(spec)
        interface = interface_of(app)
        if interface is None:
            raise AppError(f"{spec} is a {type(app).__name__}, neither an ASGI nor a WSGI app")
        asker: Asker = (AsgiAsker if interface == "asgi" else WsgiAsker)(app, PROBE_S)
        with closing(asker):
            asked = [
                (endpoint, *_asked(asker, endpoint, interface, audits)) for endpoint in walk(app)
            ]
        recorded = _recorded(audits())
        probes = tuple(_probe(recorded, *each) for each in asked)
        return Coverage(spec, interface, len(audits()), probes, asker.is_stuck)


def _asked(
    asker: Asker, endpoint: Endpoint, interface: Interface, audits: Callable[[], list[Divertible]]
) -> tuple[Question | None, Answer, str | None]:
    """What was asked, what came, and the rule of the policy that leaves it out."""
    is_websocket = endpoint.kind == "websocket"
    if endpoint.sample is None or (is_websocket and interface == "wsgi"):
        return None, Answer(error=endpoint.why_not or "WSGI has no websockets"), None
    question = Question(
        endpoint.asked_with,
        endpoint.sample,
        endpoint.host or HOST,
        uuid.uuid4().hex,
        is_websocket,
    )
    before = _left_out(audits())
    answer = asker.ask(question)
    rules = _left_out(audits()) - before
    return question, answer, next(iter(rules), None)


def _left_out(audits: Iterable[Divertible]) -> Counter[str]:
    total: Counter[str] = Counter()
    for audit in audits:
        total.update(audit.left_out)
    return total


def _recorded(audits: Iterable[Divertible]) -> frozenset[Any]:
    """The request ids of every event of a request or websocket."""
    found = set()
    for audit in audits:
        audit.flush()
        if trail_exists(audit.paths):
            with open_reader(audit.paths) as reader:
                events = [flat_event(entry) for entry in reader.entries()]
            found |= {e.get("request") for e in events if e["kind"] in ("request", "websocket")}
    return frozenset(found)


def _probe(
    recorded: frozenset[Any],
    endpoint: Endpoint,
    question: Question | None,
    answer: Answer,
    rule: str | None,
) -> Probe:
    if question is None:
        return Probe(endpoint, "not-probed", detail=answer.error)
    asked = f"{'websocket' if question.is_websocket else question.method} {question.path}"
    if question.request_id in recorded:
        return Probe(endpoint, "covered", asked, answer.status, answer.error)
    if rule is not None:
        return Probe(endpoint, "left-out", asked, answer.status, f"left out by the policy: {rule}")
    return Probe(endpoint, "uncovered", asked, answer.status, answer.error)
