"""Our own operational log: structlog as the app has configured it, never a fault to pay for."""

from contextlib import suppress
from typing import Any, Final

import structlog

__all__ = ["OPLOG"]


class _OpLog:
    """Says what goes wrong with us. A log that cannot be written (a closed pipe) is passed over."""

    def __init__(self) -> None:
        self._logger = structlog.get_logger("flowaudit")

    def warning(self, event: str, **fields: Any) -> None:
        """Something is not as it should be, and we go on."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something is lost, or may be."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        with suppress(Exception):  # there is nowhere left to say it
            getattr(self._logger, level)(event, **fields)


OPLOG: Final = _OpLog()
