"""One request over WSGI on its way: what the app returns is watched, and none of it changed."""

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final

from .context import current
from .facts import Facts, set_cookie_value
from .files import is_servers_file
from .heads import MAX_LENGTH_DIGITS
from .intake import Intake
from .readable import readable_text
from .short import WITHOUT_BODY, note_shortness
from .streams import has_blocks
from .wsgi_body import SizedBody, WatchedBody

__all__ = [
    "ENRICH_KEY",
    "ENVIRON_KEY",
    "Enrich",
    "Environ",
    "ExcInfo",
    "Exchange",
    "StartResponse",
    "WSGIApp",
    "Write",
    "lasting_headers",
]

Environ = dict[str, Any]
ExcInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None] | None
)
Write = Callable[[bytes], object]
StartResponse = Callable[..., Write]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Enrich = Callable[[Environ, Facts], None]

ENVIRON_KEY: Final = "flowaudit.facts"
"""Where the outer wrapper leaves the request's facts, so that an inner one only enriches."""

_WHOLE: Final = (list, tuple)
"""Answers that are there at once; a class that inherits from one of these may do more."""

ENRICH_KEY: Final = "flowaudit.enrich"
"""Where an inner wrapper leaves what its framework can tell, for the outer one to call."""


def lasting_headers(headers: Any) -> Any:
    """Headers that the server can read after us, where an app gives some that pass only once."""
    return list(headers) if isinstance(headers, Iterator) else headers


