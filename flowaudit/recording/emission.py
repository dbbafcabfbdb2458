"""Events as lines of JSON on standard output, for teams that ship it: the setting `emit`."""

import sys
from collections.abc import Sequence
from typing import Final, TextIO

import structlog

from ..event import Entry, flat_event
from ..oplog import OPLOG

__all__ = ["PARTS", "Emission"]

PARTS: Final = ("core", "whole")
"""What may be emitted: what happened, or also what points at a person."""

LOG_EVERY: Final = 1_000
"""Of groups that could not be emitted, the first and then one in so many is logged."""


class _Lines:
    """Lines in a file. structlog's own has a lock, and a child that is born while it is held never
    gets it; here a single thread writes.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def info(self, line: str) -> None:
        """Write a line, at once."""
        self._file.write(f"{line}\n")
        self._file.flush()


class Emission:
    """Emits what has been committed: an event that stands on standard output is in the trail.

    The trail is what holds. A line may be missing after a crash, and none can be proved.
    """

    def __init__(self, part: str) -> None:
        self._is_whole = part == "whole"
        self._failed = 0
        self._logger = structlog.wrap_logger(
            _Lines(sys.stdout),
            processors=[structlog.processors.JSONRenderer(ensure_ascii=False)],
        ).bind(logger="flowaudit")

    def emit(self, first_seq: int, records: Sequence[tuple[bytes, bytes]]) -> None:
        """One line for each event of a group. Never raises: a closed pipe is counted and logged."""
        try:
            for seq, (core, personal) in enumerate(records, first_seq):
                kept = personal if self._is_whole and personal else None
                fields = flat_event(Entry(seq=seq, core=core, personal=kept))
                self._logger.info(fields["kind"], **fields)
        except (OSError, ValueError) as error:
            self._failed += 1
            if self._failed % LOG_EVERY == 1:
                OPLOG.warning("events could not be emitted; the trail has them", error=str(error))
