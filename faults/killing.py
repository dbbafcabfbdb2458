"""`kill -9` at random moments of real servers with several workers, under a real client.

What a client has received in full is in the trail exactly once; every number that is missing there
is explained; and whatever was open is told. Killed are workers, the server's master process alone
(its workers then end by themselves or go on), and all of them at once.
"""

import asyncio
import contextlib
import itertools
import math
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from flowaudit.event import flat_event
from flowaudit.trail.opening import open_reader
from flowaudit.verification.trail import verify_trail

from .figures import Figure

__all__ = ["SERVERS", "kill_server", "run"]

ROOT: Final = Path(__file__).parent.parent
KILLS: Final = 200
CLIENTS: Final = 6
START_S: Final = 30.0
STRICT_SHARE: Final = 0.2

POLICY: Final = """
[[policy]]
methods = ["POST"]
path = "/orders/**"
level = "meta"
durability = "strict"
"""

_PYTHON: Final = (sys.executable, "-m")
_UVICORN: Final = (*_PYTHON, "uvicorn", "faults.served:asgi", "--log-level", "critical")
_GUNICORN: Final = (*_PYTHON, "gunicorn", "faults.served:wsgi", "--log-level", "critical")
_GRANIAN: Final = (*_PYTHON, "granian", "--no-log", "--respawn-failed-workers")

SERVERS: Final[dict[str, tuple[str, ...]]] = {
    "uvicorn": (*_UVICORN, "--port", "{port}", "--workers", "2"),
    "gunicorn, preloaded": (*_GUNICORN, "-b", "127.0.0.1:{port}", "-w", "3", "--preload"),
    "gunicorn, threads": (
        *_GUNICORN,
        *("-b", "127.0.0.1:{port}", "-w", "2", "-k", "gthread", "--threads", "4"),
    ),
    "gunicorn, gevent": (*_GUNICORN, "-b", "127.0.0.1:{port}", "-w", "2", "-k", "gevent"),
    "granian, ASGI": (
        *_GRANIAN,
        *("--interface", "asginl", "--port", "{port}", "--workers", "2", "faults.served:asgi"),
    ),
    "granian, WSGI": (
        *_GRANIAN,
        *("--interface", "wsgi", "--port", "{port}", "--workers", "2", "faults.served:wsgi"),
    ),
}
"""Each server's command line; `{port}` is filled in."""


@dataclass(slots=True)
class _Client:
    """What a client has asked for and received."""

    port: int
    rng: random.Random
    sent: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    """Requests whose answer came in full with status 200."""
    pids: set[int] = field(default_factory=set)
    """Workers that answered since the server was started last."""
    is_over: bool = False
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def ask(self, client: httpx.AsyncClient) -> None:
        """One request after the other, until it is over."""
        while not self.is_over:
            number = next(self.numbers)
            name = f"k{number}"
            is_strict = self.rng.random() < STRICT_SHARE
            method, path = ("POST", "/orders/") if is_strict else ("GET", "/task/")
            self.sent.add(name)
            try:
                answer = await client.request(
                    method, f"{path}{number}", headers={"x-request-id": name}
                )
            except httpx.HTTPError:
                await asyncio.sleep(0.02)
                continue
            if answer.status_code == 200:
                self.answered.add(name)
                self.pids.add(answer.json()["pid"])


class _Server:
    """A server in a process group of its own, started again when it is gone."""

    def __init__(self, command: tuple[str, ...], port: int, folder: Path) -> None:
        self._command = [part.format(port=port) for part in command]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        """The master's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the master lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; that it answers is found out by asking."""
        self.starts += 1
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env={
                **os.environ,
                "FAULTS_TRAIL": str(self._folder / "t.db"),
                "FAULTS_POLICY": str(self._folder / "flowaudit.toml"),
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")]),
            },
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_all(self) -> None:
        """Kill the master and every worker of it, living or orphaned."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)


def kill_server(name: str, kills: int, seed: int) -> list[Figure]:
    """Kill processes of one server at random moments while it is asked, then look at the trail."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "flowaudit.toml").write_text(POLICY)
        client = _Client(_free_port(), rng)
        server = _Server(SERVERS[name], client.port, folder)
        try:
            killed = asyncio.run(
                asyncio.wait_for(_drive(server, client, kills, rng), 60 + kills * 6)
            )
        finally:
            server.kill_all()
        return _judged(name, folder / "t.db", client, killed)


