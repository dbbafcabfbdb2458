"""The target of a request as it was sent."""

import re
from typing import Final

__all__ = ["split_target"]

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
