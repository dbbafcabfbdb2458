"""Which redirects lead to the sign-in: to a declared path of this host, or a declared address."""

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["LoginPages", "is_same_host", "split_location"]

_WEB: Final = ("", "http:", "https:")
_END: Final = re.compile(r"[/?#]")
_PORT: Final = re.compile(r":[0-9]*\Z")
_USUAL_PORT: Final = re.compile(r":(?:80|443)?\Z")


class LoginPages:
    """The setting `login_paths`: path prefixes, and prefixes of whole addresses."""

    def __init__(self, declared: Iterable[str]) -> None:
        declared = tuple(declared)
        self._paths = tuple(each for each in declared if split_location(each)[0] is None)
        whole = [split_location(each) for each in declared]
        self._addresses = tuple(_address(host, rest) for host, rest in whole if host is not None)

    def is_led_to(self, location: str, host: str | None, path: str) -> bool:
        """Whether a redirect, in the answer to `path` at `host`, goes there from elsewhere.

        A path counts on the host that was asked, whatever the port; another host only if its
        address is declared.
        """
        there, rest = split_location(location)
        if there is None or is_same_host(there, host):
            if rest.startswith(self._paths) and not path.startswith(self._paths):
                return True
            there = there or host
        if there is None or not self._addresses:
            return False
        here = _address(host, path) if host is not None else ""
        goes = _address(there, rest).startswith(self._addresses)
        return goes and not here.startswith(self._addresses)


def split_location(location: str) -> tuple[str | None, str]:
    """Host with port, or `None` of a mere path; and the rest. A `\\` is a `/`, as to browsers."""
    plain = location.replace("\\", "/")
    scheme, slashes, rest = plain.partition("//")
    if not slashes or scheme.lower() not in _WEB:
        return None, plain
    end = _END.search(rest)
    at = end.start() if end is not None else len(rest)
    return rest[:at].rpartition("@")[2].lower(), rest[at:]


def is_same_host(one: str, other: str | None) -> bool:
    """Whether two hosts are one, whatever their ports."""
    return other is not None and _PORT.sub("", one) == _PORT.sub("", other.lower())


def _address(host: str, rest: str) -> str:
    return f"//{_USUAL_PORT.sub('', host)}{rest}"
