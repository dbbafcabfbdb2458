"""A WSGI app inside an ASGI app, whose wrapper makes the event: it is told what is known here."""

from .facts import Facts
from .intake import Intake
from .wsgi_exchange import (
    ENRICH_KEY,
    ENVIRON_KEY,
    Enrich,
    Environ,
    Exchange,
    ExcInfo,
    StartResponse,
    Write,
    lasting_headers,
)

__all__ = ["MountedExchange"]


class MountedExchange(Exchange):
    """One request that another wrapper records: what a framework knows is told in time for that.

    Its own facts are for the count alone: they say when the answer is whole.

    Args:
        audit: which counts what fails.
        enrich: called with the environ and the other wrapper's facts.
        environ: as it was made for the app inside; the other wrapper's facts are left in it.
        outer: the facts that the event is made of.
        start: the server's `start_response`.
    """

    __slots__ = ("outer",)

    def __init__(
        self,
        audit: Intake,
        enrich: Enrich | None,
        environ: Environ,
        outer: Facts,
        start: StartResponse,
    ) -> None:
        super().__init__(audit, enrich, environ, Facts(outer.ts, outer.method), start, None)
        self.outer = outer
        environ[ENVIRON_KEY] = outer

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo = None
    ) -> Write:
        """What the app around gave as `start_response`; of a strict request all is told by then."""
        headers = lasting_headers(headers)
        self.note_answer(status, headers)
        if self.outer.of is not None:
            self.finish()
        return self.pass_on(status, headers, exc_info)

    def finish(self) -> None:
        """The answer is whole, and has not gone yet: tell what the framework knows."""
        if self.facts.done:
            return
        self.facts.done = True
        self.outer.status = self.outer.status or self.facts.status
        self.add_enrichment()

    def add_enrichment(self) -> None:
        """Let the framework tell the other wrapper what it knows."""
        enrich = self.environ.get(ENRICH_KEY, self.enrich)
        if enrich is not None:
            try:
                enrich(self.environ, self.outer)
            except Exception as error:
                self.audit.note_failure(error)

    def fail(self, error: BaseException) -> None:
        """The app raised past everything, and so into the app around it."""
        self.finish()

    def abandon(self) -> None:
        """The app around has closed the answer."""
        self.finish()

    def leave(self) -> None:
        """Nothing: the context is the other wrapper's."""
