"""What is the same for a whole process, for its start event: two that differ are a deployment
or a change of the environment, found without anyone recording it.
"""

import platform
from hashlib import sha256
from importlib import metadata
from itertools import accumulate
from pathlib import Path
from typing import Final

from .._version import __version__
from ..event import Value, clean_map

__all__ = ["process_facts"]

MAX_PACKAGES: Final = 400
"""Packages listed by name; the digest covers all of them."""

MAX_LISTED: Final = 12 * 1024
"""Characters of the list, so that the start event has room for all else."""


def process_facts(service: str | None, version: str | None) -> dict[str, Value]:
    """Service, version, host, Python, packages, operating system, hosts file.

    Reads the installed packages once, some tens of milliseconds: to be called at start-up.
    """
    packages = sorted({f"{name}=={release}" for name, release in _packages()})
    return clean_map(
        {
            "service": service,
            "version": version,
            "host": platform.node(),
            "python": platform.python_version(),
            "os": f"{platform.system()} {platform.release()}",
            "os_release": _os_release(),
            "packages": _listed(packages),
            "packages_count": len(packages),
            "packages_sha256": sha256("\n".join(packages).encode()).hexdigest(),
            "hosts_sha256": _file_digest(Path("/etc/hosts")),
            "flowaudit": __version__,
        }
    )


def _listed(packages: list[str]) -> list[str]:
    ends = accumulate(len(package) + 3 for package in packages[:MAX_PACKAGES])
    return [package for package, end in zip(packages, ends, strict=False) if end <= MAX_LISTED]


def _packages() -> list[tuple[str, str]]:
    found = []
    for package in metadata.distributions():
        name, release = package.metadata["Name"], package.version
        if name and release:
            found.append((str(name)[:60], str(release)[:30]))
    return found


def _os_release() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _file_digest(path: Path) -> str | None:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
