"""The target of a request: as it was sent, as it may be kept, and what is odd about it."""

import re
from dataclasses import dataclass
from typing import Final

from ..event import member
from ..policy.navigation import has_page_extension
from ..policy.redact import redact_path
from ..policy.signs import attack_flags

__all__ = ["NO_TARGET", "SAFE_IN_PATH", "Target", "Targets", "split_target"]

SAFE_IN_PATH: Final = "/:@!$&'()*+,;=~-._"
"""Characters that stay as they are when a decoded path is quoted again (RFC 3986 §3.3)."""

CACHE_SIZE: Final = 8_192
"""Distinct targets remembered; emptied when full, since most repeat soon."""

MAX_CACHED: Final = 1_024
"""Longer targets are not remembered."""

_END_OF_PATH: Final = re.compile(r"[?#]")


def split_target(target: str) -> tuple[str, str]:
    """Path and query of a target, neither decoded; an absolute one loses scheme and host."""
    if not target.startswith("/") and "://" in target:
        slash = target.find("/", target.index("://") + 3)
        target = target[slash:] if slash >= 0 else "/"
    match = _END_OF_PATH.search(target)
    if match is None:
        return target, ""
    path, rest = target[: match.start()], target[match.start() :]
    return path, rest[1:].partition("#")[0] if rest.startswith("?") else ""


@dataclass(frozen=True, slots=True)
class Target:
    """A path, judged once."""

    raw: str
    """As sent, for the policy's rules; never recorded."""
    path: str
    """As it may be recorded."""
    flags: tuple[str, ...]
    path_member: str
    """The text that `path` takes in an event."""
    nav_member: str
    """The text of `nav`, where the headers do not tell."""


NO_TARGET: Final = Target("", "", (), "", "")
"""Of work that no request asked for."""


class Targets:
    """Judges targets, and remembers what it found by their exact bytes or text."""

    def __init__(self) -> None:
        self.known: dict[bytes | str, Target] = {}
        """What was found, for whoever looks here first."""

    def look(self, raw: bytes | str, is_rebuilt: bool = False) -> Target:
        """The target of a request line; `is_rebuilt` if the server gave only a decoded path."""
        known = self.known.get(raw)
        if known is None or is_rebuilt:
            known = _judge(raw, is_rebuilt)
            if len(raw) <= MAX_CACHED and not is_rebuilt:
                if len(self.known) >= CACHE_SIZE:
                    self.known.clear()
                self.known[raw] = known
        return known


def _judge(raw: bytes | str, is_rebuilt: bool) -> Target:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else _utf8(raw)
    path = split_target(text)[0]
    flags = attack_flags(path, "")
    kept = redact_path(path)
    return Target(
        raw=path,
        path=kept,
        flags=("path-rebuilt", *flags) if is_rebuilt else flags,
        path_member=member("path", kept or None),
        nav_member=member("nav", "api" if has_page_extension(path) else "asset"),
    )


def _utf8(text: str) -> str:
    """Text out of a WSGI environ: bytes in latin-1 clothing, read as UTF-8 (PEP 3333)."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")
