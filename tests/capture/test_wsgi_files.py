"""Files that a server sends by itself: it must get back what its `wsgi.file_wrapper` made."""

import io
import os
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer
from wsgiref.util import FileWrapper

import pytest

from flowaudit import FlowAudit

from .test_wsgi import Events, answering, environ

CONTENT = b"\x00\xff file" * 9_000


class Handler(ServerHandler):
    """A server's side: sends a file by the system's `sendfile` if it knows its own again."""

    sent_by_system: list[str]

    def sendfile(self) -> bool:
        self.send_headers()
        file: Any = getattr(self.result, "filelike", self.result)
        self.stdout.flush()
        out, length = self.stdout.fileno(), os.fstat(file.fileno()).st_size
        while (place := file.seek(0, os.SEEK_CUR)) < length:
            file.seek(place + os.sendfile(out, file.fileno(), place, length - place))
        self.sent_by_system.append(type(self.result).__name__)
        return True


class ByFunction(Handler):
    """As uWSGI: its file wrapper is a function, and what it made is known by identity."""

    def setup_environ(self) -> None:
        super().setup_environ()
        self.environ["wsgi.file_wrapper"] = self.wrap

    def wrap(self, file: Any, size: int = 8192) -> Any:
        self.made = file
        return file

    def result_is_file(self) -> bool:
        return self.result is getattr(self, "made", None)


@pytest.fixture(params=[Handler, ByFunction], ids=["class", "function"])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., tuple[bytes, list[str]]]]:
    """Serve an app on loopback for one request; its body, and what was sent by `sendfile`."""
    sent: list[str] = []

    class Requests(WSGIRequestHandler):
        def handle(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if self.parse_request():
                handler = request.param(
                    self.rfile, self.wfile, self.get_stderr(), self.get_environ(), False
                )
                handler.request_handler = self
                handler.sent_by_system = sent
                handler.run(self.server.get_app())  # type: ignore[attr-defined]

        def log_message(self, *_: Any) -> None:
            pass

    with WSGIServer(("127.0.0.1", 0), Requests) as server:
        server.timeout = 10

        def get(app: Any) -> tuple[bytes, list[str]]:
            server.set_app(app)
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
            try:
                connection.request("GET", "/file")
                body = connection.getresponse().read()
            finally:
                connection.close()
                thread.join(10)
            return body, sent

        yield get


@pytest.mark.parametrize("says_length", [True, False], ids=["length", "no-length"])
def test_a_server_sends_its_file_by_itself_and_the_event_is_there(
    audit: FlowAudit, events: Events, tmp_path: Path, serve: Any, says_length: bool
) -> None:
    path = tmp_path / "f"
    path.write_bytes(CONTENT)
    headers = [("Content-Length", str(len(CONTENT)))] if says_length else []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", headers)
        return environ["wsgi.file_wrapper"](path.open("rb"), 4096)

    body, sent = serve(audit.wsgi(app))
    assert body == CONTENT
    assert len(sent) == 1
    audit.flush()
    [event] = events()
    assert (event["status"], event["outcome"]) == (200, "ok")
    assert event.get("bytes_out") == (len(CONTENT) if says_length else None)


def test_another_file_of_the_app_is_watched(
    audit: FlowAudit, events: Events, tmp_path: Path, serve: Any
) -> None:
    path = tmp_path / "f"
    path.write_bytes(CONTENT)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        environ["wsgi.file_wrapper"](io.BytesIO())
        return path.open("rb")

    body, sent = serve(audit.wsgi(app))
    assert (body, sent) == (CONTENT, [])
    audit.flush()
    assert [event["bytes_out"] for event in events()] == [len(CONTENT)]


@pytest.mark.parametrize(
    "wrapper",
    [FileWrapper, lambda file, size=0: file, lambda file, size=0: iter(file)],
    ids=["class", "the-file-itself", "something-else"],
)
def test_a_server_gets_the_very_object_that_it_made(
    audit: FlowAudit, events: Events, wrapper: Any
) -> None:
    made: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "5")])
        made.append(environ["wsgi.file_wrapper"](io.BytesIO(b"hello"), 7))
        return made[-1]

    body = audit.wsgi(audit.wsgi(app))(environ(**{"wsgi.file_wrapper": wrapper}), lambda *a: None)
    assert body is made[0]
    audit.flush()
    assert [event["bytes_out"] for event in events()] == [5]


@pytest.mark.parametrize("wrapper", [None, "no function", 7], ids=str)
def test_a_file_wrapper_that_is_none_stays_what_it_is(
    audit: FlowAudit, events: Events, wrapper: Any
) -> None:
    one = environ(**{"wsgi.file_wrapper": wrapper})
    assert [*audit.wsgi(answering(iter([b"x"])))(one, lambda *a: None)] == [b"x"]
    assert one["wsgi.file_wrapper"] is wrapper
    audit.flush()
    assert len(events()) == 1


def test_what_else_a_file_wrapper_offers_stays(audit: FlowAudit) -> None:
    def wrapper(file: Any) -> Any:
        raise OSError("no such file")

    wrapper.block_size = 512  # type: ignore[attr-defined]
    seen: list[int] = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append(environ["wsgi.file_wrapper"].block_size)
        return environ["wsgi.file_wrapper"](None)

    with pytest.raises(OSError, match="no such file"):
        audit.wsgi(app)(environ(**{"wsgi.file_wrapper": wrapper}), lambda *a: None)
    assert seen == [512]