async def _drive(server: _Server, client: _Client, kills: int, rng: random.Random) -> int:
    base, limits = f"http://127.0.0.1:{client.port}", httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=base, timeout=5, limits=limits) as http:
        tasks = [asyncio.create_task(client.ask(http)) for _ in range(CLIENTS)]
        done = turn = 0
        while done < kills:
            await _until_answering(server, client)
            await asyncio.sleep(rng.uniform(0.02, 0.35))
            done += _kill_one(server, client, ("worker", "worker", "all", "master")[turn % 4], rng)
            turn += 1
        await asyncio.sleep(0.3)
        client.is_over = True
        await asyncio.gather(*tasks)
    return done


async def _until_answering(server: _Server, client: _Client) -> None:
    """A server that is gone is started again, without those of its workers that live on."""
    deadline, before = time.monotonic() + START_S, len(client.answered)
    while len(client.answered) < before + 2 or not client.pids:
        if not server.is_running:
            server.kill_all()
            client.pids.clear()
            server.start()
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer for {START_S} s")
        await asyncio.sleep(0.01)


def _kill_one(server: _Server, client: _Client, whom: str, rng: random.Random) -> int:
    if whom == "all":
        server.kill_all()
        return 1
    victims = sorted(client.pids - {server.pid})
    victim = rng.choice(victims) if whom == "worker" and victims else server.pid
    client.pids.discard(victim)
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def _judged(name: str, trail: Path, client: _Client, killed: int) -> list[Figure]:
    kept = Figure(f"answers received, {name}, {killed} kills", "in the trail exactly once")
    whole = Figure(f"the trail, {name}", "verifies, nothing waits, spools are gone")
    recovered = subprocess.run(
        [*_PYTHON, "flowaudit", "recover", "--trail", str(trail)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    whole.count(recovered.returncode == 0, recovered.stderr)
    with open_reader(trail) as reader:
        events = [flat_event(entry) for entry in reader.entries()]
    counts: dict[str, int] = {}
    for event in events:
        if event["kind"] == "request" and "action" not in event and "request" in event:
            counts[event["request"]] = counts.get(event["request"], 0) + 1
    for request in client.answered:
        kept.count(counts.get(request) == 1, f"{request} is there {counts.get(request, 0)} times")
    for request, count in counts.items():
        if request not in client.sent or count != 1:
            kept.count(False, f"{request} was sent, and is there {count} times")
    found = verify_trail(trail)
    spools = list((trail.parent / "t.db.spool").glob("*.ring"))
    whole.count(found.ok and not found.waiting and not spools, (found.problems[:3], spools))
    open_ones = sum(
        event["facts"].get("count", 0)
        for event in events
        if event["kind"] == "gap" and event["facts"].get("why") == "unfinished"
    )
    unanswered = len(client.sent) - len(client.answered)
    whole.count(open_ones <= unanswered, f"{open_ones} told as open, {unanswered} were at most")
    kept.note = f"{unanswered:,} asked in vain, {open_ones:,} told as open"
    return [kept, whole]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run(scale: float = 1.0, seed: int = 11) -> list[Figure]:
    """Every server, the kills divided among them."""
    kills = max(4, math.ceil(KILLS * scale / len(SERVERS)))
    return [
        figure for at, name in enumerate(SERVERS) for figure in kill_server(name, kills, seed + at)
    ]
