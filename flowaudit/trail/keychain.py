"""Which keys may have signed a trail, and how far: one is trusted, events lead to the others.

A trail tells of its keys in `ops`/`key` events: one was `created`; another took over and it was
`retired` (it signs once more, over the event that says so) or `revoked` (it was stolen or lost,
and signs no more). From the key that is trusted the chain goes both ways:

- back, to the keys that it took over from: its own signature covers the events that name them;
- on, to the key that took over from it, if it has signed the event that says so itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from ..errors import ProofError
from ..proofs.checkpoint import Checkpoint
from ..proofs.note import VerifierKey

__all__ = ["KeyChain", "KeyFacts", "key_facts", "short_name"]

NO_END: Final = 2**63


class KeyFacts(msgspec.Struct):
    """What an `ops`/`key` event says: verifier keys in the text form of signed notes."""

    created: str | None = None
    retired: str | None = None
    revoked: str | None = None


def key_facts(
    created: VerifierKey, *, retired: VerifierKey | None = None, revoked: VerifierKey | None = None
) -> dict[str, str]:
    """The facts of an event that tells of a key."""
    named = {"created": created, "retired": retired, "revoked": revoked}
    return {name: str(key) for name, key in named.items() if key is not None}


@dataclass(slots=True)
class _Span:
    """Over which sizes a key's signature counts."""

    first: int = 0
    last: int = NO_END


class KeyChain:
    """The keys of one trail, told of its events in order of `seq` and then asked.

    Args:
        trusted: the key that the verifier has; `None` if there is none, and nothing is signed.
    """

    def __init__(self, trusted: VerifierKey | None) -> None:
        self.trusted = trusted
        self._spans: dict[VerifierKey, _Span] = {} if trusted is None else {trusted: _Span()}
        self._heir: tuple[VerifierKey, VerifierKey, int] | None = None
        """Who has signed so far, who is to follow, and the size that says so."""
        self._before: dict[VerifierKey, tuple[VerifierKey, int, int]] = {}
        """Of a key: the one it took over from, how far that signed, and the size that says so."""
        self._ended: set[VerifierKey] = set()

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """Every key whose signature counts somewhere."""
        return tuple(self._spans)

    def spans(self) -> Iterator[tuple[VerifierKey, int, int | None]]:
        """Every such key with the first and last size that it may sign; `None` has no end."""
        for key, span in sorted(self._spans.items(), key=lambda item: item[1].last):
            yield key, span.first, None if span.last == NO_END else span.last

    def resume(self, spans: Iterable[tuple[VerifierKey, int, int | None]], size: int) -> None:
        """Go on from the keys that were found over the first `size` entries, if the trusted key is
        among them. What was told later is to be told again.
        """
        known = [(key, first, last) for key, first, last in spans if first <= size]
        if all(key != self.trusted for key, _, _ in known):
            return
        for key, first, last in known:
            has_ended = last is not None and last <= size
            self._spans[key] = _Span(first, last if last is not None and has_ended else NO_END)
            if has_ended:
                self._ended.add(key)

    def learn(self, seq: int, facts: KeyFacts, *, is_proved: bool = True) -> str | None:
        """An event tells of a key; says what is wrong with it, or `None`.

        One that is not at hand to be proved leads to no key that follows.
        """
        try:
            new, old, is_lost = _read(facts)
        except ProofError as error:
            return f"this entry tells of a key that is none: {error}"
        if old is None:
            return None
        if new is None or new == old:
            return f"this entry ends the key {short_name(old)}, and names none that follows"
        if old in self._ended:
            return f"this entry ends the key {short_name(old)}, which had ended before"
        self._ended.add(old)
        size, end = seq + 1, seq if is_lost else seq + 1
        span = self._spans.get(old)
        if span is None:
            self._before.setdefault(new, (old, end, size))
            return None
        span.last = min(span.last, end)
        if is_lost:
            return (
                f"the key {short_name(old)} was revoked here: what follows is signed by"
                f" {short_name(new)}, which must be trusted by itself (--key)"
            )
        if not is_proved:
            return f"the key {short_name(old)} was followed in an archived entry: give --archive"
        if new not in self._spans:
            self._heir = (old, new, size)
        return None

    def confirm(self, size: int) -> None:
        """A checkpoint of this size holds: so do the events under it that lead from the trusted key
        back to those it took over from.
        """
        key = self.trusted
        while key is not None and key in self._before:
            old, end, told = self._before[key]
            if told > size:
                return
            self._spans.setdefault(old, _Span(0, end))
            key = old

    def signer(self, mark: Checkpoint) -> VerifierKey | None:
        """The key whose signature on a checkpoint counts; `None` if there is none.

        Marks are asked for in order of size, those events told before that they cover.
        """
        for old in self.signers(mark):
            if self._heir is not None and old == self._heir[0] and mark.size >= self._heir[2]:
                self._spans[self._heir[1]] = _Span(self._heir[2])
                self._heir = None
                break
        return self.counting(mark)

    def signers(self, mark: Checkpoint) -> tuple[VerifierKey, ...]:
        """The keys of this trail that have signed a checkpoint, whether or not that counts."""
        return tuple(signature.key for signature in mark.signatures(self.keys))

    def counting(self, mark: Checkpoint) -> VerifierKey | None:
        """As `signer`, once all of the trail is told, and in any order."""
        for key in self.signers(mark):
            if self._spans[key].first <= mark.size <= self._spans[key].last:
                return key
        return None


def _read(facts: KeyFacts) -> tuple[VerifierKey | None, VerifierKey | None, bool]:
    """The key that is new, the one that ends, and whether that was revoked."""
    new = VerifierKey.parse(facts.created) if facts.created else None
    ended = facts.revoked or facts.retired
    return new, VerifierKey.parse(ended) if ended else None, facts.revoked is not None


def short_name(key: VerifierKey) -> str:
    """A key's name and hash, without the key itself."""
    return f"{key.name}+{key.hash.hex()}"
