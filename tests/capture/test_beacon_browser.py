"""The beacon in a real browser: a single-page app tells its pages and a click."""

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.cli.main import main

uvicorn = pytest.importorskip("uvicorn")

pytestmark = pytest.mark.browser

WAIT_S = 30.0
JSON = ("--format", "json")

PAGE = b"""<!doctype html><meta charset="utf-8"><title>Shop</title><div id="app">
<button data-flow="add-to-cart"><b id="inside">Add the secret thing</b></button>
<button id="plain">Other</button><input value="typed by a person"></div>
<script src="/_flow.js"></script><script src="/spa.js"></script>"""

SPA = b"""
history.pushState({}, "", "/products?q=typed-secret#also");
history.pushState({}, "", "/products/7");
history.pushState({}, "", "/products/7?tab=2");
document.getElementById("inside").click();
document.getElementById("plain").click();
history.go(-2);
"""

CSP = b"default-src 'none'; script-src 'self'; connect-src 'self'"


async def spa(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    is_script = scope["path"] == "/spa.js"
    kind = b"text/javascript" if is_script else b"text/html"
    headers = [(b"content-type", kind), (b"content-security-policy", CSP)]
    headers += [] if is_script else [(b"set-cookie", b"sid=a-session; Path=/")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": SPA if is_script else PAGE})


@pytest.fixture
def served(make_audit: Callable[..., FlowAudit]) -> Iterator[tuple[FlowAudit, str]]:
    audit = make_audit(beacon="/_flow", session_cookie="sid")
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(audit.asgi(spa), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    yield audit, f"http://127.0.0.1:{bound.getsockname()[1]}/"
    server.should_exit = True
    thread.join(WAIT_S)
    bound.close()
    assert not thread.is_alive()


def browse(chromium: str, address: str, folder: Path, is_over: Callable[[], bool]) -> None:
    """Have a page open in a browser until something holds, bounded."""
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
        " --disable-background-networking --disable-component-update --disable-sync"
        " --remote-debugging-port=0"
    ).split()
    browser = subprocess.Popen(
        [chromium, *options, f"--user-data-dir={folder / 'profile'}", address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + WAIT_S
        while not is_over() and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        browser.terminate()
        browser.wait(WAIT_S)


def test_a_browser_tells_pages_and_a_click_and_nothing_that_was_typed(
    chromium: str,
    served: tuple[FlowAudit, str],
    events: Callable[..., list[dict[str, Any]]],
    trail: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("duckdb")
    audit, address = served

    def told() -> list[tuple[str, str]]:
        audit.flush()
        found = [e for e in (events() if trail.exists() else []) if e.get("resource")]
        return [(event.get("route", "page"), event["path"]) for event in found]

    browse(chromium, address, tmp_path, lambda: len(told()) >= 4)
    assert sorted(told()) == sorted(
        [
            ("page", "/products"),
            ("page", "/products/7"),
            ("click:add-to-cart", "/products/7"),
            ("page", "/products"),
        ]
    )
    whole = json.dumps(events())
    assert not any(word in whole for word in ("secret", "typed", "Add", "also"))
    capsys.readouterr()
    [who] = {event["session"] for event in events() if event.get("resource")}
    assert main(["journey", f"session:{who}", "--trail", str(trail)]) == 0
    shown = capsys.readouterr().out
    assert "GET    /products/7 " in shown
    assert "/products/7 click:add-to-cart" in shown
    assert main(["flows", "--trail", str(trail), *JSON]) == 0
    assert json.loads(capsys.readouterr().out)["pages"] == 4  # the document too
    assert main(["funnel", "/products", "click:add-to-cart", "--trail", str(trail), *JSON]) == 0
    assert json.loads(capsys.readouterr().out)["reached"] == [1, 1]
