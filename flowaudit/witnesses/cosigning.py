"""A trail as a witness of another: it cosigns what has only grown, and remembers it as events.

As a witness of C2SP's transparency logs does (c2sp.org/tlog-witness), but over a folder that both
can reach instead of a server. Order, for each run: a proof from the checkpoint that was cosigned
last to the newest; an event in the own trail, durable; the newest becomes the last, durable; its
cosignature goes into the folder. A crash between any two repeats a step, and loses none.
"""

import base64
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import ProofError, TrailError
from ..event import SCHEMA_VERSION, Core, Value, encode_core, new_source
from ..proofs.checkpoint import Checkpoint
from ..proofs.note import COSIGNATURE, Note, VerifierKey, cosignature_line, decode64
from ..proofs.paths import is_consistent
from ..trail.keys import make_key, read_key, write_public_key
from ..trail.opening import open_trail
from ..trail.paths import TrailPaths
from .publishing import CONSISTENCY, COSIGNED, SUFFIX, folder_of, read_note, size_name, write_once

__all__ = ["Cosigning", "cosign"]

LOCK_TIMEOUT_S: Final = 30.0
"""Seconds to wait for the own trail's lock."""

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Cosigning:
    """What was done for one other trail."""

    origin: str
    size: int
    """Entries under the newest checkpoint that is cosigned now; 0 if there is none."""
    before: int
    """The same before this run."""
    problem: str | None = None
    """Why nothing newer was cosigned."""


def cosign(folder: Path, paths: TrailPaths, keys: tuple[VerifierKey, ...]) -> Cosigning:
    """Cosign the newest checkpoint of another trail, if it is proved to have only grown.

    Args:
        folder: where the other trail publishes.
        paths: the own trail; it gets an event, and a key of its own for this.
        keys: the other trail's public keys; all have its name.

    Raises `TrailError` if the folder has nothing of it, or the own trail cannot be used.
    """
    origin = keys[0].name
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        if trail.origin == origin:
            raise TrailError(f"{origin} is this trail, and no witness of itself")
    place = folder_of(folder, origin)
    if not place.is_dir():
        raise TrailError(f"{folder} has nothing of {origin}")
    state = paths.cosigned / f"{origin.rpartition('/')[2]}{SUFFIX}"
    last = _last(state)
    try:
        newest = _newest(place, origin, keys, last)
    except ProofError as error:
        _record(paths, last, origin, problem=str(error))
        return Cosigning(origin, last.size if last else 0, last.size if last else 0, str(error))
    if newest is None or (last is not None and newest.size == last.size):
        mark = last
    else:
        mark = newest
        _record(paths, mark, origin)
        _remember(state, mark)
    if mark is not None:
        _give(place, paths, mark, keys)
    before = last.size if last else 0
    return Cosigning(origin, mark.size if mark else 0, before)


def _last(state: Path) -> Checkpoint | None:
    """What was cosigned last. Raises `TrailError` if the memory of it is damaged."""
    try:
        return Checkpoint.parse(read_note(state)) if state.exists() else None
    except (OSError, ProofError) as error:
        raise TrailError(f"what was cosigned last, {state}, cannot be read: {error}") from error


def _remember(state: Path, mark: Checkpoint) -> None:
    state.parent.mkdir(mode=0o700, exist_ok=True)
    draft = state.with_name(f"{state.name}.{size_name(mark.size)}")
    write_once(draft, str(mark.note).encode())
    draft.replace(state)


def _newest(
    place: Path, origin: str, keys: tuple[VerifierKey, ...], last: Checkpoint | None
) -> Checkpoint | None:
    """The newest checkpoint that is proved from the last one on; `None` if there is no newer one.

    Raises `ProofError` if what is there is another history than what was cosigned.
    """
    proved = {} if last is None else {last.size: last.root}
    newest = last
    longest = 0
    turns = _Turns(keys)
    if last is not None:
        turns.see(last)
    for mark in _signed(place, origin, turns):
        longest = max(longest, mark.size)
        if last is not None and mark.size == last.size and mark.root != last.root:
            raise ProofError(f"of size {mark.size} another checkpoint was cosigned before")
    for path in filter(Path.is_file, sorted(place.glob(f"*{CONSISTENCY}"))):
        old, proof, mark = _read_request(path)
        if mark.origin != origin or not mark.signatures(keys):
            raise ProofError(f"{path.name} is not signed by {origin}")
        if not turns.has(mark):
            continue  # of a thief, perhaps: no word of whose turn it was
        if last is None:
            newest = mark if newest is None or newest.size < mark.size else newest
            continue
        if mark.size <= last.size or old not in proved:
            continue
        if not is_consistent(old, proved[old], mark.size, mark.root, proof):
            raise ProofError(f"the checkpoint of size {mark.size} is of another history")
        proved[mark.size] = mark.root
        newest = mark
    if last is not None and newest is last and longest > last.size:
        raise ProofError(f"no proof leads from size {last.size} to {longest}")
    return newest