class Exchange:
    """One request on its way: status, length and bytes as they pass.

    Args:
        audit: where its event goes.
        enrich: called with the environ before the event is made: what a framework knows.
        environ: as the server gave it.
        facts: of this request.
        start: the server's `start_response`.
        around: the request that sends this one in its own thread, if any.
    """

    __slots__ = (
        "around",
        "audit",
        "enrich",
        "environ",
        "expected",
        "facts",
        "headers",
        "start",
        "write",
    )

    def __init__(
        self,
        audit: Intake,
        enrich: Enrich | None,
        environ: Environ,
        facts: Facts,
        start: StartResponse,
        around: Facts | None,
    ) -> None:
        self.audit, self.enrich, self.environ = audit, enrich, environ
        self.facts, self.start, self.around = facts, start, around
        self.expected: int | None = None
        """The answer's Content-Length, where the app gave one."""

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo = None
    ) -> Write:
        """The server's `start_response`, watched."""
        if headers.__class__ is not list:
            headers = lasting_headers(headers)
        self.note_answer(status, headers)
        return self.pass_on(status, headers, exc_info)

    def pass_on(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo = None
    ) -> Write:
        """Let the server begin the answer."""
        start = self.start
        self.write = start(status, headers, exc_info) if exc_info else start(status, headers)
        return self.watched_write

    def note_answer(self, status: str, headers: list[tuple[str, str]]) -> None:
        """What an answer's head tells: its status and length, where it leads, a new session."""
        facts = self.facts
        self.expected, self.headers = None, headers
        try:
            code = status[:3]
            facts.status = int(code) if code.isdecimal() else None
            for name, value in headers:
                lowered = name.lower()
                if lowered == "content-length":
                    is_number = value.isdecimal() and len(value) < MAX_LENGTH_DIGITS
                    self.expected = int(value) if is_number else None
                elif lowered == "location":
                    facts.location = value
                elif lowered == "set-cookie" and (cookies := self.audit.settings["session_cookie"]):
                    session = set_cookie_value(value, cookies)
                    facts.new_session = session or facts.new_session
        except Exception as error:
            self.audit.note_failure(error)

    def watched_write(self, data: bytes) -> object:
        """The server's `write`, watched."""
        self.count(data)
        try:
            return self.write(data)
        except OSError:  # what a server raises once the client is gone
            self.facts.disconnected = self.facts.disconnected or not self.facts.done
            raise

    def count(self, data: bytes) -> None:
        """A block is about to go to the server; the last one takes the event with it."""
        facts = self.facts
        self.weigh(data)
        if self.expected is not None and facts.bytes_out >= self.expected:
            self.finish()
        elif facts.status is None and facts.bytes_out:
            self.finish()  # no server takes bytes before `start_response`: it answers with 500

    def weigh(self, *blocks: bytes) -> None:
        """Count bytes; a block that no server would take is the server's to refuse."""
        try:
            for block in blocks:
                self.facts.bytes_out += len(block)
        except Exception as error:
            self.audit.note_failure(error)

    def leave(self) -> None:
        """The request is over in this thread, unless another one has begun meanwhile."""
        if current.get() is self.facts:
            around = self.around
            current.set(around if around is not None and not around.done else None)

    def finish(self) -> None:
        """The answer is whole: make its event, after the framework has told what it knows."""
        facts = self.facts
        if facts.done:
            return
        if facts.status is None and not self.is_handed_over():
            facts.status = 500  # the server's answer to an app that never began one
        self.add_enrichment()
        if not self.audit.finish_at_once(facts):
            self.audit.finish_slowly(facts)
        if self.around is not None and not self.around.done:
            self.leave()  # whoever sends a request of its own may never close the answer

    def add_enrichment(self) -> None:
        """Let the framework tell what it knows."""
        enrich = self.environ.get(ENRICH_KEY, self.enrich)
        if enrich is not None:
            try:
                enrich(self.environ, self.facts)
            except Exception as error:
                self.audit.note_failure(error)

    def end(self) -> None:
        """The app has come to the end of its answer, which may be less than it has announced."""
        if self.expected is not None and self.facts.bytes_out < self.expected:
            try:
                note_shortness(self.facts, self.expected, (name for name, _ in self.headers))
            except Exception as error:
                self.audit.note_failure(error)
        self.finish()

    def fail(self, error: BaseException) -> None:
        """The app raised past everything."""
        facts = self.facts
        if facts.done:
            self.audit.hear_failure(facts, error)
            return
        if not (isinstance(error, StopIteration) and self.is_handed_over()):
            facts.exception = error
            if not facts.bytes_out:
                facts.status = 500  # no head has gone yet: the server answers in the app's place
        self.finish()

    def is_handed_over(self) -> bool:
        """Whether the app answers on the server's socket by itself, as for a websocket, so that
        nothing of it passes here.
        """
        facts = self.facts
        upgrade = self.environ.get("HTTP_UPGRADE") if facts.status is None else None
        return facts.exception is None and readable_text(upgrade).lower() == "websocket"

    def abandon(self) -> None:
        """The server closed the answer: whole, or because the client left."""
        facts = self.facts
        if facts.done:
            return
        is_bodiless = facts.method == "HEAD" or facts.status in WITHOUT_BODY
        facts.disconnected = not (is_bodiless or self.expected == 0 or self.is_handed_over())
        if facts.disconnected and facts.status is None:
            facts.status = 499
        self.finish()

    def wrap(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The app's iterable: itself where the event can be made at once, else watched."""
        facts = self.facts
        if type(body) in _WHOLE and facts.status is not None:
            self.weigh(*body)
            if self.expected is None or facts.bytes_out >= self.expected:
                self.finish()
            else:
                self.end()
            self.leave()
            return body
        if is_servers_file(self.environ, body):
            # it must reach the server as what it is, so that sendfile can be used
            facts.bytes_out += self.expected or 0
            self.finish()
            self.leave()
            return body
        if not has_blocks(body):
            return self.let_pass(body)
        return SizedBody(body, self) if hasattr(body, "__len__") else WatchedBody(body, self)

    def let_pass(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """What is no answer: a server knows it for its own sign, or refuses it with 500."""
        if not self.is_handed_over():
            self.facts.exception = TypeError(f"{type(body).__name__} is no answer")
            if not self.facts.bytes_out:
                self.facts.status = 500
        self.finish()
        self.leave()
        return body
