"""The WSGI wrapper: watches what an app returns and changes none of it (PEP 3333)."""

from collections.abc import Iterable
from urllib.parse import quote

from .beacon_wsgi import BeaconedWsgi
from .context import current
from .facts import Facts
from .files import FILE_WRAPPER, remember_files
from .heads import ENVIRON_NAMES, MAX_LENGTH_DIGITS
from .intake import Intake
from .mounts import facts_around_wsgi
from .payload import tapped_wsgi
from .readable import readable_by, readable_text
from .strict_intake import StrictIntake
from .targets import SAFE_IN_PATH
from .wsgi_exchange import (
    ENRICH_KEY,
    ENVIRON_KEY,
    Enrich,
    Environ,
    Exchange,
    StartResponse,
    WSGIApp,
)
from .wsgi_mounted import MountedExchange
from .wsgi_strict import StrictExchange

__all__ = ["ENVIRON_KEY", "Environ", "WSGIApp", "WsgiCapture", "begin_environ"]


class WsgiCapture:
    """A WSGI app whose every request gives an event.

    The event is spooled before the block that reaches Content-Length is handed to the server,
    else at exhaustion: a client that has the whole answer has its event.

    Args:
        app: the app inside.
        audit: where the events go.
        enrich: called with the environ before the event is made: what a framework knows.
    """

    def __init__(self, app: WSGIApp, audit: StrictIntake, enrich: Enrich | None = None) -> None:
        tapped = tapped_wsgi(app, audit)
        self.app: WSGIApp = BeaconedWsgi.around(tapped, audit.settings, enrich, ENRICH_KEY)
        self.audit = audit
        self.enrich = enrich

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 has it."""
        outer, outside = environ.get(ENVIRON_KEY), None
        if isinstance(outer, Facts):
            if self.enrich is not None:
                environ.setdefault(ENRICH_KEY, self.enrich)
            if self.audit.hears(outer):
                return self.app(environ, start_response)
            outside = outer
        around = current.get()
        if around is not None and around.is_asgi:
            mount = facts_around_wsgi(environ)
            if mount is not None:
                if self.audit.hears(mount):
                    return self._answer_mounted(environ, start_response, mount)
                outside = mount
        facts = begin_environ(self.audit, environ)
        if outside is not None:  # of another trail: this came in where that one did
            facts.root, facts.outer = outside.root, outside
        if FILE_WRAPPER in environ and environ[FILE_WRAPPER].__class__ is not type:
            remember_files(environ)
        audit = self.audit
        is_strict = audit.has_strict and audit.is_strict(facts)
        kind = StrictExchange if is_strict else Exchange
        exchange = kind(audit, self.enrich, environ, facts, start_response, around)
        if isinstance(exchange, StrictExchange) and (refused := exchange.begin()) is not None:
            return refused
        token = current.set(facts)
        try:
            body = self.app(environ, exchange.start_response)
        except BaseException as error:
            current.reset(token)
            exchange.fail(error)
            raise
        return exchange.wrap(body)

    def _answer_mounted(
        self, environ: Environ, start_response: StartResponse, outer: Facts
    ) -> Iterable[bytes]:
        """Serve a request that a wrapper around the ASGI app outside records."""
        exchange = MountedExchange(self.audit, self.enrich, environ, outer, start_response)
        try:
            body = self.app(environ, exchange.start_response)
        except BaseException as error:
            exchange.fail(error)
            raise
        return exchange.wrap(body)


def begin_environ(
    audit: StrictIntake, environ: Environ, target: bytes | str | None = None
) -> Facts:
    """A request has come in, with all that its WSGI environ says. Never raises.

    The target as it was sent is the server's, where it tells, else `target`.
    """
    get = environ.get
    facts = None
    try:
        target = get("RAW_URI") or get("REQUEST_URI") or target
        facts = audit.begin(
            "request",
            get("REQUEST_METHOD", "GET"),
            get,
            ENVIRON_NAMES,
            get("REMOTE_ADDR") or "",
            target or _rebuilt(environ),
            not target,
        )
        facts.query = get("QUERY_STRING") or ""
        if "SCRIPT_NAME" in environ:
            facts.root = environ["SCRIPT_NAME"]
        length = get("CONTENT_LENGTH")
        if length and (text := str(length)).isdecimal() and len(text) < MAX_LENGTH_DIGITS:
            facts.bytes_in = int(text)  # test clients give a number
    except Exception as error:
        audit.note_failure(error)
        facts = _read_again(audit, environ, facts)
    environ[ENVIRON_KEY] = facts
    return facts


def _read_again(audit: Intake, environ: Environ, facts: Facts | None) -> Facts:
    """As `begin_environ`, after that has failed: with what can be read of the environ."""
    get = readable_by(environ.get)
    if facts is None:
        sent = get("RAW_URI") or get("REQUEST_URI")
        path = {name: readable_text(get(name)) for name in ("SCRIPT_NAME", "PATH_INFO")}
        method, peer = (readable_text(get(name)) for name in ("REQUEST_METHOD", "REMOTE_ADDR"))
        facts = audit.begin(
            "request", method, get, ENVIRON_NAMES, peer, sent or _rebuilt(path), not sent
        )
    facts.query = readable_text(get("QUERY_STRING"))
    length = readable_text(get("CONTENT_LENGTH"))
    if length.isdecimal() and len(length) < MAX_LENGTH_DIGITS:
        facts.bytes_in = int(length)
    return facts


def _rebuilt(environ: Environ) -> str:
    """The target where the server gives only the decoded path."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return quote(path.encode("latin-1", "replace"), safe=SAFE_IN_PATH)
