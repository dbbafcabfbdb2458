"""Checks that every part of the policy file shares; what is wrong is named by its place."""

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import SettingError

__all__ = ["check_keys", "table", "texts"]


def table(name: str, value: object) -> Mapping[str, Any]:
    """The value if it is a table; else `SettingError`."""
    if not isinstance(value, Mapping):
        raise SettingError(name, value, "a table")
    return value


def check_keys(prefix: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise `SettingError` for the first key that is not known."""
    for key in given:
        if key not in known:
            raise SettingError(f"{prefix}{key}", given[key], f"one of {', '.join(sorted(known))}")


def texts(name: str, value: object) -> list[str]:
    """The value if it is a list of texts; else `SettingError`."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SettingError(name, value, "a list of texts")
    return value
