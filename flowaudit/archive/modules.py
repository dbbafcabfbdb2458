"""Modules of the extra `archive`, imported when they are first needed."""

from importlib import import_module
from typing import Any

from ..errors import MissingExtraError

__all__ = ["archive_module"]


def archive_module(name: str) -> Any:
    """A module of the extra; raises `MissingExtraError` where it is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(name.split(".")[0], "archive") from error
