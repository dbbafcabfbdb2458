"""`kill -9` at random moments of a real server with two workers: no answered request is lost."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowaudit.trail.check import verify_trail

Events = Callable[..., list[dict[str, Any]]]

ROOT = Path(__file__).parent.parent.parent
KILLS = 200 if os.environ.get("FLOWAUDIT_SOAK") else 20
WORKERS = 2


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(trail: Path, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "uvicorn",
            "tests.end_to_end.server_app:app",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            str(WORKERS),
            "--log-level",
            "critical",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "TEST_TRAIL": str(trail),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")]),
        },
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def drive(port: int, kills: int, answered: set[str], rng: random.Random) -> None:
    """Ask all the time, and kill a worker at random moments; note every answer's request id."""
    pids: set[int] = set()
    is_over = asyncio.Event()
    number = iter(range(10**9))

    async def ask(client: httpx.AsyncClient) -> None:
        while not is_over.is_set():
            n = next(number)
            name = f"k{n}"
            try:
                answer = await client.get(f"/task/{n}", headers={"x-request-id": name})
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 200:
                answered.add(name)
                pids.add(answer.json()["pid"])

    async def kill() -> None:
        killed: set[int] = set()
        for _ in range(kills):
            await asyncio.sleep(rng.uniform(0.05, 0.4))
            while not (living := sorted(pids - killed)):
                await asyncio.sleep(0.05)
            victim = rng.choice(living)
            killed.add(victim)
            os.kill(victim, signal.SIGKILL)
        await asyncio.sleep(0.5)
        is_over.set()

    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=5, limits=httpx.Limits(max_connections=8)
    ) as client:
        await asyncio.gather(kill(), *(ask(client) for _ in range(6)))


@pytest.mark.timeout(1_800 if KILLS > 20 else 240)
def test_no_answered_request_is_lost(trail: Path, events: Events) -> None:
    port = free_port()
    server = start(trail, port)
    answered: set[str] = set()
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/task/0").status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        asyncio.run(asyncio.wait_for(drive(port, KILLS, answered, random.Random(11)), KILLS * 8))
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)
    assert len(answered) > 200
    recovered = subprocess.run(
        [sys.executable, "-m", "flowaudit", "recover", "--trail", str(trail)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert recovered.returncode == 0, recovered.stderr
    recorded = [event["request"] for event in events("request") if "request" in event]
    assert answered <= set(recorded)
    assert len(recorded) == len(set(recorded)), "a request was recorded twice"
    found = verify_trail(trail)
    assert found.ok, found.problems[:5]
    assert found.waiting == 0
    assert sum(event["action"] == "start" for event in events("process")) >= KILLS
