"""Releases, as marks on a time line: recorded deployments, and processes of another version."""

import json
from dataclasses import dataclass
from typing import Any, Final

from ..journeys.engine import Engine, read_sql

__all__ = ["Release", "releases"]

SAME_US: Final = 600_000_000
"""A deployment and the start of its version are one release if no more than 10 minutes apart."""

MOST: Final = 30
"""Marks on a time line; the latest are kept."""


@dataclass(frozen=True, slots=True)
class Release:
    """Another version went live."""

    ts: int
    version: str
    """Empty if it was not told."""


def releases(engine: Engine) -> tuple[Release, ...]:
    """Releases in the order of time; the version that was there first is none."""
    found: list[Release] = []
    running: dict[str, str] = {}
    for ts, kind, facts in engine.rows(read_sql(__package__, "releases.sql")):
        told = _facts(facts)
        version = str(told.get("version") or "")
        if kind == "process":
            before = running.get(str(told.get("service")))
            running[str(told.get("service"))] = version
            if before is None or before == version:
                continue
        _add(found, Release(ts, version))
    return tuple(found[-MOST:])


def _add(found: list[Release], release: Release) -> None:
    if found and release.ts - found[-1].ts <= SAME_US:
        if release.version in ("", found[-1].version):
            return
        if not found[-1].version:
            found[-1] = Release(found[-1].ts, release.version)
            return
    found.append(release)


def _facts(text: str | None) -> dict[str, Any]:
    try:
        told = json.loads(text) if text else {}
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
