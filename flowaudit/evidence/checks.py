"""Every check of an evidence pack, over its files in memory.

`templates/verify_pack.py`, which every pack carries, makes the same and shares no code with this.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..errors import ProofError
from ..proofs.checkpoint import Checkpoint
from ..proofs.note import VerifierKey, decode64
from ..proofs.paths import is_consistent
from ..proofs.tlog_proof import InclusionProof
from ..proofs.verify import entry_leaf, is_sealed_only
from ..trail.keychain import KeyFacts
from ..vault.base import is_own_token
from ..verification.erasures import Erasures
from ..verification.found import Problem
from ..witnesses.timestamps import check_stamp
from .contents import (
    CHECKPOINT,
    EVENTS,
    KEYS,
    MANIFEST,
    PEOPLE,
    PROOFS,
    PUBLIC_KEY,
    STATEMENT,
    WITNESSES,
    Opening,
    PackEvent,
    read_manifest,
)
from .signed import SignedStatement

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["PackCheck", "PackVerification"]


@dataclass(frozen=True, slots=True)
class PackVerification:
    """What verifying a pack found."""

    ok: bool
    trail: str
    events: int
    """Events in it, each with its proof."""
    size: int
    """Entries under the checkpoint that they are proved by."""
    root: str
    """Its root, base64."""
    signed_by: str | None
    """The key that signed it, by name and hash; `None` if none was verified."""
    trusted: bool
    """Whether that key was given, or one that leads to it; else the pack itself names it."""
    identified: int
    """Tokens that are proved to stand for somebody."""
    erased: int
    """Events whose personal part is gone."""
    witnesses: int
    """Parties besides the operator that have seen a checkpoint of this very history."""
    witnessed: int
    """Entries under the largest such checkpoint."""
    problems: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        """As `--format json` prints it."""
        return asdict(self)


class _Erasing(msgspec.Struct):
    erases: dict[str, Any] | None = None


class _Key(msgspec.Struct):
    key: KeyFacts | None = None


_NOTHING: Final = msgspec.Raw(b"")


class _Glance(msgspec.Struct):
    kind: str | None = None
    action: str | None = None
    facts: msgspec.Raw = _NOTHING


_EVENT: Final = msgspec.json.Decoder(PackEvent)
_OPENINGS: Final = msgspec.json.Decoder(list[Opening])
_GLANCE: Final = msgspec.json.Decoder(_Glance)
_ERASING: Final = msgspec.json.Decoder(_Erasing)
_KEY: Final = msgspec.json.Decoder(_Key)


class PackCheck:
    """One pass over a pack's files."""

    def __init__(
        self,
        files: dict[str, bytes],
        key: VerifierKey | None,
        witnesses: tuple[VerifierKey, ...],
        roots: "Sequence[Certificate]",
    ) -> None:
        self._files = files
        self._problems: list[Problem] = []
        self._witnesses, self._roots = witnesses, roots
        self._seen: dict[bytes | str, int] = {}
        self._said, self._manifest = read_manifest(self._text(MANIFEST))
        self._mark = Checkpoint.parse(self._text(CHECKPOINT))
        own = VerifierKey.parse(self._text(PUBLIC_KEY))
        self._own = {own.public}  # keys of the operator, who is no witness
        self._events = list(self._read_events())
        self._told_keys = [(e, facts) for e in self._events if (facts := _key_facts(e))]
        self._key, self._is_trusted = (own, False) if key is None else self._follow(key)
        self._erasures = Erasures()

    def _text(self, name: str) -> str:
        if name not in self._files:
            raise ProofError(f"the pack has no file {name!r}")
        return self._files[name].decode("utf-8", "replace")

    def _say(self, what: str, seq: int | None = None) -> None:
        self._problems.append(Problem(seq, what))

    def result(self) -> PackVerification:
        """Check everything."""
        is_signed = self._check_signatures()
        self._check_turn()
        self._check_files()
        for event in self._events:
            self._check_event(event)
        self._check_erasures()
        self._check_asked()
        identified = self._check_people()
        self._check_statement()
        self._count_cosigners(self._mark)
        self._check_witnesses()
        return PackVerification(
            ok=not self._problems,
            trail=self._mark.origin,
            events=len(self._events),
            size=self._mark.size,
            root=self._mark.note.text.split("\n")[2],
            signed_by=f"{self._key.name}+{self._key.hash.hex()}" if is_signed else None,
            trusted=self._is_trusted and is_signed,
            identified=identified,
            erased=self._erasures.count,
            witnesses=len(self._seen),
            witnessed=max(self._seen.values(), default=0),
            problems=tuple(sorted(self._problems, key=lambda p: (p.seq is None, p.seq or 0))),
        )

    def _follow(self, key: VerifierKey) -> tuple[VerifierKey, bool]:
        """From the trusted key to the one that signed the checkpoint, as far as each vouches."""
        told: dict[str, list[tuple[PackEvent, str]]] = {}
        for event, facts in self._told_keys:
            if facts.created and facts.retired and facts.revoked is None:
                told.setdefault(facts.retired, []).append((event, facts.created))
        been = {key}
        self._own.add(key.public)
        while not self._mark.signatures((key,)):
            heirs = (self._heir(key, event, new) for event, new in told.get(str(key), ()))
            heir = next((new for new in heirs if new is not None and new not in been), None)
            if heir is None:
                break
            been.add(heir)
            self._own.add(heir.public)
            key = heir
        return key, True

    def _heir(self, key: VerifierKey, event: PackEvent, new: str) -> VerifierKey | None:
        """The key that an event says took over from another, if that has signed the event."""
        try:
            proof = InclusionProof.parse(self._text(KEYS.format(event.seq)))
            if (
                proof.index == event.seq
                and proof.checkpoint.origin == self._mark.origin
                and proof.checkpoint.signatures((key,))
                and proof.proves(entry_leaf(event.entry()))
            ):
                return VerifierKey.parse(new)
        except ProofError:
            pass  # it leads nowhere
        return None

    def _read_events(self) -> Iterator[PackEvent]:
        for line in _lines(self._text(EVENTS)):
            try:
                yield _EVENT.decode(line)
            except (msgspec.MsgspecError, RecursionError) as error:
                raise ProofError(f"a line of {EVENTS} is not an event: {error}") from error

    def _check_signatures(self) -> bool:
        name = f"{self._key.name}+{self._key.hash.hex()}"
        is_signed = bool(self._mark.signatures((self._key,)))
        if not is_signed:
            self._say(f"the checkpoint is not signed by {name}")
        if not self._manifest.valid_signatures((self._key,)):
            self._say(f"the manifest is not signed by {name}")
        if self._said.get("trail") != self._mark.origin:
            self._say("the checkpoint is of another trail than the manifest")
        return is_signed

    def _check_turn(self) -> None:
        """Whether the key that signed had ended before, as the pack itself tells."""
        for event, facts in self._told_keys:
            end = event.seq + (facts.revoked is None)
            if (facts.revoked or facts.retired) == str(self._key) and self._mark.size > end:
                self._say("here the key ended that signed the checkpoint later", event.seq)

    def _check_files(self) -> None:
        """Every file as it was put in, none taken away and none put to it."""
        listed = self._said.get("files")
        listed = listed if isinstance(listed, dict) else {}
        for name in sorted(listed.keys() | self._files.keys() - {MANIFEST}):
            if name not in self._files:
                self._say(f"the file {name!r} is missing")
            elif name not in listed:
                self._say(f"the file {name!r} is not in the manifest")
            elif sha256(self._files[name]).hexdigest() != listed[name]:
                self._say(f"the file {name!r} was changed")

    def _check_event(self, event: PackEvent) -> None:
        try:
            entry = event.entry()
            leaf = entry_leaf(entry)
            proof = InclusionProof.parse(self._text(PROOFS.format(event.seq)))
        except ProofError as error:
            self._say(f"it is not proved: {error}", event.seq)
            return
        if proof.index != event.seq or proof.checkpoint.note.text != self._mark.note.text:
            self._say("its proof is of another place or checkpoint", event.seq)
        elif not proof.proves(leaf):
            self._say("it was changed: its proof does not lead to the checkpoint", event.seq)
        if is_sealed_only(entry):
            self._erasures.see(event.seq, entry.core)
        try:
            seen = _GLANCE.decode(entry.core)
            if seen.kind == "ops" and seen.action == "erase" and bytes(seen.facts):
                self._erasures.tell(event.seq, _ERASING.decode(seen.facts).erases)
        except (msgspec.MsgspecError, RecursionError):
            self._say("its core is not a core of schema 1", event.seq)

    def _check_erasures(self) -> None:
        for problem in self._erasures.problems():
            self._say(problem.what, problem.seq)

    def _check_asked(self) -> None:
        """Every event that the manifest names is there, and each place once."""
        here = {event.seq for event in self._events}
        if len(here) != len(self._events):
            self._say("an event is there twice")
        named = self._said.get("seqs")
        named = named if isinstance(named, list) else [None]
        for seq in named:
            if type(seq) is not int or seq not in here:
                what = "the manifest names it, and it is not here"
                self._say(what, seq if type(seq) is int else None)
                break

    def _check_people(self) -> int:
        if PEOPLE not in self._files:
            return 0
        try:
            openings = _OPENINGS.decode(self._text(PEOPLE))
        except (msgspec.MsgspecError, RecursionError) as error:
            self._say(f"{PEOPLE} cannot be read: {error}")
            return 0
        proved = 0
        for each in openings:
            try:
                is_proved = is_own_token(each.token, bytes.fromhex(each.salt), each.identity)
            except ValueError:
                is_proved = False
            proved += is_proved
            if not is_proved:
                self._say(f"the token {each.token[:60]!r} does not stand for whom it says")
        return proved

    def _check_statement(self) -> None:
        try:
            statement = SignedStatement.parse(self._text(STATEMENT))
            signed = statement.signatures((self._key,))
        except ProofError as error:
            self._say(f"the statement cannot be read: {error}")
            return
        said = statement.said
        if not signed:
            self._say("the statement is not signed by the same key")
        root = self._mark.note.text.split("\n")[2]
        if (said.get("trail"), said.get("size"), said.get("root")) != (
            self._mark.origin,
            self._mark.size,
            root,
        ):
            self._say("the statement is over another head than the checkpoint")
        if said.get("verified") is not True:
            self._say("the trail did not hold when the pack was made")

    def _check_witnesses(self) -> None:
        """Each checkpoint that others have seen: is this one grown from it?"""
        for name in sorted(self._files):
            if not (name.startswith(WITNESSES) and name.endswith(".checkpoint")):
                continue
            base = name.removesuffix(".checkpoint")
            try:
                mark = Checkpoint.parse(self._text(name))
                lines = _lines(self._text(f"{base}.proof"))
                proof = [decode64(line, name) for line in lines]
            except ProofError as error:
                self._say(f"{name} cannot be read: {error}")
                continue
            now = self._mark
            if mark.origin != now.origin or not is_consistent(
                mark.size, mark.root, now.size, now.root, proof
            ):
                self._say(f"{name} is of another history")
                continue
            self._count_cosigners(mark)
            if f"{base}.tsr" in self._files and self._roots:
                self._count_stamp(base, mark.size)

    def _count_cosigners(self, mark: Checkpoint) -> None:
        for signature in mark.signatures(self._witnesses):
            if mark.size and signature.key.public not in self._own:
                self._count(signature.key.public, mark.size)

    def _count_stamp(self, base: str, size: int) -> None:
        message = self._files[f"{base}.checkpoint"]
        try:
            found = check_stamp(self._files[f"{base}.tsr"], message, self._roots)
        except ProofError as error:
            self._say(f"{base}.tsr does not count: {error}")
        else:
            self._count(found.authority, size)

    def _count(self, who: bytes | str, size: int) -> None:
        self._seen[who] = max(self._seen.get(who, 0), size)


def _lines(text: str) -> list[str]:
    """Lines as the writer has ended them: text from clients may hold other breaks."""
    return [line for line in text.split("\n") if line]


def _key_facts(event: PackEvent) -> KeyFacts | None:
    """What an event tells of keys; `None` if it tells of none."""
    try:
        seen = _GLANCE.decode(event.core)
        if seen.kind != "ops" or seen.action != "key" or not bytes(seen.facts):
            return None
        return _KEY.decode(seen.facts).key
    except (msgspec.MsgspecError, RecursionError):
        return None
