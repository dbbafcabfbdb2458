"""The trail itself: appending with proofs, verifying, the proof of one event in ten million, and
what strict requests cost beside relaxed ones.
"""

import os
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from flowaudit.proofs.merkle import Tree
from flowaudit.proofs.paths import TileTree, is_included
from flowaudit.trail.reader import TrailReader
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail

from .capture import verdict
from .reading import stored
from .wire import RATE, Server

EVENTS = 300_000
GROUPS = (100, 500, 5_000)
APPEND_GOAL = 100_000
APPEND_US = 6.0
VERIFY_GOAL = 300_000
SMALL = 60_000
"""Events of the smaller trail whose verification must take as much memory as that of `EVENTS`."""
FLAT_MB = 12.0

LEAVES = 10_000_000
PROOFS = 200
PROOF_MS = 10.0

CONNECTIONS = 128
ROUNDS = 3
STRICT_SHARE = 0.7
STRICT_MEDIAN_MS = 3.0
STRICT_P99_MS = 15.0

SYNCS = 200

STRICT = '[[policy]]\npath = "/**"\nlevel = "meta"\ndurability = "strict"\n'
RELAXED = '[[policy]]\npath = "/**"\nlevel = "meta"\n'

PEAK = """
import sys
from pathlib import Path
from flowaudit.verification.trail import verify_trail
assert verify_trail(Path(sys.argv[1])).ok
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(peak)
"""


def records(count: int) -> list[tuple[bytes, bytes]]:
    """Events as the store of a live trail has them."""
    table = stored(count)
    cores, personals = table["core"].to_pylist(), table["personal"].to_pylist()
    return [(core.encode(), p.encode()) for core, p in zip(cores, personals, strict=True)]


