"""The beacon: pages and marked clicks of a single-page app, of which no request tells.

A script of ours tells them to one route of ours, from the same origin. What it tells becomes the
event of that very request: a page view is a page for journeys, a click is a step `click:NAME`.
Both carry the resource `flowaudit-beacon`, since it is the browser that says so, not the server.

It is here without input and output; `beacon_asgi.py` and `beacon_wsgi.py` carry it.
"""

import importlib.resources
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from ..event import member
from .facts import Facts
from .targets import Targets

__all__ = ["BEACON", "MAX_BODY", "Beacon", "Beaconed", "Reply"]

BEACON: Final = "flowaudit-beacon"
"""The resource of its events: detections pass over what a browser merely says."""

MAX_BODY: Final = 2_048
"""Bytes of what a browser may tell at once."""

MAX_PATH: Final = 1_024
"""Characters of a path that it tells."""

MAX_AGE_S: Final = 3_600
"""Seconds that browsers keep the script without asking again."""

_CLICK: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""A name of a click; it stands in the core of an event, so it cannot be any text."""

_PATH: Final = re.compile(rf"/[!-~]{{0,{MAX_PATH - 1}}}")
"""A path as browsers have it: printable ASCII, percent-encoded."""

_TYPES: Final = ("text/plain", "application/json")

_PAGE: Final = member("nav", "page")

Headers = list[tuple[str, str]]
Become = Callable[[Facts], None]
Enrich = Callable[[Any, Facts], None]


class _Told(msgspec.Struct, forbid_unknown_fields=True):
    """What the script tells: a view, or a click with the path on which it was."""

    view: str | None = None
    click: str | None = None
    path: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Told)


class Reply(NamedTuple):
    """What is answered, and what the request's event becomes."""

    status: int
    headers: Headers
    body: bytes
    become: Become


