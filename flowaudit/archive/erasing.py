"""Taking everything personal of some tokens out of a trail's archives.

A file is never changed: one without what is erased takes its place::

    trail     note the name of the file that is about to be written
    archive   write it, whole and durable; read it back
    trail     the range has the new file, and an event says what was erased
    archive   remove the old file
    trail     forget its name

At every moment one of the two files is whole and the range's. Salt and personal part go, `sealed`
comes, so every leaf stays as it was.
"""

import re
from collections.abc import Collection, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from ..errors import ArchiveError
from ..event import Entry
from ..proofs.merkle import seal
from ..trail.forgetting import ErasureNote, names_any
from ..trail.ranges import Range
from ..trail.store import WritableTrail
from .columns import table_of
from .modules import archive_module
from .parquet import ArchiveFile, leaves_of, to_parquet
from .places import ArchivePlace
from .reading import open_range
from .table import note_draft, swap
from .upkeep import is_at, remove_drafts, rows_of

__all__ = ["erase_archived"]

CHUNK = 8_192
"""Entries that become columns at once."""


def erase_archived(
    trail: WritableTrail,
    places: Sequence[ArchivePlace],
    tokens: Collection[str],
    note: ErasureNote,
) -> tuple[int, list[Range]]:
    """Erase these tokens' events in archives at these places; to be called inside `upkeep`.

    The tokens are called erased in the vault already. Broken off, it may be run again.

    Returns how many entries have lost something, and the ranges that were not reached: those at
    other places. Raises `ArchiveError` if a file that should be at the places can't be read.
    """
    unreached = list(remove_drafts(trail, places))
    count, origin = 0, trail.origin
    failed: ArchiveError | None = None
    for each in rows_of(trail):
        if each.state == "pruned" or not each.file:
            continue
        if not is_at(places, each):
            unreached.append(each)
            continue
        try:
            count += _erase_one(trail, places, each, origin, tokens, note)
        except ArchiveError as error:  # one that is lost or damaged keeps no other from it
            failed = failed or error
    unreached += remove_drafts(trail, places)
    if failed is not None:
        raise failed
    return count, list(dict.fromkeys(unreached))


def _erase_one(
    trail: WritableTrail,
    places: Sequence[ArchivePlace],
    one: Range,
    origin: str,
    tokens: Collection[str],
    note: ErasureNote,
) -> int:
    file = open_range(places, one, origin)
    if not file.may_name(tokens):
        return 0
    entries = file.entries()
    found = [
        entry.seq
        for entry in entries
        if entry.personal is not None and names_any(entry.core, entry.personal, tokens)
    ]
    if not found:
        return 0
    cleaned = _without(entries, frozenset(found))
    if leaves_of(cleaned) != leaves_of(entries):
        raise ArchiveError(f"{one.file} was damaged: run flowaudit verify --archive")
    data = to_parquet(_table(cleaned), file.facts)
    name = re.sub(r"-[0-9a-f]{12}\.", f"-{sha256(data).hexdigest()[:12]}.", one.file)
    trail.change(partial(note_draft, one=one, draft=name))
    for place in [place for place in places if place.has(one.file)]:
        place.write_new(name, data)
        if ArchiveFile(place.read(name), name).entries() != cleaned:
            raise ArchiveError(f"{place.text}/{name} does not give back what was written")
    records = note.records(found)
    trail.change(partial(swap, one=one, file=name), records, note.source, note.n)
    return len(found)


def _without(entries: list[Entry], seqs: frozenset[int]) -> list[Entry]:
    return [
        Entry(seq=entry.seq, core=entry.core, sealed=seal(entry.salt, entry.personal))
        if entry.seq in seqs and entry.salt is not None and entry.personal is not None
        else entry
        for entry in entries
    ]


def _table(entries: list[Entry]) -> Any:
    chunks = [table_of(entries[at : at + CHUNK]) for at in range(0, len(entries), CHUNK)]
    return archive_module("pyarrow").concat_tables(chunks)
