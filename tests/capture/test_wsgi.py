"""The WSGI wrapper: PEP 3333 to the letter, with and without us."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

import flowaudit
from flowaudit import FlowAudit

Events = Callable[..., list[dict[str, Any]]]


def environ(**values: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"REMOTE_ADDR": "10.0.0.1", "RAW_URI": "/p/1"}
    setup_testing_defaults(made)
    made |= {"HTTP_USER_AGENT": "test", "HTTP_ACCEPT": "*/*", "QUERY_STRING": ""}
    return made | values


class Server:
    """A small server's side of PEP 3333, which notes what it is given and when."""

    def __init__(self, audit: FlowAudit) -> None:
        self.audit = audit
        self.status = ""
        self.sent: list[bytes] = []
        self.at: list[int] = []
        self.body: Any = None

    def note(self, data: bytes) -> None:
        self.sent.append(data)
        source = self.audit._recorder.live
        self.at.append(source.last_n if source else 0)

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        self.status = status
        return self.note

    def run(self, app: Any, one: dict[str, Any], blocks: int | None = None) -> "Server":
        self.body = app(one, self.start_response)
        try:
            for i, block in enumerate(self.body):
                self.note(block)
                if blocks is not None and i + 1 >= blocks:
                    break
        finally:
            if hasattr(self.body, "close"):
                self.body.close()
        return self


def answering(body: Any, status: str = "200 OK", *headers: tuple[str, str]) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, list(headers))
        return body() if callable(body) else body

    return app


def test_a_request_gives_one_event(audit: FlowAudit, events: Events) -> None:
    one = environ(
        RAW_URI="/p/1?token=secret",
        QUERY_STRING="token=secret",
        HTTP_X_REQUEST_ID="r1",
        CONTENT_LENGTH="12",
        HTTP_COOKIE="sid=secret",
        HTTP_HOST="example.org",
    )
    Server(audit).run(audit.wsgi(answering([b"hel", b"lo"])), one)
    audit.flush()
    [event] = events()
    assert {
        key: event.get(key)
        for key in (
            "path",
            "query",
            "request",
            "bytes_in",
            "bytes_out",
            "status",
            "outcome",
            "host",
        )
    } == {
        "path": "/p/1",
        "query": None,
        "request": "r1",
        "bytes_in": 12,
        "bytes_out": 5,
        "status": 200,
        "outcome": "ok",
        "host": "example.org",
    }
    assert "secret" not in str(event)


def test_a_length_that_is_a_number_counts(audit: FlowAudit, events: Events) -> None:
    """No server gives one, but test clients do."""
    Server(audit).run(audit.wsgi(answering([b"x"])), environ(CONTENT_LENGTH=12))
    audit.flush()
    assert events()[0]["bytes_in"] == 12
    assert audit.counters["capture_failed"] == 0


@pytest.mark.parametrize("length", [5, None], ids=["content-length", "none"])
def test_the_event_is_spooled_before_the_answer_is_whole(
    audit: FlowAudit, length: int | None
) -> None:
    def body() -> Iterator[bytes]:
        yield b"he"
        yield b"llo"

    headers = [("Content-Length", str(length))] if length else []
    server = Server(audit).run(audit.wsgi(answering(body, "200 OK", *headers)), environ())
    assert server.sent == [b"he", b"llo"]
    assert server.at == ([1, 2] if length else [1, 1])
    source = audit._recorder.live
    assert source is not None
    assert source.last_n == 2


def test_write_counts_and_comes_after_the_event(audit: FlowAudit, events: Events) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Length", "5")])
        write(b"he")
        write(b"llo")
        return []

    server = Server(audit).run(audit.wsgi(app), environ())
    assert server.at == [1, 2]
    audit.flush()
    assert [event["bytes_out"] for event in events()] == [5]


def test_start_response_again_with_an_exception(audit: FlowAudit, events: Events) -> None:
    import sys

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        try:
            raise ValueError
        except ValueError:
            start_response("503 Busy", [], sys.exc_info())
        return [b"sorry"]

    assert Server(audit).run(audit.wsgi(app), environ()).status == "503 Busy"
    audit.flush()
    assert [(e["status"], e["outcome"]) for e in events()] == [(503, "error")]


