"""An app that is asked all the time while something is done to its trail, and tells how it went.

Run by `hindering.py`: `python -m faults.hindered FOLDER OPTIONS`, the options as JSON.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch
from wsgiref.util import setup_testing_defaults

import flowaudit
from flowaudit import FlowAudit
from flowaudit.trail import sqlite, sqlite_file

from .trails import POLICY

__all__: list[str] = []

STEP_S = 0.01


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Identifies somebody, and answers."""
    flowaudit.identify(f"user:{int(environ['PATH_INFO'].rpartition('/')[2]) % 9}")
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def ask(wrapped: Any, number: int, is_strict: bool) -> int:
    """The status of one request."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    path = f"/orders/{number}" if is_strict else f"/p/{number}"
    environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": path, "RAW_URI": path}
    environ |= {"HTTP_X_REQUEST_ID": f"r{number}"}
    seen: list[str] = []

    def start_response(status: str, *_: Any) -> Any:
        seen.append(status)
        return lambda data: None

    body = wrapped(environ, start_response)
    for _ in body:
        pass
    getattr(body, "close", lambda: None)()
    return int(seen[0].split()[0])


def serve(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Ask for a while, wait until everything is committed, and say what happened."""
    policy = folder / "flowaudit.toml"
    if not policy.exists():
        policy.write_text(POLICY)
    jump = options.get("jump_s", [])
    done = 0

    def clock() -> float:
        return time.time() + (jump[done * len(jump) // options["requests"]] if jump else 0.0)

    audit = FlowAudit(
        trail=folder / "t.db",
        policy=policy,
        group_ms=5,
        queue_size=options.get("queue_size", 10_000),
        clock=clock,
    )
    wrapped = audit.wsgi(app)
    statuses: dict[str, int] = {}
    slowest = 0.0
    for done in range(options["requests"]):
        is_strict = done % 10 == 9 and options.get("strict", True)
        start = time.monotonic()
        statuses[f"r{done}"] = ask(wrapped, done, is_strict)
        if not is_strict:
            slowest = max(slowest, time.monotonic() - start)
        if done == 5:
            audit.flush(5)
            print(options.get("begun", "begun"), flush=True)
        time.sleep(STEP_S)
    flushed = audit.flush(options.get("flush_s", 40))
    audit.close()
    return {
        "statuses": statuses,
        "slowest_s": slowest,
        "flushed": flushed,
        "counters": audit.counters,
    }


def main() -> None:
    """See above."""
    folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    sqlite.CHECKPOINT_S = 0.05  # type: ignore[misc]
    sqlite_file.BUSY_S = 1.0  # type: ignore[misc]
    if options.get("nobody"):
        with tempfile.TemporaryDirectory() as warm:  # loads what that user may not read
            serve(Path(warm), {"requests": 20, "begun": "warm"})
        os.setegid(65_534)
        os.seteuid(65_534)
    source = options.get("source")
    with (
        patch("flowaudit.recording.source.new_source", lambda: source) if source else patch.dict({})
    ):
        print(json.dumps(serve(folder, options)), flush=True)


if __name__ == "__main__":
    main()
