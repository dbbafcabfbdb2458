"""Opens a trail where it is: the one way to a trail for everything that reads or writes one."""

import os
from importlib import import_module
from typing import Any

from ..errors import MissingExtraError
from ..vault.place import DatabaseUrl, Place, place_of
from .paths import TrailPaths, check_is_trail
from .reader import TrailReader
from .sqlite import Trail
from .store import ReadableTrail, WritableTrail

__all__ = ["Given", "check_trail", "open_reader", "open_trail", "postgres_module", "trail_exists"]

Given = str | os.PathLike[str] | DatabaseUrl | TrailPaths
"""How a trail may be named: by its paths, or by its place alone."""


def open_trail(given: Given, *, lock_timeout_s: float | None = 30.0) -> WritableTrail:
    """The writer's side of a trail; a file is made at the first use if there is none.

    Args:
        given: the trail; by its place alone, its other files have their usual names.
        lock_timeout_s: how long a call waits for other writers before `TrailBusyError`; `None`
            is for as long as it takes.
    """
    paths = given if isinstance(given, TrailPaths) else TrailPaths.of(given)
    if isinstance(paths.trail, DatabaseUrl):
        trail: WritableTrail = postgres_module("postgres").PostgresTrail(
            paths, lock_timeout_s=lock_timeout_s
        )
        return trail
    return Trail(paths, lock_timeout_s=lock_timeout_s)


def open_reader(given: Given) -> ReadableTrail:
    """The reader's side of a trail, as it is now. Raises `NotATrailError` if there is none."""
    place = _place(given)
    if isinstance(place, DatabaseUrl):
        reader: ReadableTrail = postgres_module("postgres_reader").PostgresReader(place)
        return reader
    return TrailReader(place)


def check_trail(given: Given) -> None:
    """Raise `NotATrailError`, with a sentence for people, unless there is a trail."""
    place = _place(given)
    if isinstance(place, DatabaseUrl):
        postgres_module("postgres_reader").check_is_database_trail(place)
    else:
        check_is_trail(place)


def trail_exists(given: Given) -> bool:
    """Whether something is there that may be a trail; a database tells only once it is asked."""
    place = _place(given)
    return isinstance(place, DatabaseUrl) or place.exists()


def _place(given: Given) -> Place:
    return given.trail if isinstance(given, TrailPaths) else place_of(given)


def postgres_module(name: str) -> Any:
    """A module of the PostgreSQL trail, whose library is an extra."""
    try:
        return import_module(f".{name}", __package__)
    except ModuleNotFoundError as error:
        raise MissingExtraError("psycopg", "postgres") from error