def test_a_generator_that_starts_late(audit: FlowAudit, events: Events) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("201 Created", [])
        yield b"x"

    Server(audit).run(audit.wsgi(app), environ())
    audit.flush()
    assert [event["status"] for event in events()] == [201]


class Closing:
    def __init__(self, fails: bool = False) -> None:
        self.closed, self.fails = 0, fails

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"a", b"b"])

    def close(self) -> None:
        self.closed += 1
        if self.fails:
            raise OSError("close")


def test_close_is_called_once_and_its_fault_passes(audit: FlowAudit, events: Events) -> None:
    body = Closing()
    Server(audit).run(audit.wsgi(answering(body)), environ())
    assert body.closed == 1
    with pytest.raises(OSError, match="close"):
        Server(audit).run(audit.wsgi(answering(Closing(fails=True))), environ())
    audit.flush()
    assert [event["outcome"] for event in events("request")] == ["ok", "ok"]


def test_a_client_that_leaves_is_told(audit: FlowAudit, events: Events) -> None:
    body = Closing()
    Server(audit).run(audit.wsgi(answering(body)), environ(), blocks=1)
    assert body.closed == 1
    audit.flush()
    assert [(e["outcome"], e["reason"]) for e in events()] == [("aborted", "client-left")]


class Boom(Exception):
    pass


@pytest.mark.parametrize("where", ["call", "iterate", "iter"])
def test_the_apps_own_exception_passes_and_is_named(
    audit: FlowAudit, events: Events, where: str
) -> None:
    error = Boom("x")

    class Bad:
        def __iter__(self) -> Iterator[bytes]:
            raise error

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if where == "call":
            raise error
        start_response("200 OK", [])
        return body() if where == "iterate" else Bad()

    def body() -> Iterator[bytes]:
        yield b"x"
        raise error

    with pytest.raises(Boom) as caught:
        Server(audit).run(audit.wsgi(app), environ())
    assert caught.value is error
    audit.flush()
    [event] = events()
    assert (event["outcome"], event["reason"]) == ("error", "Boom")
    assert event["status"] == (200 if where == "iterate" else 500)  # once a byte is out


def test_a_file_wrapper_reaches_the_server_as_it_is(audit: FlowAudit, events: Events) -> None:
    wrapped = FileWrapper(io.BytesIO(b"hello"))
    app = answering(wrapped, "200 OK", ("Content-Length", "5"))
    body = audit.wsgi(app)(environ(**{"wsgi.file_wrapper": FileWrapper}), lambda *a: None)
    assert body is wrapped
    audit.flush()
    assert [event["bytes_out"] for event in events()] == [5]


def test_a_list_reaches_the_server_as_it_is(audit: FlowAudit) -> None:
    whole = [b"hello"]
    assert audit.wsgi(answering(whole))(environ(), lambda *a: None) is whole


def test_a_length_that_servers_may_ask_for_stays(audit: FlowAudit) -> None:
    class Sized(Closing):
        def __len__(self) -> int:
            return 2

    assert len(audit.wsgi(answering(Sized()))(environ(), lambda *a: None)) == 2
    assert not hasattr(audit.wsgi(answering(Closing()))(environ(), lambda *a: None), "__len__")


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content")])
def test_an_answer_without_a_body_is_not_an_abort(
    audit: FlowAudit, events: Events, method: str, status: str
) -> None:
    app = answering(Closing(), status)
    body = audit.wsgi(app)(environ(REQUEST_METHOD=method), lambda *a: None)
    body.close()  # a server need not iterate  # type: ignore[attr-defined]
    audit.flush()
    assert [event["outcome"] for event in events()] == ["ok"]