class _Turns:
    """Whose turn it was to sign. A key's is over at the first checkpoint that another has signed
    last: of two that signed the same one, the later takes over.
    """

    def __init__(self, keys: tuple[VerifierKey, ...]) -> None:
        self._keys = keys
        self._began: dict[VerifierKey, int] = {}

    def see(self, mark: Checkpoint) -> None:
        """Note who has signed a checkpoint last; they come in order of size."""
        signed = mark.signatures(self._keys)
        if signed and not self._is_over(signed[-1].key, mark.size):
            self._began.setdefault(signed[-1].key, mark.size)

    def has(self, mark: Checkpoint) -> bool:
        """Whether one of a checkpoint's signers had its turn."""
        return any(not self._is_over(s.key, mark.size) for s in mark.signatures(self._keys))

    def _is_over(self, key: VerifierKey, size: int) -> bool:
        began = self._began.get(key, size)
        return any(began < other <= size for other in self._began.values())


def _signed(place: Path, origin: str, turns: _Turns) -> Iterator[Checkpoint]:
    """The checkpoints of a trail that count, in order of size as their names have it."""
    for path in filter(Path.is_file, sorted(place.glob(f"*{SUFFIX}"))):
        mark = Checkpoint.parse(read_note(path))
        if mark.origin == origin and path.name == f"{size_name(mark.size)}{SUFFIX}":
            turns.see(mark)
            if turns.has(mark):
                yield mark


def _read_request(path: Path) -> tuple[int, list[bytes], Checkpoint]:
    """The old size, the proof and the new checkpoint. Raises `ProofError` if it is malformed."""
    head, gap, note = read_note(path).partition("\n\n")
    lines = head.split("\n")
    old = _OLD.fullmatch(lines[0])
    if not gap or old is None:
        raise ProofError(f"{path.name} is no proof of growth")
    return int(old[1]), [decode64(line, path.name) for line in lines[1:]], Checkpoint.parse(note)


def _record(
    paths: TrailPaths, mark: Checkpoint | None, origin: str, *, problem: str | None = None
) -> None:
    """The event that says what was cosigned, or why not."""
    seen: dict[str, Value] = {"origin": origin}
    if mark is not None:
        seen |= {"size": mark.size, "root": base64.b64encode(mark.root).decode()}
    facts: dict[str, Value] = {"cosigned": seen, **({"why": problem} if problem else {})}
    source = new_source()
    core = Core(
        v=SCHEMA_VERSION,
        source=source,
        n=1,
        ts=time.time_ns() // 1_000,
        kind="ops",
        action="cosign",
        actor_kind="system",
        outcome="error" if problem else "ok",
        facts=facts,
    )
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        trail.append([(encode_core(core), b"")], source, 1)


def _give(place: Path, paths: TrailPaths, mark: Checkpoint, keys: tuple[VerifierKey, ...]) -> None:
    """Put the cosigned note into the folder, if it is not there yet: without lines of others, by
    which it could become longer than notes may be.
    """
    with open_trail(paths, lock_timeout_s=LOCK_TIMEOUT_S) as trail:
        name = f"{trail.origin}/cosigner"
    private = _key(paths, name)
    key = VerifierKey(name, private.public_key().public_bytes_raw(), COSIGNATURE)
    path = place / f"{size_name(mark.size)}.{key.hash.hex()}{COSIGNED}"
    if not path.exists():
        line = cosignature_line(private, name, mark.note.text, int(time.time()))
        text, lines = mark.note.text, mark.note.signatures
        own = [each for each in lines if Note(text, (each,)).valid_signatures(keys)]
        write_once(path, str(Note(text, (*own, line))).encode())


def _key(paths: TrailPaths, name: str) -> Ed25519PrivateKey:
    """The key that cosigns, made at its first use: it never signs the own trail."""
    path, public = (paths.cosigned / file for file in ("cosigner.key", "cosigner.pub"))
    path.parent.mkdir(mode=0o700, exist_ok=True)
    private = read_key(path) if path.exists() else make_key(path)
    if not public.exists():
        write_public_key(
            public, VerifierKey(name, private.public_key().public_bytes_raw(), COSIGNATURE)
        )
    return private
