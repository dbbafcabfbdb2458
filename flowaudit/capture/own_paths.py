"""Where an app's trail is, and whether it can be there."""

import os
from collections.abc import Mapping
from typing import Any

from ..errors import SettingError
from ..trail.opening import check_trail
from ..trail.paths import TrailPaths
from ..vault.place import DatabaseUrl, Place

__all__ = ["own_place", "usable_paths"]


def usable_paths(settings: Mapping[str, Any]) -> TrailPaths:
    """The trail's paths. Raises if its folder is missing or the file is something else."""
    paths = TrailPaths.of_settings(settings)
    for name, path in (("trail", paths.trail), ("vault", paths.vault), ("key", paths.key)):
        if not isinstance(path, DatabaseUrl) and not path.parent.is_dir():
            raise SettingError(name, str(path), "a file in a folder that exists")
    trail = paths.trail
    if isinstance(trail, DatabaseUrl):
        return paths  # it may be away while the app starts
    if not os.access(trail if trail.exists() else trail.parent, os.W_OK):
        raise SettingError("trail", str(trail), "a file that this process may write")
    if trail.exists() and (not trail.is_file() or trail.stat().st_size):
        check_trail(paths)
    return paths


def own_place(trail: Place) -> str:
    """The same for every name of one trail, as far as this can be told without asking it."""
    return trail.uri if isinstance(trail, DatabaseUrl) else os.path.realpath(trail)
