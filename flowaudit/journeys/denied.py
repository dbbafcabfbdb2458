"""Who was turned away, from where, how often and why."""

from dataclasses import dataclass
from typing import Final

from .engine import Engine
from .flows import TOP, Count
from .tables import analysis, run_analysis

__all__ = ["LOGIN_US", "DeniedReport", "denied", "make_denied_events"]

LOGIN_US: Final = 60_000_000
"""A redirect is a refusal if its visitor asks for the login path within this time: 60 s."""


@dataclass(frozen=True, slots=True)
class DeniedReport:
    """The numbers of `flowaudit denied`; names and meanings are those of its JSON."""

    total: int
    by_client: tuple[Count, ...]
    by_actor: tuple[Count, ...]
    by_route: tuple[Count, ...]
    by_reason: tuple[Count, ...]
    per_hour: tuple[tuple[int, int], ...]
    """Start of the hour and refusals in it; hours without one are left out."""


def make_denied_events(engine: Engine, login_path: str | None = None) -> None:
    """See to the table `denied_event`, one row for each refusal.

    Args:
        engine: where the events are.
        login_path: how the path of the sign-in page begins, for logs of an app that answers a
            refusal with a redirect to it.
    """
    parameters = {"login_path": login_path or "", "login_us": LOGIN_US}
    engine.keep_once("denied_event", analysis("denied_event"), parameters)


def denied(engine: Engine, *, login_path: str | None = None, top: int = TOP) -> DeniedReport:
    """Count refusals by client, actor, route, reason and hour."""
    make_denied_events(engine, login_path)
    per_hour = tuple(run_analysis(engine, "denied_per_hour"))
    return DeniedReport(
        total=sum(n for _, n in per_hour),
        by_client=tuple(run_analysis(engine, "denied_by_client", top=top)),
        by_actor=tuple(run_analysis(engine, "denied_by_actor", top=top)),
        by_route=tuple(run_analysis(engine, "denied_by_route", top=top)),
        by_reason=tuple(run_analysis(engine, "denied_by_reason", top=top)),
        per_hour=per_hour,
    )
