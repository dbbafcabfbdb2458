"""Serves Datasette through uvicorn, as it is and wrapped, and compares what a client gets.

    python tests/third_party/serve_datasette.py

in an environment with flowaudit, `datasette` and `httpx`. Exit status 0 only if each answer is the
same with and without us (status, headers, body; but for the date, the port, and what Datasette
makes new each time), each request is in the trail once with its route, actor and outcome, nothing
of ours failed, and the trail verifies.
"""

import hashlib
import re
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import uvicorn
from datasette import hookimpl
from datasette.app import Datasette
from datasette.plugins import pm

import flowaudit
from flowaudit import FlowAudit
from flowaudit.testing import recorded_events
from flowaudit.verification.trail import verify_trail

ROWS = 20_000
START_S = 20.0
"""Seconds a server may take to start or to end."""

ROOT = "user:root"
CHANGING = re.compile(
    rb"[0-9.]+ms|\"query_ms\": [0-9.]+|csrftoken=[^;]+|name=\"csrftoken\" value=\"[^\"]+\""
)
"""What Datasette itself makes new for each request: the time that it took, a token."""

ROUTES = [
    (re.compile(r"/(?P<database>[^/.-][^/.]*)(\.\w+)?"), "/{database}"),
    (re.compile(r"/(?P<database>[^/.-][^/]*)/(?P<table>[^/.]+)(\.\w+)?"), "/{database}/{table}"),
    (
        re.compile(r"/[^/.-][^/]*/(?P<table>[^/]+)/(?P<row>[^/.]+)(\.\w+)?"),
        "/{database}/{table}/{row}",
    ),
]


class Click(NamedTuple):
    """A request, and what the trail must say of it."""

    path: str
    status: int
    outcome: str = "ok"
    route: str | None = None
    is_root: bool = False
    method: str = "GET"


BOOKS, BOOK = "/{database}/{table}", "/{database}/{table}/{row}"
CLICKS = [
    Click("/", 200),
    Click("/library", 200, route="/{database}"),
    Click("/library/books?_next=100", 200, route=BOOKS),
    Click("/library/books/17", 200, route=BOOK),
    Click("/library/books/17.json", 200, route=BOOK),
    Click("/library/books.csv?_stream=on", 200, route=BOOKS),
    Click("/library/loans", 403, "denied", BOOKS),
    Click("/library/loans", 200, "ok", BOOKS, is_root=True),
    Click("/library/nothing", 404, "missing"),
    Click("/nothing/at/all", 404, "missing"),
    Click("/library?sql=drop+table+books", 400, "invalid", "/{database}"),
    Click("/library/books", 403, "denied", BOOKS, method="POST"),
    Click("/.env", 404, "missing"),
]


class TellActor:
    """A plugin of Datasette: tells who Datasette has found the actor to be."""

    __name__ = "tell_actor"

    @hookimpl(hookwrapper=True)
    def actor_from_request(self) -> Iterator[None]:
        outcome: Any = yield
        for actor in outcome.get_result():
            if isinstance(actor, dict):
                flowaudit.identify(f"user:{actor['id']}")


def tell_route(scope: Mapping[str, Any], facts: Any) -> None:
    """The route of a path that Datasette has answered."""
    if facts.status != 404:
        for pattern, template in ROUTES:
            if match := pattern.fullmatch(scope["path"]):
                facts.route = template
                found = match.groupdict()
                facts.resource, facts.resource_id = found.get("table"), found.get("row")


def make_database(folder: Path) -> Path:
    """A library with books that anybody may see, and loans that only root may."""
    path = folder / "library.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT)")
        database.execute("CREATE TABLE loans (id INTEGER PRIMARY KEY, reader TEXT)")
        books = ((f"Book {number}",) for number in range(ROWS))
        database.executemany("INSERT INTO books (title) VALUES (?)", books)
        database.execute("INSERT INTO loans (reader) VALUES ('somebody')")
    database.close()
    return path


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address at which uvicorn serves an app on loopback."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + START_S
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.02)
    if not server.started:
        raise SystemExit("uvicorn did not start")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_S)


def ask_all(address: str, cookie: str) -> list[tuple[object, ...]]:
    """What a client gets for each click."""
    answers = []
    with httpx.Client(base_url=address, timeout=START_S) as client:
        for click in CLICKS:
            headers = {"cookie": f"ds_actor={cookie}"} if click.is_root else {}
            answer = client.request(click.method, click.path, headers=headers)
            own = address.encode()
            kept = sorted(
                (name, CHANGING.sub(b"", value.replace(own, b"")))
                for name, value in answer.headers.raw
                if name.lower() != b"date"
            )
            body = CHANGING.sub(b"", answer.content.replace(own, b""))
            digest = hashlib.sha256(body).hexdigest()
            answers.append((answer.status_code, kept, len(body), digest))
    return answers


def faults(folder: Path) -> Iterator[str]:
    """Each difference between Datasette with and without us, and each event that is not right."""
    datasette = Datasette(
        [str(make_database(folder))],
        metadata={"databases": {"library": {"tables": {"loans": {"allow": {"id": "root"}}}}}},
        secret="only for this comparison",
        settings={"num_sql_threads": 1},
    )
    cookie = datasette.sign({"a": {"id": "root"}}, "actor")
    with serving(datasette.app()) as address:
        plain = ask_all(address, cookie)
    pm.register(TellActor(), name="tell-actor")
    audit = FlowAudit(trail=folder / "flowaudit.db", service="library")
    with serving(audit.asgi(datasette.app(), enrich=tell_route)) as address:
        wrapped = ask_all(address, cookie)
    for click, one, other in zip(CLICKS, plain, wrapped, strict=True):
        if one != other:
            yield f"{click.path}: {one} without us, {other} with us"
        if other[0] != click.status:
            yield f"{click.path}: {other[0]}, expected {click.status}"
    yield from wrong_events(audit)
    audit.close()
    if any(count for count in audit.counters.values()):
        yield f"counted: {audit.counters}"
    result = verify_trail(folder / "flowaudit.db")
    yield from (str(problem) for problem in result.problems)


def wrong_events(audit: FlowAudit) -> Iterator[str]:
    """What the trail does not say as it should."""
    told = [
        (e["method"], e["path"], e["status"], e["outcome"], e.get("route"), "actor" in e)
        for e in recorded_events(audit, "request")
    ]
    expected = [
        (c.method, c.path.partition("?")[0], c.status, c.outcome, c.route, c.is_root)
        for c in CLICKS
    ]
    if len(told) != len(expected):
        yield f"{len(expected)} requests, {len(told)} events"
    yield from (
        f"{one} in the trail, {other} expected"
        for one, other in zip(told, expected, strict=False)
        if one != other
    )


def main() -> int:
    """Compare, and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        found = list(faults(Path(folder)))
    print("\n".join(found) or f"{len(CLICKS)} requests: the same with us, each in the trail once.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