@pytest.mark.parametrize(
    ("values", "path", "flags"),
    [
        ({"RAW_URI": "/a%20b?x"}, "/a%20b", None),
        ({"RAW_URI": "", "REQUEST_URI": "/u"}, "/u", None),
        ({"RAW_URI": "", "PATH_INFO": "/\xc3\xa4 b"}, "/%C3%A4%20b", ["path-rebuilt"]),
        ({"RAW_URI": "", "SCRIPT_NAME": "/app", "PATH_INFO": "/x"}, "/app/x", ["path-rebuilt"]),
        ({"RAW_URI": "http://h/x"}, "/x", None),
        ({"RAW_URI": "/\xc3\xa4"}, "/ä", None),
    ],
)
def test_the_target_as_sent(
    audit: FlowAudit, events: Events, values: dict[str, Any], path: str, flags: Any
) -> None:
    Server(audit).run(audit.wsgi(answering([b"x"])), environ(**values))
    audit.flush()
    [event] = events()
    assert (event["path"], event.get("flags")) == (path, flags)


def test_the_wrapper_keeps_to_pep_3333_on_both_sides(audit: FlowAudit) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"hello"

    wrapped: Any = validator(audit.wsgi(validator(app)))
    one = environ()
    del one["RAW_URI"]
    body = wrapped(one, lambda status, headers, exc_info=None: lambda data: None)
    assert b"".join(body) == b"hello"
    body.close()


def test_an_inner_wrapper_only_enriches(audit: FlowAudit, events: Events) -> None:
    Server(audit).run(audit.wsgi(audit.wsgi(answering([b"x"]))), environ())
    audit.flush()
    assert len(events()) == 1


def test_a_function_of_the_apps_own_tells_the_route(audit: FlowAudit, events: Events) -> None:
    def enrich(environ: dict[str, Any], facts: Any) -> None:
        facts.route = f"/of/{environ['REQUEST_METHOD']}/{facts.status}"

    app = audit.wsgi(answering([b"x"]), enrich=enrich)
    list(app(environ(), lambda *_: None))
    audit.flush()
    assert [event["route"] for event in events()] == ["/of/GET/200"]


@pytest.mark.parametrize(
    "body",
    [[7], [None], (None,), lambda: iter([None]), b"bytes"],
    ids=["number", "none", "tuple", "generator", "bytes"],
)
def test_a_block_that_no_server_takes_is_the_servers_to_refuse(
    audit: FlowAudit, events: Events, body: Any
) -> None:
    blocks = [*audit.wsgi(answering(body))(environ(), lambda status, headers: None)]
    assert blocks == [*(body() if callable(body) else body)]
    audit.flush()
    [event] = events()
    assert (event["status"], event["outcome"]) == (200, "ok")


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "left-open"])
@pytest.mark.parametrize("body", [[b"x"], lambda: iter([b"x"])], ids=["list", "generator"])
def test_a_request_inside_a_request_gives_the_thread_back(
    audit: FlowAudit, events: Events, body: Any, closes: bool
) -> None:
    inner = audit.wsgi(answering(body))

    def outer(environ_: Any, start_response: Any) -> list[bytes]:
        if closes:
            Server(audit).run(inner, environ(RAW_URI="/inner"))
        else:
            list(inner(environ(RAW_URI="/inner"), lambda status, headers: None))
        flowaudit.deny("not-yours")
        start_response("200 OK", [])
        return [b"x"]

    Server(audit).run(audit.wsgi(outer), environ(RAW_URI="/outer"))
    flowaudit.deny("outside")  # of both
    audit.flush()
    assert [(e["path"], e.get("reason")) for e in events()] == [
        ("/inner", None),
        ("/outer", "not-yours"),
    ]


@pytest.mark.parametrize(
    "headers",
    [iter, lambda given: (each for each in given), tuple, list],
    ids=["iterator", "generator", "tuple", "list"],
)
def test_headers_that_pass_only_once_reach_the_server(audit: FlowAudit, headers: Any) -> None:
    given = [("Content-Length", "1"), ("X-One", "1")]
    begun: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", headers(given))
        return [b"x"]

    answer = audit.wsgi(app)(environ(), lambda status, headers: begun.extend(headers))
    assert [*answer] == [b"x"]
    assert begun == given
