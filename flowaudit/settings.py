"""Every setting, in one table that feeds validation, `--help` and the docs.

A value is taken from the keyword of `FlowAudit(…)`, else from the environment variable
`FLOWAUDIT_<NAME>`, else from `[flowaudit]` in the policy file, else the default.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .errors import SettingError

__all__ = ["SETTINGS", "Setting", "resolve"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name, default, meaning, and how it is read."""

    name: str
    default: Any
    expected: str
    meaning: str
    read: Callable[[object], Any]
    """Value out of what was given; raises `ValueError` or `TypeError` if it cannot be."""


def _text(value: object) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    return value


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise TypeError
    return tuple(_text(item) for item in value)


def _prefixes(value: object) -> tuple[str, ...]:
    prefixes = _texts(value)
    if not all(re.match(r"/|https?://[^/\\\s]+/", prefix) for prefix in prefixes):
        raise ValueError
    return prefixes


def _own_path(value: object) -> str:
    path = _text(value)
    if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+", path) or len(path) > 100:
        raise ValueError
    return path


def _proxies(value: object) -> int | tuple[str, ...]:
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, int):
        if not 0 <= value <= 32:
            raise ValueError
        return value
    networks = _texts(value)
    for network in networks:
        ipaddress.ip_network(network, strict=False)
    return networks


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise TypeError
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return read


def _days(value: object) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,4}d", text := _text(value)):
        raise ValueError
    return text


def _part(value: object) -> str:
    if value not in ("core", "whole"):
        raise ValueError
    return str(value)


def _clock(value: object) -> Callable[[], float]:
    if not callable(value):
        raise TypeError
    return value


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "trail",
        "flowaudit.db",
        "a path, or postgresql://USER@HOST/DATABASE",
        "The trail: a file (SQLite), or a database `postgresql://USER@HOST/DATABASE`.",
        _text,
    ),
    Setting(
        "vault",
        None,
        "a path, or postgresql://USER@HOST/DATABASE",
        "The vault: a file or a database; `TRAIL.vault`, or the trail's database, if not set.",
        _text,
    ),
    Setting("key", None, "a path", "Private signing key (PEM); `TRAIL.key` if not set.", _text),
    Setting(
        "spool",
        None,
        "a path",
        "Folder of the spools, on a local disk; `TRAIL.spool` if not set.",
        _text,
    ),
    Setting("service", None, "a text", "Name of the app, on its process events.", _text),
    Setting("version", None, "a text", "Version of the app, on its process events.", _text),
    Setting(
        "retention",
        None,
        "a number of days such as 400d",
        "After how long `flowaudit prune` removes archived entries, unless told otherwise.",
        _days,
    ),
    Setting(
        "policy",
        None,
        "a path",
        "Policy file; `flowaudit.toml` in the working folder if there is one.",
        _text,
    ),
    Setting(
        "trusted_proxies",
        0,
        "a list of networks such as 10.0.0.0/8, or a number of proxies (0 to 32)",
        "Whose forwarded headers are believed: networks, or how many proxies stand in front.",
        _proxies,
    ),
    Setting(
        "query_keys",
        (),
        "a list of names",
        "Query parameters whose values are recorded; of all others nothing is.",
        _texts,
    ),
    Setting(
        "login_paths",
        (),
        "a list of path prefixes, each with a leading /, or addresses such as https://sso.example/in",
        "Where the app redirects to for sign-in: such a redirect is a refusal.",
        _prefixes,
    ),
    Setting(
        "session_cookie",
        (),
        "a list of names",
        "Cookies that hold the app's session id; only a keyed hash is recorded.",
        _texts,
    ),
    Setting(
        "agents",
        (),
        "a list of texts",
        "Parts of a User-Agent that mark an AI agent, beside the maintained list.",
        _texts,
    ),
    Setting(
        "beacon",
        None,
        "a path such as /_flow",
        "Path of the beacon that single-page apps tell their pages and marked clicks to.",
        _own_path,
    ),
    Setting(
        "emit",
        None,
        "core or whole",
        "What of each committed event is also printed as a line of JSON: `core` or `whole`.",
        _part,
    ),
    Setting(
        "witnesses",
        (),
        "a list of folders and URLs",
        "Who is given signed checkpoints: folders, each on somebody else's disk; and time-stamp"
        " authorities (RFC 3161) by their `https:` URL.",
        _texts,
    ),
    Setting(
        "queue_size",
        16_384,
        "a whole number from 16 to 4194304",
        "Events that may wait for the trail, 1 KiB of spool each; what is beyond is told as a gap.",
        _whole(16, 4_194_304),
    ),
    Setting(
        "group_ms",
        50,
        "a whole number from 1 to 10000",
        "Milliseconds that a commit waits for more events.",
        _whole(1, 10_000),
    ),
    Setting(
        "clock",
        None,
        "a callable that returns seconds since 1970 as a float, like time.time",
        "Another clock, for tests and simulations.",
        _clock,
    ),
)

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_NOT_IN_FILES: Final = {"clock"}


def resolve(
    given: Mapping[str, object], environ: Mapping[str, str], file: Mapping[str, object]
) -> dict[str, Any]:
    """Every setting's value. Raises `SettingError` for an unknown name or a wrong value.

    Args:
        given: keywords; `None` means not given.
        environ: the environment; variables `FLOWAUDIT_<NAME>` are looked at.
        file: the section `[flowaudit]` of the policy file.
    """
    for name in [*given, *file]:
        if name not in _BY_NAME:
            raise SettingError(
                name, given.get(name, file.get(name)), f"one of {', '.join(_BY_NAME)}"
            )
    for name in _NOT_IN_FILES & file.keys():
        raise SettingError(name, file[name], "to be given in Python")
    return {name: _value(setting, given, environ, file) for name, setting in _BY_NAME.items()}


def _value(
    setting: Setting,
    given: Mapping[str, object],
    environ: Mapping[str, str],
    file: Mapping[str, object],
) -> Any:
    variable = f"FLOWAUDIT_{setting.name.upper()}"
    if given.get(setting.name) is not None:
        name, value = setting.name, given[setting.name]
    elif environ.get(variable) and setting.name not in _NOT_IN_FILES:
        name, value = variable, environ[variable]
    elif setting.name in file:
        name, value = f"flowaudit.{setting.name}", file[setting.name]
    else:
        return setting.default
    try:
        return setting.read(value)
    except (ValueError, TypeError):
        raise SettingError(name, value, setting.expected) from None
