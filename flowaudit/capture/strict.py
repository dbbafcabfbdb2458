"""What a client is told whose strict request cannot be recorded."""

from typing import Final, NamedTuple

__all__ = ["NOT_DONE", "NOT_TOLD", "WAIT_S", "Refusal"]

WAIT_S: Final = 5.0
"""Seconds that a strict request waits for the disk at each of its two moments."""


class Refusal(NamedTuple):
    """An answer in the app's place."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def _refusal(status: int, reason: str, body: bytes, *more: tuple[str, str]) -> Refusal:
    kind = ("content-type", "text/plain; charset=utf-8")
    return Refusal(status, reason, (kind, ("content-length", str(len(body))), *more), body)


NOT_DONE: Final = _refusal(
    503,
    "Service Unavailable",
    b"This request must be recorded before it is carried out, and could not be: it was not.\n",
    ("retry-after", str(int(WAIT_S))),
)
"""The intent could not be recorded, so the app did not run (RFC 9110 15.6.4)."""

NOT_TOLD: Final = _refusal(
    500,
    "Internal Server Error",
    b"The outcome of this request could not be recorded, and is withheld.\n",
)
"""The app ran, and what came of it could not be recorded."""
