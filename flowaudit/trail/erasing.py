"""Taking everything personal of some tokens out of a trail; all that a trail holds of them."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from itertools import islice
from typing import Final

from ..event import Entry
from .forgetting import ErasureNote, names_any
from .paths import TrailPaths, check_is_trail, read_only_uri
from .sqlite import Trail, trail_error

__all__ = ["entries_of", "erase_tokens"]

RANGE: Final = 100_000
"""Entries looked through in one query: a fraction of a second, so that no read holds writers up."""

AT_ONCE: Final = 5_000
"""Entries cleaned in one transaction, so that other writers get their turn."""


def entries_of(paths: TrailPaths, tokens: Collection[str], end: int) -> Iterator[Entry]:
    """Every entry below `end` that is of one of these tokens (see `names_any`), in order.

    Raises `NotATrailError` if there is no trail.
    """
    check_is_trail(paths.trail)
    named = " OR ".join(["instr(core, ?) OR instr(coalesce(personal, ''), ?)"] * len(tokens))
    wanted = [token for token in tokens for _ in range(2)]
    try:
        with closing(sqlite3.connect(read_only_uri(paths.trail), uri=True)) as db:
            for first in range(0, end, RANGE):
                rows = db.execute(
                    "SELECT seq, CAST(core AS BLOB), CAST(personal AS BLOB) FROM event"
                    f" WHERE seq >= ? AND seq < ? AND ({named}) ORDER BY seq",
                    (first, min(first + RANGE, end), *wanted),
                ).fetchall()
                for seq, core, personal in rows:
                    if names_any(core or b"", personal, tokens):
                        yield Entry(seq=seq, core=core or b"", personal=personal)
    except sqlite3.Error as error:
        raise trail_error(error, paths.trail) from error


def erase_tokens(trail: Trail, tokens: Collection[str], note: ErasureNote) -> int:
    """Delete salt and personal part of every event of these tokens; how many have lost something.

    The tokens are called erased in the vault already. Broken off, it may be run again. The trail
    is looked through without its lock; only what came meanwhile is looked at under it.
    """
    end = trail.size()
    found = (e.seq for e in entries_of(trail.paths, tokens, end) if e.personal is not None)
    count = 0
    while seqs := list(islice(found, AT_ONCE)):
        count += trail.erase(seqs, end, (), note)
    return count + trail.erase((), end, tokens, note)
