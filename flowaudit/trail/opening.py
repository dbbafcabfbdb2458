"""Opens a trail where it is: the one way to a trail for everything that reads or writes one."""

import os

from ..vault.opening import needed
from ..vault.place import DatabaseUrl, Place, place_of
from .paths import TrailPaths, check_is_trail
from .reader import TrailReader
from .sqlite import Trail
from .store import ReadableTrail, WritableTrail

__all__ = ["Given", "check_trail", "open_reader", "open_trail", "trail_exists"]

Given = str | os.PathLike[str] | DatabaseUrl | TrailPaths
"""How a trail may be named: by its paths, or by its place alone."""


def open_trail(
    given: Given, *, lock_timeout_s: float | None = 30.0, replaces_key: bool = False
) -> WritableTrail:
    """The writer's side of a trail; a file is made at the first use if there is none.

    Args:
        given: the trail; by its place alone, its other files have their usual names.
        lock_timeout_s: how long a call waits for other writers before `TrailBusyError`; `None`
            is for as long as it takes.
        replaces_key: whether a private key that is gone is replaced, as an app does that goes on
            recording. Without it nothing is signed then: a command may just not know where the
            key is, and a copy of a trail has none.
    """
    paths = given if isinstance(given, TrailPaths) else TrailPaths.of(given)
    if isinstance(paths.trail, DatabaseUrl):
        with needed():
            from .postgres import PostgresTrail
        return PostgresTrail(paths, lock_timeout_s=lock_timeout_s)
    return Trail(paths, lock_timeout_s=lock_timeout_s, replaces_key=replaces_key)


def open_reader(given: Given) -> ReadableTrail:
    """The reader's side of a trail, as it is now. Raises `NotATrailError` if there is none."""
    place = _place(given)
    if isinstance(place, DatabaseUrl):
        with needed():
            from .postgres_reader import PostgresReader
        return PostgresReader(place)
    return TrailReader(place)


def check_trail(given: Given) -> None:
    """Raise `NotATrailError`, with a sentence for people, unless there is a trail."""
    place = _place(given)
    if isinstance(place, DatabaseUrl):
        with needed():
            from .postgres_reader import check_database
        check_database(place)
    else:
        check_is_trail(place)


def trail_exists(given: Given) -> bool:
    """Whether something is there that may be a trail; a database tells only once it is asked."""
    place = _place(given)
    return isinstance(place, DatabaseUrl) or place.exists()


def _place(given: Given) -> Place:
    return given.trail if isinstance(given, TrailPaths) else place_of(given)
