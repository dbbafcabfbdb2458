"""A line of an access log as an event: common and combined format, as Apache and nginx write them.

What a line does not say is not in its event: no `nav`, no route, no duration. What repeats from
line to line (targets, agents, referers, minutes) is worked out once, in bounded caches.
"""

import datetime
import re
from collections.abc import Callable
from typing import Final, TypeVar

from msgspec.structs import asdict, replace

from ..event import (
    MAX_PERSONAL_BYTES,
    SCHEMA_VERSION,
    Core,
    Personal,
    clean_text,
    encode_core,
    encode_personal,
)
from ..policy.classify import classify_status
from ..policy.redact import redact_agent, redact_path, redact_referer
from ..policy.signs import attack_flags

__all__ = ["FORMATS", "LogLines", "Record"]

Record = tuple[bytes, bytes]
"""Canonical bytes of an event's core and personal part."""

CACHE_SIZE: Final = 16_384
"""Distinct texts remembered of each kind; emptied when full, since most repeat soon."""

MAX_CACHED: Final = 1_024
"""Characters of a text that is remembered."""

MAX_CUT: Final = 8_192
"""Characters left of each text of a line whose personal part would be too large."""

MAX_CLIENT: Final = 255
"""Characters kept of a client: a host name is never longer (RFC 1035)."""

MAX_INT: Final = 2**53 - 1

_QUOTED: Final = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_COMMON: Final = (
    r"(\S+) \S+ (\S+) "
    r"\[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}):([0-9]{2}) ([+-][0-9]{4})\] "
    rf"{_QUOTED} ([0-9]{{3}}) ([0-9]+|-)"
)

FORMATS: Final = {
    "combined": re.compile(rf"{_COMMON} {_QUOTED} {_QUOTED}", re.ASCII | re.DOTALL),
    "common": re.compile(rf"{_COMMON}()()", re.ASCII | re.DOTALL),
}
"""Each format as one pattern for a whole line: client, user, minute, second, offset, request,
status, bytes, referer, agent."""

_REQUEST: Final = re.compile(r"([A-Z]{3,10}) (\S+)(?: HTTP/[0-9]+\.[0-9]+)?", re.ASCII)
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_MONTHS: Final = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
_NONE: Final = frozenset(["", "-"])

_Target = tuple[str | None, str | None, str | None, list[str] | None]
_V = TypeVar("_V")


