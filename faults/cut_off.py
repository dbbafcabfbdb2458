"""What is at work when the power goes: an app under several threads, one part of its requests
strict, some erasures; it says on standard output, at once, what it has promised.

Run by `powering.py` under strace, in a folder that is its only argument.
"""

import contextlib
import io
import os
import sys
import threading
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import flowaudit
from flowaudit import FlowAudit
from flowaudit.cli import main
from flowaudit.trail import sqlite
from flowaudit.witnesses import publishing

from .trails import POLICY

__all__: list[str] = []

THREADS = 3
REQUESTS = 40


def tell(*words: object) -> None:
    """One line in one write, so that it has its place among the writes to files."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Identifies somebody, and answers."""
    number = int(environ["PATH_INFO"].rpartition("/")[2])
    flowaudit.identify(f"user:{number % 7}")
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def ask(audit: FlowAudit, wrapped: Any, thread: int, count: int = REQUESTS) -> None:
    """Ask, and tell each answer that came in full."""
    for number in range(count):
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        is_strict = number % 3 == 0
        path = f"/orders/{number}" if is_strict else f"/p/{number}"
        name = f"r{thread}-{number}"
        environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": path, "RAW_URI": path}
        environ |= {"HTTP_X_REQUEST_ID": name, "REMOTE_ADDR": "10.0.0.1"}
        seen: list[str] = []

        def start_response(status: str, *_: Any, seen: list[str] = seen) -> Any:
            seen.append(status)
            return lambda data: None

        body = wrapped(environ, start_response)
        for _ in body:
            pass
        getattr(body, "close", lambda: None)()
        if seen[0].startswith("200"):
            tell("answered", name, "strict" if is_strict else "relaxed")
        writer, live = audit._recorder._writer, audit._recorder.live
        if writer is not None and live is not None:
            tell("committed", live.id, writer.committed_n, live.last_n)
            if number % 5 == 0:  # what the mapping may have brought to the disk by now
                place = Path(sys.argv[1]).parent / f"{live.id}.{thread}.{number}.snapshot"
                place.write_bytes(live.spool._map[:65_536])
                tell("mapped", place.name)


def work(folder: Path) -> None:
    """Everything, to its end."""
    policy = folder.parent / "flowaudit.toml"
    policy.write_text(POLICY)
    trail = folder / "t.db"
    witness = folder / "witness"
    witness.mkdir()
    audit = FlowAudit(trail=trail, policy=policy, group_ms=5, witnesses=[str(witness)])
    wrapped = audit.wsgi(app)
    ask(audit, wrapped, THREADS, 1)
    audit.flush()
    threads = [threading.Thread(target=ask, args=(audit, wrapped, i)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for who in ("user:3", "user:5"):
        token = audit._vault.token(who)
        with contextlib.redirect_stdout(io.StringIO()):
            code = main(["erase", who, "--yes", "--trail", str(trail)])
        if code == 0:
            tell("erased", token)
    for thread in threads:
        thread.join()
    audit.close()
    tell("closed")


if __name__ == "__main__":
    publishing.EVERY_S = 0.0  # type: ignore[misc]
    sqlite.CHECKPOINT_S = 0.02  # type: ignore[misc]
    work(Path(sys.argv[1]))
