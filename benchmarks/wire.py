"""Over the wire: requests a second of uvicorn under wrk, with and without capture.

uvicorn (httptools, uvloop) is pinned to one core and wrk to another; the variants take turns, and
the median of the rounds counts. Needs `wrk` and `taskset`, and says so where they are missing.
"""

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from flowaudit.trail.reader import TrailReader

ROUNDS = 5
SECONDS = 4
CONNECTIONS = 32
RAW_GOAL = 1.3
"""A raw handler with us, against the same server with its access log on."""
FASTAPI_GOAL = 0.9
"""A FastAPI handler with us, against itself without."""

PATH = "/doctors/7/slots"
VARIANTS = {
    "alone": {"captured": False, "log": False},
    "its access log on": {"captured": False, "log": True},
    "flowaudit": {"captured": True, "log": False},
}
RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")


async def raw(scope: Any, receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


def make_app() -> Any:
    """The app of a server process, as its environment says."""
    from flowaudit import FlowAudit

    from .frameworks import fastapi_app

    kind, folder = os.environ["WIRE_KIND"], os.environ.get("WIRE_FOLDER")
    app = fastapi_app() if kind == "fastapi" else raw
    policy = os.environ.get("WIRE_POLICY")
    return FlowAudit(trail=Path(folder) / "t.db", policy=policy).asgi(app) if folder else app


class Server:
    """One uvicorn on a loopback port of its own; ends with the block."""

    def __init__(self, kind: str, *, captured: bool, log: bool, policy: Path | None = None) -> None:
        self.folder = tempfile.mkdtemp()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        env = {**os.environ, "WIRE_KIND": kind}
        if captured:
            env["WIRE_FOLDER"] = self.folder
        if policy is not None:
            env["WIRE_POLICY"] = str(policy)
        command = ["taskset", "-c", "0", sys.executable, "-m", "uvicorn", "--factory"]
        command += ["benchmarks.wire:make_app", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--http", "httptools", "--loop", "uvloop", "--no-proxy-headers"]
        command += [] if log else ["--no-access-log"]
        self.process = subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        self.end()
        raise RuntimeError("the server did not start")

    def rate(self, path: str) -> float:
        match = RATE.search(self.load(path))
        assert match is not None
        return float(match[1])

    def load(self, path: str, connections: int = CONNECTIONS) -> str:
        """What wrk says of some seconds."""
        url = f"http://127.0.0.1:{self.port}{path}"
        load = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s"]
        headers = ["-H", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"]
        headers += ["-H", "Accept: text/html"]
        return subprocess.run(
            [*load, "--latency", *headers, url],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        trail = Path(self.folder) / "t.db"
        try:
            if trail.exists():
                with TrailReader(trail) as reader:
                    gaps = sum(b'"kind":"gap"' in entry.core for entry in reader.entries())
                assert not gaps, "events were lost: the figures are void"
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def compare(kind: str) -> dict[str, float]:
    """Median rate of each variant; they take turns on servers that all stay up."""
    servers = {name: Server(kind, **options) for name, options in VARIANTS.items()}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    try:
        for _ in range(ROUNDS):
            for name, server in servers.items():
                rates[name].append(server.rate(PATH))
    finally:
        for server in servers.values():
            server.end()
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, rate in medians.items():
        print(f"  {name:<28} {rate:10,.0f} requests/s")
    return medians


def main() -> None:
    from .capture import verdict

    if not (shutil.which("wrk") and shutil.which("taskset")) or (os.cpu_count() or 1) < 2:
        print("over the wire: not run, it needs wrk, taskset and two cores")
        return
    print("uvicorn (httptools, uvloop) on one core, wrk on the other, a raw ASGI handler:")
    found = compare("raw")
    ratio = found["flowaudit"] / found["its access log on"]
    print(f"  {ratio:.2f}× of that with its log; goal {RAW_GOAL}: {verdict(ratio >= RAW_GOAL)}")
    print("the same, a FastAPI handler that answers JSON:")
    found = compare("fastapi")
    ratio = found["flowaudit"] / found["alone"]
    print(f"  {ratio:.2f}× of its own rate; goal {FASTAPI_GOAL}: {verdict(ratio >= FASTAPI_GOAL)}")


if __name__ == "__main__":
    main()
