"""Lines a second of an import, trail and proofs included; GoAccess on the same file beside it."""

import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = 300_000


def write_log(path: Path, lines: int) -> None:
    rng = random.Random(3)
    agents = [
        f"Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0"
        for v in range(90, 140)
    ]
    with path.open("w") as file:
        for i in range(lines):
            seconds = i // 5
            day, rest = divmod(seconds, 86_400)
            clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
            stamp = f"{1 + day % 28:02}/Nov/2026:{clock} +0100"
            client = f"10.{rng.randrange(4)}.{rng.randrange(250)}.{rng.randrange(250)}"
            file.write(
                f'{client} - - [{stamp}] "GET /products/{rng.randrange(5_000)} HTTP/1.1" 200'
                f' {rng.randrange(90_000)} "https://example.org/list" "{rng.choice(agents)}"\n'
            )


def run(command: list[str]) -> tuple[float, float]:
    """CPU seconds and wall seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, ten_times = folder / "access.log", folder / "large.log"
        write_log(log, LINES)
        write_log(ten_times, LINES // 10)
        flowaudit = [sys.executable, "-m", "flowaudit", "import", "--trail"]
        small_peak = peak([*flowaudit, str(folder / "s.db"), str(ten_times)])
        cpu, wall = run([*flowaudit, str(folder / "t.db"), str(log)])
        large_peak = peak([*flowaudit, str(folder / "u.db"), str(log)])
        say("flowaudit import", cpu, wall)
        print(f"  peak memory for {LINES // 10:,} lines: {small_peak:,.0f} MB;", end=" ")
        print(f"for {LINES:,}: {large_peak:,.0f} MB")
        if shutil.which("goaccess"):
            out = str(folder / "g.json")
            say("GoAccess", *run(["goaccess", str(log), "--log-format=COMBINED", "-o", out]))
        else:
            print("GoAccess is not installed")


def say(name: str, cpu: float, wall: float) -> None:
    print(f"{name}: {LINES / cpu:,.0f} lines/s of CPU, {LINES / wall:,.0f} lines/s by the clock")


def peak(command: list[str]) -> float:
    """Peak resident memory of a command, MB."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True)
    return int(done.stdout.split()[-1]) / 1_024


if __name__ == "__main__":
    sys.exit(main())
