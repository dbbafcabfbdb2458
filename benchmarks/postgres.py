"""How many events a second two writers on two hosts get into one PostgreSQL trail, with fsync.

Writers and server share this machine's cores. Each writer waits for the answer to its commit
before it sends the next group.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from flowaudit.event import Core, Personal, encode_core, encode_personal
from flowaudit.trail.opening import open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.verification.trail import verify_trail
from tests.postgres import Server, binaries, running

SECONDS: Final = 5
GROUPS: Final = (1, 50, 500, 1_000, 5_000)
GOAL: Final = 50_000
"""Events a second from two writers."""

AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def record(source: str, n: int) -> tuple[bytes, bytes]:
    core = Core(
        v=1, source=source, n=n, ts=1_700_000_000_000_000 + n, kind="request", method="GET",
        route="/doctors/{id}", host="clinic.example.org", nav="page", actor="a" * 52,
        actor_kind="user", session="s" * 32, status=200, outcome="ok", duration_us=12_345,
        bytes_out=5_120,
    )  # fmt: skip
    return encode_core(core), encode_personal(
        Personal(client="203.0.113.7", path=f"/doctors/{n}", ua=AGENT)
    )


def write(url: str, folder: str, source: str, group: int) -> None:
    """What a writer does: groups, one after the other, until the time is over."""
    n, cpu = 0, 0.0
    paths = TrailPaths.of(url, key=Path(folder) / "key", vault=Path(folder) / "vault")
    with open_trail(paths) as trail:
        trail.append([], source, 0, running="boot")
        print("ready", flush=True)
        sys.stdin.readline()
        begun = time.monotonic()
        while time.monotonic() < begun + SECONDS:
            records = [record(source, n + i) for i in range(1, group + 1)]
            n += group
            start = time.process_time()
            trail.append(records, source, n, running="boot")
            cpu += time.process_time() - start
        took = time.monotonic() - begun
    print(n, took, cpu, flush=True)


def two_writers(server: Server, group: int) -> float:
    """Events a second; printed with the CPU that an event takes in a writer and in the server."""
    url = server.url(server.new_trail())
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "benchmarks.postgres", url, folder]
        writers = [
            subprocess.Popen(
                [*argv, letter * 26, str(group)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for letter in "ab"
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        before = server_cpu(server)
        told = [writer.communicate("go\n", timeout=SECONDS * 20)[0].split() for writer in writers]
        used = server_cpu(server) - before
        count = sum(int(n) for n, _, _ in told)
        rate = sum(int(n) / float(took) for n, took, _ in told)
        start = time.perf_counter()
        found = verify_trail(TrailPaths.of(url, key=Path(folder) / "key"))
        took = time.perf_counter() - start
        assert found.ok, found.problems
        assert found.size >= count
    print(
        f"  groups of {group:>5,}: {rate:>9,.0f} events/s;"
        f" CPU an event: {sum(float(cpu) for _, _, cpu in told) / count * 1e6:.1f} µs in a writer,"
        f" {used / count * 1e6:.1f} µs in the server; verified at {count / took:,.0f} events/s"
    )
    return rate


def server_cpu(server: Server) -> float:
    """Seconds of CPU that the server and its children have used, those that ended included."""
    ticks = 0
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in (str(server.pid), *children):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
        if pid == str(server.pid):
            ticks += int(fields[13]) + int(fields[14])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the figures; say so where there is no PostgreSQL."""
    if binaries() is None:
        print("PostgreSQL is not installed: its trail was not measured")
        return
    print(f"PostgreSQL trail, two writers, fsync, {os.cpu_count()} cores for all of it")
    with running(is_durable=True) as server:
        [(version,)] = server.run("SHOW server_version")
        print(f"  PostgreSQL {version}")
        best = max(two_writers(server, group) for group in GROUPS)
    verdict = "reached" if best >= GOAL else "not reached"
    print(f"  best: {best:,.0f} events/s; goal {GOAL:,}: {verdict}")


if __name__ == "__main__":
    if len(sys.argv) == 5:
        write(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
