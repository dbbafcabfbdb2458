"""One request into an app, in this process: bounded in time, and nothing it raises gets out."""

import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from werkzeug.test import EnvironBuilder

__all__ = ["PROBE_S", "Answer", "Asker", "Question", "WsgiAsker", "named"]

PROBE_S: Final = 10.0
"""Seconds that an app has for one request."""

MAX_BLOCKS: Final = 1_000
"""Blocks of an answer that are read; an endless one is closed then."""


class Question(NamedTuple):
    """What is asked."""

    method: str
    path: str
    """Percent-encoded."""
    host: str
    request_id: str
    is_websocket: bool = False


class Answer(NamedTuple):
    """What came of it."""

    status: int | None = None
    error: str | None = None
    """The exception that the app raised, or that it took too long."""


class Asker(Protocol):
    """Puts questions to one app."""

    is_stuck: bool
    """Whether something of the app still runs that nothing can end."""

    def ask(self, question: Question) -> Answer:
        """Ask once."""

    def close(self) -> None:
        """Let the app go."""


def named(error: BaseException) -> str:
    """What an app raised, without what it said: that may be anything."""
    return f"raised {type(error).__name__}"


class WsgiAsker:
    """Puts questions to a WSGI app, each in a thread of its own."""

    def __init__(self, app: Callable[..., Any], probe_s: float) -> None:
        self._app, self._probe_s = app, probe_s
        self.is_stuck = False

    def ask(self, question: Question) -> Answer:
        """Ask once."""
        answers: list[Answer] = []
        is_late = threading.Event()
        thread = threading.Thread(
            target=lambda: answers.append(self._answer(question, is_late)), daemon=True
        )
        thread.start()
        thread.join(self._probe_s)
        is_late.set()
        if thread.is_alive():
            thread.join(1.0)  # a stream ends at its next block
        self.is_stuck = self.is_stuck or thread.is_alive()
        return answers[0] if answers else Answer(error=f"no answer in {self._probe_s:g} s")

    def close(self) -> None:
        """Nothing to let go."""

    def _answer(self, question: Question, is_late: threading.Event) -> Answer:
        statuses: list[int] = []

        def start_response(status: str, headers: object, exc_info: object = None) -> Any:
            statuses.append(int(status[:3]))
            return lambda data: None

        error = None
        try:
            body = self._app(_environ(question), start_response)
            try:
                for count, _block in enumerate(body):
                    if is_late.is_set() or count >= MAX_BLOCKS:
                        break
            finally:
                if hasattr(body, "close"):
                    body.close()
        except BaseException as raised:
            error = named(raised)
        return Answer(statuses[-1] if statuses else None, error)


def _environ(question: Question) -> dict[str, Any]:
    headers = {
        "Accept": "*/*",
        "User-Agent": "flowaudit-coverage",
        "X-Request-ID": question.request_id,
    }
    builder = EnvironBuilder(
        path=urlsplit(question.path).path,
        method=question.method,
        base_url=f"http://{question.host}/",
        headers=list(headers.items()),
        environ_base={"REMOTE_ADDR": "127.0.0.1"},
    )
    try:
        return builder.get_environ()
    finally:
        builder.close()
