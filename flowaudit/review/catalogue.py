"""The detections that there are. Explicit: a file that is not named here does not run."""

import importlib.resources
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from .rule import Rule, parse_rule

__all__ = ["RULE_IDS", "ListedPath", "load_rules", "never_paths", "read_query", "sensitive_paths"]

RULE_IDS: Final = (
    "login-brute-force",
    "sensitive-path-probe",
    "object-id-enumeration",
    "privilege-probing",
    "denied-then-allowed",
)
"""Every detection, in the order of the catalogue; its file is `rules/ID.sql`."""


@dataclass(frozen=True, slots=True)
class ListedPath:
    """A well-known path in lower case."""

    entry: str
    last_part: str
    """What stands after its last slash; empty for a folder."""
    tier: str
    """`A` never belongs to a Python web app, `B` may, `-` is never listed."""


@cache
def load_rules() -> tuple[Rule, ...]:
    """Every detection, read from its file."""
    return tuple(parse_rule(_text(f"rules/{rule_id}.sql")) for rule_id in RULE_IDS)


def read_query(name: str) -> str:
    """The SQL file `name` of this package, which is no detection but serves them."""
    return _text(f"{name}.sql")


def sensitive_paths() -> tuple[ListedPath, ...]:
    """The well-known sensitive paths."""
    table = _path_table()
    return tuple(
        _listed(path, tier) for tier in ("A", "B") for path in table[f"tier_{tier.lower()}"]
    )


def never_paths() -> tuple[ListedPath, ...]:
    """Paths that are asked for with good reason, and never count."""
    return tuple(_listed(path, "-") for path in _path_table()["never"])


def _listed(path: str, tier: str) -> ListedPath:
    entry = path.lower()
    return ListedPath(entry, entry.rpartition("/")[2], tier)


@cache
def _path_table() -> dict[str, Any]:
    return tomllib.loads(_text("rules/sensitive_paths.toml"))


def _text(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text("utf-8")