class LogLines:
    """Makes events of the lines of one log.

    Args:
        form: a key of `FORMATS`.
        redact: mask secrets, drop queries (the default of the command); else keep all as it is.
        token: gives the token of a user's name.
    """

    def __init__(self, form: str, *, redact: bool, token: Callable[[str], str]) -> None:
        self._match = FORMATS[form].fullmatch
        self._redact = redact
        self._token = token
        self._minutes: dict[tuple[str, str], int | None] = {}
        self._requests: dict[str, _Target] = {}
        self._agents: dict[str, str | None] = {}
        self._referers: dict[str, str | None] = {}
        self._has_agent = form == "combined"

    def is_event(self, line: str) -> bool:
        """Whether a line matches the format."""
        return self.time(line) is not None

    def time(self, line: str) -> int | None:
        """When a line's request was, in µs since 1970; `None` if it does not match the format."""
        match = self._match(line)
        return None if match is None else self._time(match[3], match[4], match[5])

    def record(self, line: str, source: str, n: int) -> Record | None:
        """The event of a line; `None` if it does not match the format."""
        match = self._match(line)
        if match is None:
            return None
        client, user, minute, second, offset, request, status, size, referer, agent = match.groups()
        ts = self._time(minute, second, offset)
        if ts is None:
            return None
        method, path, query, flags = _remember(self._requests, request, self._target)
        if self._has_agent and agent in _NONE:
            flags = sorted({*(flags or ()), "no-ua"})
        outcome, reason = classify_status(int(status))
        bytes_out = 0 if size == "-" else int(size)
        core = Core(
            actor=self._token(user) if user not in _NONE else None,
            actor_kind="user" if user not in _NONE else None,
            bytes_out=bytes_out if 0 < bytes_out <= MAX_INT else None,
            flags=flags,
            kind="request",
            method=method,
            n=n,
            outcome=outcome,
            reason=reason,
            source=source,
            status=int(status),
            ts=ts,
            v=SCHEMA_VERSION,
        )
        personal = Personal(
            client=client if len(client) <= MAX_CLIENT else clean_text(client, MAX_CLIENT),
            path=path,
            query=query,
            referer=_remember(self._referers, referer, self._referer),
            ua=_remember(self._agents, agent, self._agent),
        )
        body = encode_personal(personal)
        if len(body) > MAX_PERSONAL_BYTES:
            core, body = _cut(core, personal)
        return encode_core(core), body

    def _time(self, minute: str, second: str, offset: str) -> int | None:
        key = (minute, offset)
        start = self._minutes.get(key)
        if start is None:
            if key in self._minutes:
                return None
            if len(self._minutes) >= CACHE_SIZE:
                self._minutes.clear()
            start = self._minutes[key] = _minute(minute, offset)
            if start is None:
                return None
        seconds = int(second)
        # 60 is a leap second
        return start + seconds * 1_000_000 if seconds <= 60 else None

    def _target(self, request: str) -> _Target:
        """Method, path, query and flags of a request line."""
        match = _REQUEST.fullmatch(request)
        if match is None:
            return None, None, None, None
        path, query = split_target(match[2])
        flags = list(attack_flags(path, query)) or None
        if self._redact:
            path, query = redact_path(path), ""
        return match[1], path or None, query or None, flags

    def _referer(self, text: str) -> str | None:
        if text in _NONE:
            return None
        return redact_referer(text) if self._redact else text

    def _agent(self, text: str) -> str | None:
        if text in _NONE:
            return None
        return redact_agent(text) if self._redact else text


def split_target(target: str) -> tuple[str, str]:
    """Path and query of a target as sent; an absolute one loses scheme and host."""
    absolute = _ABSOLUTE.match(target)
    if absolute is not None:
        # RFC 9112, 3.2.1: an empty path of an absolute target is sent as "/"
        rest = target[absolute.end() :]
        target = rest if rest.startswith("/") else f"/{rest}"
    target = target.partition("#")[0]
    path, _mark, query = target.partition("?")
    return path, query


def _remember(cache: dict[str, _V], text: str, make: Callable[[str], _V]) -> _V:
    try:
        return cache[text]
    except KeyError:
        value = make(text)
        if len(text) <= MAX_CACHED:
            if len(cache) >= CACHE_SIZE:
                cache.clear()
            cache[text] = value
        return value


def _minute(text: str, offset: str) -> int | None:
    """Start of a minute such as `25/Oct/2015:04:11` in µs UTC; `None` if there is no such one."""
    day, month, year, hour, minute = (
        int(text[:2]),
        _MONTHS.get(text[3:6], 0),
        int(text[7:11]),
        int(text[12:14]),
        int(text[15:17]),
    )
    east_minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    if hour > 23 or minute > 59 or int(offset[3:5]) > 59 or east_minutes >= 24 * 60:
        return None
    try:
        days = datetime.date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None
    local_minutes = (days * 24 + hour) * 60 + minute
    utc_minutes = local_minutes + (east_minutes if offset[0] == "-" else -east_minutes)
    return utc_minutes * 60_000_000


def _cut(core: Core, personal: Personal) -> tuple[Core, bytes]:
    """The same event with its texts cut, flagged, so that it fits."""
    texts = {
        name: clean_text(text, MAX_CUT)
        for name, text in asdict(personal).items()
        if text is not None
    }
    flags = sorted({*(core.flags or ()), "truncated"})
    return replace(core, flags=flags), encode_personal(replace(personal, **texts))
