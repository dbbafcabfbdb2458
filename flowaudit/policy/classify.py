"""The outcome table: cause → (outcome, reason). The only source of both.

`docs/outcomes.md` has the table for people; the first row that fits wins. Capture tells causes,
importers only a status.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

__all__ = [
    "CAUSES",
    "CLOSE_STATUS",
    "DENIED_OUTCOMES",
    "INCOMPLETE",
    "OUTCOMES",
    "PERMISSION_EXCEPTIONS",
    "Outcome",
    "Verdict",
    "classify",
    "classify_status",
    "clean_reason",
    "exception_chain",
    "is_permission_exception",
    "says_gone",
]

Outcome = Literal["ok", "denied", "hidden", "throttled", "error", "missing", "invalid", "aborted"]

OUTCOMES: Final[tuple[str, ...]] = Outcome.__args__  # type: ignore[attr-defined]

DENIED_OUTCOMES: Final = frozenset({"denied", "hidden"})
"""What the word `denied` counts."""

CLIENT_LEFT: Final = 499
"""Status of a request whose client left before any response had started (nginx's number)."""

CAUSES: Final = {
    "bad-credentials": "denied",
    "locked": "denied",
    "login-required": "denied",
    "csrf": "denied",
    "origin": "denied",
    "bad-host": "denied",
    "forbidden": "denied",
    "method": "denied",
    "rate-limit": "throttled",
    "too-large": "invalid",
    "validation": "invalid",
}
"""What a framework's signal or an adapter can tell, in the order of the table."""

INCOMPLETE: Final = "incomplete"
"""Cause of an answer that ended, by the app's own doing, before the length that it had announced.
It says something only of what would be `ok`: a refusal stays one, however short it is.
"""

PERMISSION_EXCEPTIONS: Final = frozenset(
    {
        "builtins.PermissionError",
        "django.core.exceptions.PermissionDenied",
        "flask_principal.PermissionDenied",
        "rest_framework.exceptions.PermissionDenied",
        "werkzeug.exceptions.Forbidden",
    }
)
"""Classes whose raising is a refusal, even if a broken handler turns them into a 500."""

GONE_EXCEPTIONS: Final = frozenset({"starlette.websockets.WebSocketDisconnect"})
"""Classes that tell an app that the other side of a websocket has gone."""

CLOSE_STATUS: Final[dict[int | None, int]] = {
    1002: 400,  # protocol error
    1003: 415,  # unsupported data
    1007: 400,  # invalid data
    1008: 403,  # policy violation
    1009: 413,  # message too big
    1011: 500,  # internal error
    1013: 429,  # try again later
    1014: 502,  # bad gateway
    4400: 400,
    4401: 401,
    4403: 403,
    4406: 406,
    4408: 408,
    4409: 409,
    4429: 429,
    4500: 500,
}
"""The code that an app closes a websocket with, and the status that says the same: of IANA's
registry, and of the private range (RFC 6455 §7.4.2) what graphql-ws has made usual.
"""

MAX_CHAIN: Final = 16
"""Exceptions that are looked at behind one: each was raised while the next was handled."""

REASON: Final = re.compile(r"[a-z0-9-]{1,40}")
"""Shape of a reason that an application gives."""


class Verdict(NamedTuple):
    """What a request came to."""

    outcome: str
    reason: str | None


_OK: Final = Verdict("ok", None)
_BAD_REQUEST: Final = Verdict("invalid", "bad-request")
_ERROR: Final = Verdict("error", "status")
_CLIENT_LEFT: Final = Verdict("aborted", "client-left")
_INCOMPLETE: Final = Verdict("error", INCOMPLETE)

_BY_STATUS: Final[dict[int, Verdict]] = {
    401: Verdict("denied", "login-required"),
    403: Verdict("denied", "forbidden"),
    404: Verdict("missing", "not-found"),
    405: Verdict("denied", "method"),
    407: Verdict("denied", "login-required"),
    410: Verdict("missing", "not-found"),
    413: Verdict("invalid", "too-large"),
    414: Verdict("invalid", "too-large"),
    422: Verdict("invalid", "validation"),
    423: Verdict("denied", "locked"),
    429: Verdict("throttled", "rate-limit"),
    431: Verdict("invalid", "too-large"),
    451: Verdict("denied", "legal"),
    CLIENT_LEFT: _CLIENT_LEFT,
    501: Verdict("denied", "method"),
}

_MAY_COME_OF_LEAVING: Final = frozenset(
    [None, "bad-request", "client-left", "status", "validation"]
)
"""Reasons of answers that half a request, or nobody to answer, may have brought about."""


def classify_status(status: int | None) -> Verdict:
    """What the table makes of a status alone, as for an imported line.

    A 4xx that is not in the table counts as 400, and a number that is no status as 5xx: both as
    RFC 9110 §15 wants it of clients.
    """
    if status is None or 100 <= status < 400:
        return _OK
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    return _BAD_REQUEST if 400 <= status < 500 else _ERROR


def classify(
    status: int | None,
    *,
    denied: str | None = None,
    hidden: bool = False,
    cause: str | None = None,
    exception: BaseException | None = None,
    aborted: bool = False,
    closed_with: int | None = None,
) -> Verdict:
    """What a request came to.

    Args:
        status: what was sent, or would have been; `None` if nothing was.
        denied: the reason the application gave with `deny()`.
        hidden: the application said `hide()`.
        cause: one of `CAUSES`, as the framework's own signal told, or `INCOMPLETE`.
        exception: what the application raised past all its handlers, or a permission exception
            that a handler turned into something else. A handler that fails while it answers a
            permission exception makes no error of the refusal.
        aborted: the client left before the end: `aborted`, unless the answer was a refusal, or
            another one that leaving cannot have caused.
        closed_with: the code that the app closed a websocket with, which goes before `status`.
    """
    if hidden:
        return Verdict("hidden", "hidden")
    if denied is not None:
        return Verdict("denied", clean_reason(denied))
    if cause is not None and cause in CAUSES:
        verdict = Verdict(CAUSES[cause], cause)
    elif exception is not None and is_permission_exception(exception):
        return Verdict("denied", "forbidden")
    elif exception is not None and not aborted:
        return Verdict("error", type(exception).__name__[:60])
    else:
        verdict = classify_status(CLOSE_STATUS.get(closed_with, status))
    if aborted and verdict.reason in _MAY_COME_OF_LEAVING:
        return _CLIENT_LEFT
    return _INCOMPLETE if cause == INCOMPLETE and verdict == _OK else verdict


def clean_reason(reason: str) -> str:
    """A reason as schema 1 allows it; what does not fit its shape is brought into it."""
    if REASON.fullmatch(reason):
        return reason
    shaped = re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-")[:40].strip("-")
    return shaped or "denied"


def exception_chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those it was raised in the handling of, the latest first.

    A group of one, as task groups make it, is followed by the one.
    """
    seen: BaseException | None = error
    for _ in range(MAX_CHAIN):
        if seen is None:
            return
        yield seen
        if isinstance(seen, BaseExceptionGroup) and len(seen.exceptions) == 1:
            seen = seen.exceptions[0]
            continue
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def is_permission_exception(error: BaseException) -> bool:
    """Whether an exception is on the named list, or was raised while one that is was handled.

    A class counts with all that inherit from it.
    """
    return any(_is_one_of(each, PERMISSION_EXCEPTIONS) for each in exception_chain(error))


def says_gone(error: BaseException) -> bool:
    """Whether an exception only tells the app that the other side of a websocket has gone."""
    return _is_one_of(error, GONE_EXCEPTIONS)


def _is_one_of(error: BaseException, names: frozenset[str]) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" in names for kind in type(error).__mro__)
