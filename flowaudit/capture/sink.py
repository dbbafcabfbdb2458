"""What the wrappers need of whoever takes their facts: `FlowAudit` is one."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..policy.rules import Policy
from .facts import Facts
from .heads import Names

__all__ = ["Sink"]


class Sink(Protocol):
    """Takes the facts of requests; nothing but `settings`, `policy` and `close` may ever raise."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Every setting's value, by name."""

    @property
    def policy(self) -> Policy:
        """The policy file."""

    def now_us(self) -> int:
        """The time, µs since 1970 UTC."""

    @property
    def is_open(self) -> bool:
        """Whether this process has its source."""

    def open(self) -> None:
        """Begin it; touches files."""

    def begin(
        self,
        kind: str,
        method: str,
        get: Callable[[Any], Any],
        names: Names,
        peer: str,
        target: bytes | str,
        is_rebuilt: bool,
    ) -> Facts:
        """A request or websocket has come in: its facts, with what headers and target tell."""

    def finish(self, facts: Facts) -> None:
        """Make a request's events and spool them; once only. May touch the vault's file."""

    def finish_at_once(self, facts: Facts) -> bool:
        """As `finish`, if that needs nothing but memory; else False."""

    def finish_slowly(self, facts: Facts) -> None:
        """As `finish`, after `finish_at_once` could not."""

    async def finish_async(self, facts: Facts) -> None:
        """As `finish`, off the event loop where it must ask the vault's file."""

    def note_failure(self, error: BaseException) -> None:
        """Count and log a fault of ours that the app must not pay for."""

    def close(self) -> None:
        """End this process's source."""
