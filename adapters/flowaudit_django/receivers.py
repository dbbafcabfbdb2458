"""What receivers of signals share: their guard, and the accounts that a request has loaded."""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final

from flowaudit.capture.context import current

from .project import get_audit

__all__ = ["MAX_NAMES", "guarded", "loaded_names", "note_name"]

MAX_NAMES: Final = 16
"""Accounts remembered of one request, to tell whether the name typed at a sign-in is known."""

_names: ContextVar[tuple[int, set[str]] | None] = ContextVar("flowaudit_names", default=None)
"""When the running request began, on the clock that never repeats, and the accounts it loaded."""


def guarded(receiver: Callable[..., None]) -> Callable[..., None]:
    """A receiver whose faults are counted and do not reach the app that sent the signal."""

    @wraps(receiver)
    def call(*args: Any, **values: Any) -> None:
        try:
            receiver(*args, **values)
        except Exception as error:
            get_audit().note_failure(error)

    return call


def note_name(name: object) -> None:
    """An account of this name has been loaded."""
    facts = current.get()
    if facts is None or not isinstance(name, str):
        return
    seen = _names.get()
    if seen is None or seen[0] != facts.start_ns:
        seen = (facts.start_ns, set())
        _names.set(seen)
    if len(seen[1]) < MAX_NAMES:
        seen[1].add(name.casefold())


def loaded_names() -> set[str] | None:
    """The accounts that the running request has loaded, case-folded; `None` outside requests."""
    facts, seen = current.get(), _names.get()
    if facts is None:
        return None
    return seen[1] if seen is not None and seen[0] == facts.start_ns else set()
