"""One request over WSGI that is recorded strictly: durable before it runs and is answered."""

from collections.abc import Iterable

from .strict import NOT_DONE, NOT_TOLD, Refusal
from .strict_intake import StrictIntake
from .wsgi_exchange import Exchange, ExcInfo, Write, lasting_headers

__all__ = ["StrictExchange"]


class StrictExchange(Exchange):
    """As `Exchange`, with the intent and the outcome on the disk before anything comes of them."""

    __slots__ = ("refusal",)
    audit: StrictIntake

    def begin(self) -> Iterable[bytes] | None:
        """Make the intent durable; where that fails, the answer in the app's place."""
        self.refusal: Refusal | None = None
        if self.audit.is_durable(self.audit.intend(self.facts)):
            return None
        self._refuse(NOT_DONE)
        self.finish()
        self.leave()
        return [NOT_DONE.body]

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo = None
    ) -> Write:
        """The server's `start_response`, once status and outcome are durable."""
        headers = lasting_headers(headers)
        self.note_answer(status, headers)
        if not self.facts.is_told and self.refusal is None:
            self.tell()
            if not self.audit.is_durable(self.facts.told_n):
                self._refuse(NOT_TOLD)
        if self.refusal is not None:
            return _to_nobody
        return self.pass_on(status, headers, exc_info)

    def finish(self) -> None:
        """The request is over: its last event, and before it its own, if it has none yet."""
        facts = self.facts
        if facts.done:
            return
        if not facts.is_told:
            facts.status = facts.status or 500
            self.tell()
            self.audit.is_durable(facts.told_n)  # the server will answer with its own 500
        self.audit.end(facts)
        if self.around is not None and not self.around.done:
            self.leave()

    def tell(self) -> None:
        """Make the request's own event."""
        self.add_enrichment()
        self.audit.answer(self.facts)

    def wrap(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The app's iterable, or what stands in its place."""
        if self.refusal is None:
            return super().wrap(body)
        close = getattr(body, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self.finish()
            self.leave()
        return [self.refusal.body]

    def _refuse(self, refusal: Refusal) -> None:
        """Begin an answer in the app's place."""
        self.refusal = refusal
        self.facts.status = refusal.status
        self.start(f"{refusal.status} {refusal.reason}", list(refusal.headers))


def _to_nobody(data: bytes) -> object:
    """What the app writes of an answer that was withheld."""
    return None
