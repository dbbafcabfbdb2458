"""The beacon under WSGI: a layer between a wrapper and its app, where the setting is on."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from .beacon import MAX_BODY, Beacon, finished
from .intake import Intake

__all__ = ["beaconed_wsgi"]


def beaconed_wsgi(app: Any, audit: Intake, enrich: Any, enrich_key: str) -> Any:
    """A WSGI app with the beacon's routes before it; the app itself, unless they are wanted.

    Args:
        app: the app.
        audit: whose settings decide.
        enrich: what the wrapper's framework tells of a request, if anything.
        enrich_key: where in the environ the wrapper looks for what is to be told instead.
    """
    prefix = audit.settings["beacon"]
    return _BeaconedWsgi(app, Beacon(prefix), enrich, enrich_key) if prefix else app


class _BeaconedWsgi:
    """A WSGI app behind the beacon."""

    def __init__(self, app: Any, beacon: Beacon, enrich: Any, enrich_key: str) -> None:
        self.app = app
        self._beacon, self._enrich, self._enrich_key = beacon, enrich, enrich_key

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 has it."""
        path = environ.get("PATH_INFO") or ""
        if not self._beacon.is_for(path):
            passed: Iterable[bytes] = self.app(environ, start_response)
            return passed

        def header(name: str) -> str:
            key = name.upper().replace("-", "_")
            return str(environ.get(f"HTTP_{key}") or environ.get(key) or "")

        reply = self._beacon.refuses(path, environ.get("REQUEST_METHOD", "GET"), header)
        if reply is None:
            body = _read(environ, header("content-length"))
            reply = self._beacon.bad() if body is None else self._beacon.take(body)
        environ[self._enrich_key] = finished(self._enrich, reply.become)
        phrase = HTTPStatus(reply.status).phrase
        start_response(f"{reply.status} {phrase}", list(reply.headers))
        return [reply.body] if reply.body else []


def _read(environ: dict[str, Any], length: str) -> bytes | None:
    """The body; `None` without a length, or if the client has left before its end."""
    if not length.isdecimal():
        return None
    try:
        body: bytes = environ["wsgi.input"].read(min(int(length), MAX_BODY))
    except Exception:  # servers differ in what they raise when a client has left
        return None
    return body if len(body) == int(length) else None
