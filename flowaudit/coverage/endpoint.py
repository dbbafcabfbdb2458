"""What an app answers to, as it is listed and asked."""

from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from ..capture.routes import route_template

__all__ = ["UNKNOWN", "Endpoint", "Inner", "Kind", "Listing", "Place"]

Kind = Literal["route", "mount", "static", "websocket", "error"]

UNKNOWN: Final = "/flowaudit-coverage-unknown"
"""A path that no app is expected to have."""

HTTP_EXCEPTION: Final = "HTTPException"
"""The handler of every status, so that an unknown path provokes it."""

NOT_FROM_OUTSIDE: Final = "cannot be provoked from outside"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that an app answers to."""

    kind: Kind
    path: str
    """Its template; for an error handler, the status or exception."""
    sample: str | None
    """The path that is asked, percent-encoded; `None` if none is."""
    methods: tuple[str, ...] = ()
    """What it takes; empty if that cannot be told."""
    host: str | None = None
    """The host that it answers to, where it wants a certain one: what is asked for, or where none
    can be made up, its template.
    """
    why_not: str | None = None
    """Why it is not asked."""
    verb: str | None = None
    """The method to ask with, where the usual choice does not do."""

    @property
    def asked_with(self) -> str:
        """A method that changes nothing: GET where it is taken, else OPTIONS."""
        usual = "GET" if not self.methods or "GET" in self.methods else "OPTIONS"
        return self.verb or usual


@dataclass(frozen=True, slots=True)
class Place:
    """Where an app stands: below which path, as a template and as it is asked, for which host."""

    prefix: str = ""
    sample: str | None = ""
    host: str | None = None
    depth: int = 0

    def below(self, template: str, sample: str | None) -> "Place":
        """The place of an app that is mounted in one that stands here."""
        filled = None
        if sample is not None and self.sample is not None:
            filled = self.sample.rstrip("/") + sample.rstrip("/")
        prefix = route_template(self.prefix, template).rstrip("/")
        return Place(prefix, filled, self.host, self.depth + 1)

    def at_host(self, host: str | None) -> "Place":
        """The same place, for a certain host."""
        return replace(self, host=host) if host else self

    def at_unknown_host(self, template: str) -> "Place":
        """The same place, for a host that cannot be made up: nothing there is asked."""
        return replace(self, host=template, sample=None)

    def endpoint(
        self,
        kind: Kind,
        template: str,
        sample: str | None,
        methods: tuple[str, ...] = (),
        why_not: str = "its parameters cannot be filled",
    ) -> Endpoint:
        """An endpoint of the app that stands here; without a sample it is not asked."""
        path = route_template(self.prefix, template) or "/"
        if sample is None or self.sample is None:
            return Endpoint(kind, path, None, methods, self.host, why_not)
        filled = route_template(self.sample, sample)
        return Endpoint(kind, path, filled, methods, self.host)


class Inner(NamedTuple):
    """An app inside another one."""

    app: Any
    place: Place


@dataclass(slots=True)
class Listing:
    """What one app tells of itself."""

    endpoints: list[Endpoint] = field(default_factory=list)
    inner: list[Inner] = field(default_factory=list)

    def add_errors(self, place: Place, names: list[str]) -> None:
        """Add the app's error handlers: an unknown path, a wrong method, and those it has."""
        first = next((e for e in self.endpoints if e.kind == "route" and e.sample), None)
        for name in sorted({"404", *(["405"] if first is not None else []), *names}):
            path = f"{name} in {place.prefix}" if place.prefix else name
            sample, verb = None, None
            if name in ("404", HTTP_EXCEPTION) and place.sample is not None:
                sample = place.sample + UNKNOWN
            elif name == "405" and first is not None:
                sample, verb = first.sample, "TRACE"  # safe by definition (RFC 9110 §9.2.1)
            why = None if sample is not None else NOT_FROM_OUTSIDE
            self.endpoints.append(
                Endpoint("error", path, sample, host=place.host, why_not=why, verb=verb)
            )
