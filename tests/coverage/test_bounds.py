"""Nothing that an app does keeps the command from its end, and no shape of it is too odd."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from flowaudit.coverage.asgi import AsgiAsker
from flowaudit.coverage.asking import Question, WsgiAsker
from flowaudit.coverage.samples import fitting
from flowaudit.coverage.walk import walk

GET = Question("GET", "/a%20b", "localhost", "1" * 32)
LIMIT_S = 0.4


def endless(environ, start_response):
    start_response("200 OK", [])
    while True:
        yield b"x"
        time.sleep(0.01)


def sleeps(environ, start_response):
    threading.Event().wait(30)


def quits(environ, start_response):
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("app", "status", "error", "is_stuck"),
    [
        pytest.param(endless, 200, None, False, id="endless"),
        pytest.param(sleeps, None, "no answer in 0.4 s", True, id="sleeps"),
        pytest.param(quits, None, "raised SystemExit", False, id="quits"),
    ],
)
def test_a_wsgi_app_is_asked_in_bounded_time(app, status, error, is_stuck):
    asker = WsgiAsker(app, LIMIT_S)
    began = time.monotonic()
    answer = asker.ask(GET)
    assert time.monotonic() - began < LIMIT_S + 3
    assert (answer.error, asker.is_stuck) == (error, is_stuck)
    assert answer.status == status or app is endless


async def respond(send, more_body=False):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x", "more_body": more_body})


async def streams(scope, receive, send):
    while True:
        await respond(send, more_body=True)
        await asyncio.sleep(0.01)


async def holds_the_loop(scope, receive, send):
    if scope["type"] == "http":
        threading.Event().wait(30)


async def will_not_start(scope, receive, send):
    if scope["type"] == "lifespan":
        await asyncio.sleep(30)
    await respond(send)


async def knows_no_lifespan(scope, receive, send):
    assert scope["type"] == "http"
    await respond(send)


async def waits_for_the_client(scope, receive, send):
    if scope["type"] == "http":
        while (await receive())["type"] != "http.disconnect":
            pass
        await respond(send)


@pytest.mark.parametrize(
    ("app", "status", "error", "is_stuck"),
    [
        pytest.param(streams, 200, "no answer in 0.4 s", False, id="endless"),
        pytest.param(holds_the_loop, None, "no answer in 0.4 s", True, id="holds-the-loop"),
        pytest.param(will_not_start, 200, None, False, id="does-not-start"),
        pytest.param(knows_no_lifespan, 200, None, False, id="without-lifespan"),
        pytest.param(waits_for_the_client, None, "no answer in 0.4 s", False, id="waits"),
    ],
)
def test_an_asgi_app_is_asked_in_bounded_time(app, status, error, is_stuck):
    began = time.monotonic()
    asker = AsgiAsker(app, LIMIT_S)
    answer = asker.ask(GET)
    asker.close()
    assert time.monotonic() - began < 3 * LIMIT_S + 5
    assert (answer.status, answer.error, asker.is_stuck) == (status, error, is_stuck)


def test_a_client_leaves_a_stream_that_has_no_end():
    asker = AsgiAsker(waits_for_the_client, 10)
    assert asker.ask(GET) == (200, None)
    asker.close()


def test_an_app_is_started_once_and_shut_down_in_the_loop_that_it_is_asked_in():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["type"], scope.get("path"), asyncio.get_running_loop()))
        if scope["type"] == "http":
            assert scope["state"] == {"pool": 7}
            await respond(send)
            return
        assert await receive() == {"type": "lifespan.startup"}
        scope["state"]["pool"] = 7
        await send({"type": "lifespan.startup.complete"})
        seen.append(await receive())
        await send({"type": "lifespan.shutdown.complete"})

    asker = AsgiAsker(app, 5)
    assert asker.ask(GET).status == 200
    asker.close()
    assert [each[0] for each in seen[:2]] == ["lifespan", "http"]
    assert (seen[1][1], seen[0][2]) == ("/a b", seen[1][2])
    assert seen[2] == {"type": "lifespan.shutdown"}


def test_a_handler_that_never_ends_does_not_keep_the_command(tmp_path):
    (tmp_path / "main.py").write_text(
        "import threading\n"
        "from starlette.applications import Starlette\n"
        "from starlette.routing import Route\n"
        "def hangs(request): threading.Event().wait()\n"
        "app = Starlette(routes=[Route('/hangs', hangs)])\n"
    )
    code = (
        "import flowaudit.coverage.run as run; run.PROBE_S = 0.4;"
        "from flowaudit.cli.main import main; raise SystemExit(main(['coverage', 'main:app']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "/hangs: asked GET /hangs, no answer in 0.4 s" in done.stdout


class Wrapper:
    def __init__(self, app=None):
        self.app = app

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


def test_a_wrapper_around_itself_is_walked_once():
    loop = Wrapper()
    loop.app = Wrapper(loop)
    loop.mounts = {"/again": loop}
    paths = {endpoint.path for endpoint in walk(loop)}
    assert "/again" in paths
    assert len(paths) <= 20


@pytest.mark.parametrize(
    ("expression", "sample"),
    [
        ("[0-9]{4}", "2026"),
        (r"\d+", "1"),
        ("[a-z]{2}", "en"),
        (r"[^/]+", "x"),
        ("[0-9a-f]{40}", "0" * 40),
        ("[QZ]{7}", None),
        ("(", None),
    ],
)
def test_a_regular_expression_is_filled_if_something_simple_fits(expression, sample):
    assert fitting(expression) == sample
