"""Writing nothing personal of who is erased: which events are meant, and how it is told.

The vault counts erasures. Whoever writes to the trail reads that count under the trail's lock,
before each commit: an erasure raises it before it takes the lock to clean the trail. So an event
of an erased token is either there for the cleaning to find, or written with its personal part
sealed only. That holds for live processes, for adopted spools and for imports alike.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from ..errors import TrailBusyError, VaultBusyError, VaultError
from ..event import SCHEMA_VERSION, Core, Value, encode_core, new_source
from ..oplog import OPLOG
from ..vault.opening import open_vault, vault_exists
from ..vault.place import Place

__all__ = ["ErasureNote", "Forgetting", "erased_ranges", "names_any", "ranges_of"]

VAULT_TIMEOUT_S: Final = 1.0
"""Seconds that a commit waits for the vault; then it is tried again later."""

RANGES_AT_ONCE: Final = 1_000
"""Ranges of `seq` in one event, so that its core stays below 32 KiB."""

LATE: Final = "written after the erasure"
"""What an event says that covers late events."""


class _Data(msgspec.Struct):
    target: str | None = None


class _PersonalGlance(msgspec.Struct):
    data: _Data | None = None


class _Glance(msgspec.Struct):
    actor: str | None = None
    via: str | None = None
    kind: str | None = None


_GLANCE: Final = msgspec.json.Decoder(_Glance)
_PERSONAL_GLANCE: Final = msgspec.json.Decoder(_PersonalGlance)


def names_any(core: bytes, personal: bytes | None, tokens: Collection[str]) -> bool:
    """Whether an event is of one of these tokens: its actor, who really acts, or whose account
    an `auth` event is about. One that was damaged counts if the token stands in it anywhere.
    """
    return bool(_named(core, personal, tokens))


def _named(core: bytes, personal: bytes | None, tokens: Collection[str]) -> list[str]:
    """Which of these tokens an event is of."""
    try:
        seen = _GLANCE.decode(core)
        found = [seen.actor, seen.via]
        if seen.kind == "auth" and personal:
            data = _PERSONAL_GLANCE.decode(personal).data
            found.append(data.target if data is not None else None)
        return [token for token in found if token is not None and token in tokens]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = core + (personal or b"")
        return [token for token in tokens if token.encode() in text]


def ranges_of(seqs: Iterable[int]) -> list[list[int]]:
    """Rising numbers as ranges, both ends included."""
    ranges: list[list[int]] = []
    for seq in seqs:
        if ranges and ranges[-1][1] == seq - 1:
            ranges[-1][1] = seq
        else:
            ranges.append([seq, seq])
    return ranges


def erased_ranges(erases: object) -> list[tuple[int, int]]:
    """The ranges of `seq` that the `facts.erases` of an event names; none if it is malformed."""
    seqs = erases.get("seqs") if isinstance(erases, dict) else None
    return [
        (pair[0], pair[1])
        for pair in (seqs if isinstance(seqs, list) else ())
        if isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)
    ]


class ErasureNote:
    """Makes the `ops`/`erase` events of one erasure, numbered as a source of their own."""

    def __init__(
        self, tokens: Collection[str], *, why: str | None = None, actor: str | None = None
    ) -> None:
        self.source = new_source()
        self.n = 0
        """The highest number used so far."""
        self._tokens = sorted(tokens)
        self._why = why
        self._actor = actor

    def records(self, seqs: Sequence[int]) -> list[tuple[bytes, bytes]]:
        """The events that say that these entries have lost their personal part.

        One if there are no entries: an erasure is told also where there was nothing to clean.
        """
        ranges = ranges_of(seqs)
        return [
            (self._core(ranges[at : at + RANGES_AT_ONCE]), b"")
            for at in range(0, max(len(ranges), 1), RANGES_AT_ONCE)
        ]

    def _core(self, ranges: list[list[int]]) -> bytes:
        self.n += 1
        erases: dict[str, Value] = {"tokens": [*self._tokens]}
        if ranges:
            erases["seqs"] = [[*pair] for pair in ranges]
        facts: dict[str, Value] = {"erases": erases}
        if self._why:
            facts["why"] = self._why
        core = Core(
            v=SCHEMA_VERSION,
            source=self.source,
            n=self.n,
            ts=time.time_ns() // 1_000,
            kind="ops",
            action="erase",
            actor=self._actor,
            actor_kind="user" if self._actor else "system",
            outcome="ok",
            facts=facts,
        )
        return encode_core(core)


class Forgetting:
    """Which tokens a writer of one trail must write nothing personal of."""

    def __init__(self, vault: Place) -> None:
        self.tokens: frozenset[str] = frozenset()
        """Erased ones, as of the last look."""
        self._place = vault
        self._vault = open_vault(vault, timeout_s=VAULT_TIMEOUT_S)
        self._generation = 0
        self._is_warned = False

    def look(self) -> None:
        """Read the count of erasures, and the tokens if it has changed; under the trail's lock.

        Then what this process remembers of people is dropped too. Raises `TrailBusyError` if the
        vault is locked for long. One that can't be read at all cannot erase anybody either: what
        was known last goes on to hold.
        """
        if not vault_exists(self._place):
            return
        try:
            number = self._vault.generation()
            if number != self._generation:
                self.tokens = self._vault.erased()
                self._vault.forget()
                self._generation = number
        except VaultBusyError as error:
            raise TrailBusyError(f"it is not known who was erased: {error}") from error
        except VaultError as error:
            if not self._is_warned:
                self._is_warned = True
                OPLOG.warning("the vault does not say who was erased", error=str(error))

    def places(self, records: Sequence[tuple[bytes, bytes]]) -> frozenset[int]:
        """Places of the records whose personal part may not be written."""
        tokens = self.tokens
        if not tokens:
            return frozenset()
        return frozenset(
            at
            for at, (core, personal) in enumerate(records)
            if personal and names_any(core, personal, tokens)
        )

    def note(self, records: Iterable[tuple[bytes, bytes]]) -> ErasureNote:
        """The note that covers late events of erased tokens."""
        found = {token for core, p in records for token in _named(core, p, self.tokens)}
        return ErasureNote(found, why=LATE)

    def close(self) -> None:
        """Close the vault; a later look opens it again."""
        self._vault.close()