def grow(trail: Path, events: list[tuple[bytes, bytes]], group: int) -> tuple[float, float]:
    """Append events in groups; seconds of CPU and by the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    with Trail(trail) as writer:
        for first in range(0, len(events), group):
            part = events[first : first + group]
            writer.append(part, "a" * 26, first + len(part), running="boot")
    return time.process_time() - cpu, time.perf_counter() - clock


def appending(folder: Path, events: list[tuple[bytes, bytes]]) -> None:
    print("appending to a trail, full sync, proofs included:")
    for group in GROUPS:
        some = events[: max(20_000, group * 10)]
        best = min(grow(folder / f"{group}-{turn}.db", some, group) for turn in range(3))
        rate, each = len(some) / best[0], best[0] / len(some) * 1e6
        held = rate >= APPEND_GOAL and each <= APPEND_US
        print(
            f"  in groups of {group:>5,}: {rate:10,.0f} events/s of CPU, {each:4.1f} µs an event,"
            f" {len(some) / best[1]:10,.0f} events/s by the clock; goal {APPEND_GOAL:,} and"
            f" {APPEND_US:.0f} µs: {verdict(held)}"
        )


def verifying(folder: Path, events: list[tuple[bytes, bytes]]) -> None:
    large, small = folder / "large.db", folder / "small.db"
    grow(large, events, 5_000)
    grow(small, events[:SMALL], 5_000)
    took = []
    for _ in range(3):
        start = time.process_time(), time.perf_counter()
        assert verify_trail(large).ok
        took.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    cpu, clock = min(took)
    rate = len(events) / cpu
    print(f"verifying, in one process: {rate:,.0f} events/s of CPU,", end=" ")
    print(f"{len(events) / clock:,.0f} by the clock;")
    print(f"  goal {VERIFY_GOAL:,} on two cores: {verdict(rate >= VERIFY_GOAL)}")
    if not Path("/proc/self/status").exists():
        return
    peaks = [
        int(subprocess.check_output([sys.executable, "-c", PEAK, trail], text=True)) / 1024
        for trail in (small, large)
    ]
    print(f"  peak memory {peaks[0]:.0f} MB for {SMALL:,} and {peaks[1]:.0f} MB for", end=" ")
    print(f"{len(events):,}; goal: flat: {verdict(peaks[1] - peaks[0] <= FLAT_MB)}")


def proving(folder: Path) -> None:
    """The proof of one event, a fresh reader each time, from tiles of leaves without events."""
    trail, tree = folder / "tiles.db", Tree()
    with Trail(trail) as writer:
        writer.size()
    with sqlite3.connect(trail) as db:
        for first in range(0, LEAVES, 1 << 16):
            last = min(first + (1 << 16), LEAVES)
            tree.extend([sha256(i.to_bytes(8)).digest() for i in range(first, last)])
            db.executemany("INSERT OR REPLACE INTO tile VALUES (?, ?, ?)", tree.take_tiles())
        db.execute("UPDATE head SET size = ?, frontier = ?", (LEAVES, b"".join(tree.frontier)))
    db.close()
    took, rng = [], random.Random(1)
    for _ in range(PROOFS):
        seq = rng.randrange(LEAVES)
        start = time.perf_counter()
        with TrailReader(trail) as reader:
            proof = TileTree(reader.size, reader.tile).inclusion(seq)
        took.append((time.perf_counter() - start) * 1e3)
        leaf = sha256(seq.to_bytes(8)).digest()
        assert is_included(leaf, seq, LEAVES, proof, tree.root())
    worst = max(took)
    print(f"inclusion proof of one of {LEAVES:,} events, opening the trail included:")
    print(f"  median {statistics.median(took):.1f} ms, largest {worst:.1f} ms;", end=" ")
    print(f"goal {PROOF_MS:.0f} ms: {verdict(worst <= PROOF_MS)}")


def milliseconds(said: str, percentile: str) -> float:
    """A latency that wrk tells."""
    match = re.search(rf"^\s*{percentile}%\s+([0-9.]+)(us|ms|s)\s*$", said, re.MULTILINE)
    assert match is not None, said
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1_000.0}[match[2]]


def sync_ms(folder: Path) -> float:
    """How long this disk takes to make a group durable, ms at the median: the least of a wait."""
    took = []
    with open(folder / "sync", "wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(os.urandom(16_384))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - start) * 1e3)
    return statistics.median(took)


def strictness(folder: Path) -> None:
    if not (shutil.which("wrk") and shutil.which("taskset")) or (os.cpu_count() or 1) < 2:
        print("strict requests: not run, it needs wrk, taskset and two cores")
        return
    found: dict[str, list[tuple[float, float, float]]] = {}
    for name, policy in (("relaxed", RELAXED), ("strict", STRICT)):
        file = folder / f"{name}.toml"
        file.write_text(policy)
        for _ in range(ROUNDS):
            # a fresh one each time: under a second wrk uvicorn lets some connections wait for
            # nearly a second now and then, without us too
            server = Server("fastapi", captured=True, log=False, policy=file)
            try:
                said = server.load("/doctors/7/slots", CONNECTIONS)
            finally:
                server.end()
            rate = RATE.search(said)
            assert rate is not None
            each = milliseconds(said, "50"), milliseconds(said, "99")
            found.setdefault(name, []).append((float(rate[1]), *each))
    medians = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)]
        for name, rounds in found.items()
    }
    print(f"uvicorn and FastAPI on one core, {CONNECTIONS} concurrent requests;", end=" ")
    print(f"one fsync of this disk takes {sync_ms(folder):.1f} ms:")
    for name, (rate, median, late) in medians.items():
        print(f"  {name:<8} {rate:8,.0f} requests/s, median {median:6.1f} ms, 99 % {late:6.1f} ms")
    relaxed, strict = medians["relaxed"], medians["strict"]
    share = strict[0] / relaxed[0]
    print(f"  strict keeps {share:.2f} of it; goal {STRICT_SHARE}:", verdict(share >= STRICT_SHARE))
    for at, goal, what in ((1, STRICT_MEDIAN_MS, "median"), (2, STRICT_P99_MS, "99 %")):
        added = strict[at] - relaxed[at]
        print(f"  adds {added:.1f} ms at the {what}; goal {goal:.0f} ms: {verdict(added <= goal)}")


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        events = records(EVENTS)
        appending(folder, events)
        verifying(folder, events)
        proving(folder)
        strictness(folder)


if __name__ == "__main__":
    main()