class Beacon:
    """The routes of the beacon: `PREFIX.js` and `PREFIX`."""

    def __init__(self, prefix: str) -> None:
        self.path = prefix
        self.script_path = f"{prefix}.js"
        folder = importlib.resources.files(__package__).joinpath("static")
        self._script = folder.joinpath("beacon.js").read_bytes()
        self._etag = f'"{sha256(self._script).hexdigest()[:20]}"'
        self._targets = Targets()

    def is_for(self, path: str) -> bool:
        """Whether a path, below where the app is mounted, is one of the two."""
        return path in (self.path, self.script_path)

    def refuses(self, path: str, method: str, header: Callable[[str], str]) -> Reply | None:
        """What is answered without looking at a body; `None` if the body must be read.

        Args:
            path: one that `is_for`.
            method: the verb.
            header: gives a header's value by its lower-case name, empty if it is not there.
        """
        if path == self.script_path:
            return self._serve(method, header)
        if method != "POST":
            return _reply(self.path, 405, [("Allow", "POST")])
        if not _is_same_origin(header):
            return _reply(self.path, 403, cause="origin")
        kind = header("content-type").partition(";")[0].strip().lower()
        length = header("content-length")
        if kind not in _TYPES or (length and not _is_small(length)):
            return self.bad()
        return None

    def bad(self) -> Reply:
        """The answer to a body that is none of ours."""
        return _reply(self.path, 400)

    def take(self, body: bytes | None) -> Reply:
        """The answer to what a browser tells; `None` if it could not be read."""
        if body is None or len(body) > MAX_BODY:
            return self.bad()
        try:
            told = _DECODER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self.bad()
        where = told.path if told.view is None else told.view
        is_click = told.click is not None and told.view is None
        is_view = told.view is not None and told.click is None and told.path is None
        if not (is_click or is_view) or where is None or not _PATH.fullmatch(where):
            return self.bad()
        if told.click is None:
            become = partial(self._become_view, path=where)
        elif _CLICK.fullmatch(told.click):
            become = partial(self._become_click, name=told.click, path=where)
        else:
            return self.bad()
        return Reply(204, [("Cache-Control", "no-store")], b"", become)

    def _serve(self, method: str, header: Callable[[str], str]) -> Reply:
        if method not in ("GET", "HEAD"):
            return _reply(self.script_path, 405, [("Allow", "GET, HEAD")])
        headers = [
            ("Cache-Control", f"public, max-age={MAX_AGE_S}"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("ETag", self._etag),
            ("X-Content-Type-Options", "nosniff"),
        ]
        become = partial(_become_own, route=self.script_path, cause=None)
        if self._etag in header("if-none-match"):
            return Reply(304, headers, b"", become)
        headers += [
            ("Content-Type", "text/javascript; charset=utf-8"),
            ("Content-Length", str(len(self._script))),
        ]
        return Reply(200, headers, self._script if method == "GET" else b"", become)

    def _become_view(self, facts: Facts, path: str) -> None:
        """A page that the browser shows: as if it had been asked for."""
        self._stand_at(facts, path)
        facts.method, facts.status, facts.route = "GET", 200, None
        facts.visitor = replace(facts.visitor, nav_member=_PAGE)

    def _become_click(self, facts: Facts, name: str, path: str) -> None:
        self._stand_at(facts, path)
        facts.route = f"click:{name}"

    def _stand_at(self, facts: Facts, path: str) -> None:
        facts.target = self._targets.look(path.encode())
        facts.query = ""
        facts.resource, facts.resource_id = BEACON, None


class Beaconed:
    """An app behind the beacon: what both protocols share."""

    def __init__(self, app: Any, beacon: Beacon, enrich: Enrich | None, enrich_key: str) -> None:
        self.app, self.beacon = app, beacon
        self._enrich, self._enrich_key = enrich, enrich_key

    @classmethod
    def around(
        cls, app: Any, settings: Mapping[str, Any], enrich: Enrich | None, enrich_key: str
    ) -> Any:
        """The app behind the beacon's routes; the app itself, unless they are wanted.

        Args:
            app: the app.
            settings: of the audit; they decide.
            enrich: what the wrapper's framework tells of a request, if anything.
            enrich_key: where in the scope or environ the wrapper looks for what is to be told
                instead.
        """
        prefix = settings["beacon"]
        return cls(app, Beacon(prefix), enrich, enrich_key) if prefix else app

    def decide(self, where: MutableMapping[str, Any], reply: Reply) -> Reply:
        """Leave in the scope or environ what the request's event becomes."""
        where[self._enrich_key] = _finished(self._enrich, reply.become)
        return reply


def _finished(own: Enrich | None, become: Become) -> Enrich:
    """What a wrapper calls before it makes the event: what it knows itself, then the beacon."""

    def enrich(scope: Any, facts: Facts) -> None:
        try:
            if own is not None:
                own(scope, facts)
        finally:
            become(facts)

    return enrich


def _reply(
    route: str, status: int, headers: Headers | None = None, *, cause: str | None = None
) -> Reply:
    """An answer without a body to a request that is told as the ordinary one that it is."""
    told = [("Cache-Control", "no-store"), ("Content-Length", "0"), *(headers or [])]
    return Reply(status, told, b"", partial(_become_own, route=route, cause=cause))


def _become_own(facts: Facts, route: str, cause: str | None) -> None:
    facts.route = route
    facts.cause = cause or facts.cause


def _is_same_origin(header: Callable[[str], str]) -> bool:
    """Whether a page of this site asks, by what browsers say of it themselves (Fetch Metadata)."""
    site = header("sec-fetch-site")
    if site:
        return site == "same-origin"
    scheme, mark, host = header("origin").partition("://")
    return bool(mark) and scheme in ("http", "https") and host == header("host") != ""


def _is_small(length: str) -> bool:
    return length.isdecimal() and len(length) <= len(str(MAX_BODY)) and int(length) <= MAX_BODY
