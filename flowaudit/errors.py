"""Every exception that flowaudit raises on purpose.

::

    FlowauditError              whatever we raise; `except FlowauditError` catches all of it
    ├── SettingError            a setting or policy line is wrong (raised at start-up)
    ├── MissingExtraError       an optional dependency is not installed; names the pip line
    ├── TrailError              a trail cannot be used
    │   ├── NotATrailError      the file is something else, or damaged beyond reading
    │   ├── TrailBusyError      another program holds the lock
    │   └── TrailWriteError     disk full, read-only, input/output error
    ├── ArchiveError            an archive cannot be read or written, or does not hold
    ├── VaultError              the vault cannot answer
    │   └── VaultBusyError      it does not answer us now: locked, away, closed
    ├── ProofError              a note, proof or tile is malformed
    ├── EventError              an event breaks the schema
    ├── ImportFormatError       an importer was told to read something it cannot
    ├── QueryError              an analysis or a detection cannot run as asked
    └── AppError                an app cannot be imported or called as asked

Nothing of this tree is raised into a host application's request: capture counts and logs
its own failures (see `capture/audit.py`).
"""

import re
from typing import Final

__all__ = [
    "AppError",
    "ArchiveError",
    "EventError",
    "FlowauditError",
    "ImportFormatError",
    "MissingExtraError",
    "NotATrailError",
    "ProofError",
    "QueryError",
    "SettingError",
    "TrailBusyError",
    "TrailError",
    "TrailWriteError",
    "VaultBusyError",
    "VaultError",
]


_PASSWORD: Final = re.compile(r"(://[^/@\s:]*):[^@\s]*@|(?<=password=)[^&\s'\"]+", re.IGNORECASE)


def _masked(text: str) -> str:
    """A value that is told, without the password that a URI in it holds."""
    return _PASSWORD.sub(lambda m: f"{m[1]}:…@" if m[1] is not None else "…", text)


class FlowauditError(Exception):
    """Root of every exception that flowaudit raises on purpose."""


class SettingError(FlowauditError):
    """A setting is wrong: says its name, its value and what was expected."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        self.name, self.value, self.expected = name, value, expected
        super().__init__(f"setting {name!r} is {_masked(repr(value))}; expected {expected}")


class MissingExtraError(FlowauditError):
    """An optional dependency is missing: says the exact line that installs it."""

    def __init__(self, module: str, extra: str) -> None:
        self.module, self.extra = module, extra
        super().__init__(f"{module} is not installed; run: pip install 'flowaudit[{extra}]'")


class TrailError(FlowauditError):
    """A trail cannot be used."""


class NotATrailError(TrailError):
    """The file is not a flowaudit trail, or too damaged to be read as one."""


class TrailBusyError(TrailError):
    """Another program holds the trail's lock for longer than we wait."""


class TrailWriteError(TrailError):
    """The trail cannot be written: disk full, read-only, input/output error."""


class ArchiveError(FlowauditError):
    """An archive cannot be read or written, or does not hold what its trail says."""


class VaultError(FlowauditError):
    """The vault cannot answer, or is not a vault."""


class VaultBusyError(VaultError):
    """The vault does not answer us now: another program has locked it, its database is away, or
    closed to this log-in. Whom it calls erased is not known.
    """


class ProofError(FlowauditError):
    """A note, proof or tile is malformed."""


class EventError(FlowauditError):
    """An event breaks the schema."""


class ImportFormatError(FlowauditError):
    """An importer was told to read something that it cannot."""


class QueryError(FlowauditError):
    """An analysis or a detection cannot run as asked."""


class AppError(FlowauditError):
    """An app that was named cannot be imported, or is no app."""
