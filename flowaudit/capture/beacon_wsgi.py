"""The beacon under WSGI: a layer between a wrapper and its app, where the setting is on."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from .beacon import MAX_BODY, Beaconed
from .readable import readable_text

__all__ = ["BeaconedWsgi"]


class BeaconedWsgi(Beaconed):
    """A WSGI app behind the beacon."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 has it."""
        path = environ.get("PATH_INFO")
        if not isinstance(path, str) or not self.beacon.is_for(path):
            passed: Iterable[bytes] = self.app(environ, start_response)
            return passed

        def header(name: str) -> str:
            key = name.upper().replace("-", "_")
            return readable_text(environ.get(f"HTTP_{key}")) or readable_text(environ.get(key))

        reply = self.beacon.refuses(path, environ.get("REQUEST_METHOD", "GET"), header)
        if reply is None:
            reply = self.beacon.take(_read(environ, header("content-length")))
        self.decide(environ, reply)
        phrase = HTTPStatus(reply.status).phrase
        start_response(f"{reply.status} {phrase}", list(reply.headers))
        return [reply.body] if reply.body else []


def _read(environ: dict[str, Any], length: str) -> bytes | None:
    """The body; `None` without a length, or if the client has left before its end."""
    if not length.isdecimal():
        return None
    try:
        body: bytes = environ["wsgi.input"].read(min(int(length), MAX_BODY))
        return body if len(body) == int(length) else None
    except Exception:  # servers differ in what they raise when a client has left
        return None
