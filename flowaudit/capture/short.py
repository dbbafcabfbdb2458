"""Answers that end short of what they announced: whether a client misses anything."""

from collections.abc import Iterable
from typing import Final

from ..policy.classify import INCOMPLETE
from .facts import Facts

__all__ = ["SENT_BY_A_PROXY", "WITHOUT_BODY", "note_shortness"]

WITHOUT_BODY: Final = frozenset([204, 304])
"""Statuses whose answers have no body, whatever length they tell."""

SENT_BY_A_PROXY: Final = frozenset(
    [
        "x-accel-redirect",
        "x-lighttpd-send-file",
        "x-litespeed-location",
        "x-reproxy-url",
        "x-sendfile",
    ]
)
"""Headers that have a proxy put a file in the place of the body: the length may be the file's."""


def note_shortness(facts: Facts, length: int | None, names: Iterable[str]) -> None:
    """Note that an app has ended its answer before the length that it had announced.

    Args:
        facts: of the request, with the bytes that were given.
        length: its Content-Length, if it told one.
        names: of the answer's headers, in any case.
    """
    if (
        length is not None
        and facts.bytes_out < length
        and facts.method != "HEAD"
        and facts.status not in WITHOUT_BODY
        and facts.location is None  # whoever is sent elsewhere needs no body
        and not any(name.lower() in SENT_BY_A_PROXY for name in names)
    ):
        facts.cause = facts.cause or INCOMPLETE
