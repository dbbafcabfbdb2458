"""Taking everything personal of some tokens out of a trail."""

from collections.abc import Collection
from itertools import islice
from typing import Final

from .forgetting import ErasureNote
from .store import WritableTrail

__all__ = ["erase_tokens"]

AT_ONCE: Final = 5_000
"""Entries cleaned in one transaction, so that other writers get their turn."""


def erase_tokens(trail: WritableTrail, tokens: Collection[str], note: ErasureNote) -> int:
    """Delete salt and personal part of every event of these tokens; how many have lost something.

    The tokens are called erased in the vault already. Broken off, it may be run again. The trail
    is looked through without its lock; only what came meanwhile is looked at under it.
    """
    end = trail.size()
    found = trail.erasable(tokens, end)
    count = 0
    while seqs := list(islice(found, AT_ONCE)):
        count += trail.erase(seqs, end, (), note)
    return count + trail.erase((), end, tokens, note)
