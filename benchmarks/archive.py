"""What an archive costs: bytes an event by column, how fast it is written and verified, memory.

Traffic is that of `traffic.py`, without trace ids. Archiving and verifying run as commands, each
in a process of its own, so that what they need at most is theirs alone.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from flowaudit.trail.sqlite import Trail

from .traffic import traffic

SMALL, LARGE = 1_000_000, 3_000_000
GROUP = 5_000
GOAL_BYTES, GOAL_SALT, GOAL_VERIFIED = 60, 16, 300_000

MEASURED = """
import resource, sys, time
from flowaudit.cli import main
if __name__ == "__main__":
    begun = time.perf_counter()
    status = main(sys.argv[1:])
    seconds = time.perf_counter() - begun
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    # ru_maxrss begins with that of the process that started this one (getrusage(2))
    [peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print("MEASURED", status, seconds, cpu, peak, used[1].ru_maxrss)
"""


def grow(trail: Path, count: int) -> None:
    with Trail(trail) as writer:
        groups: dict[str, list[tuple[bytes, bytes]]] = {}
        numbers: Counter[str] = Counter()
        for at, (core, personal, source) in enumerate(traffic(count), 1):
            groups.setdefault(source, []).append((core, personal))
            if at % GROUP == 0 or at == count:
                for each, records in groups.items():
                    numbers[each] += len(records)
                    writer.append(records, each, numbers[each])
                groups = {}


class Measured(NamedTuple):
    seconds: float
    cpu_s: float
    mib: float
    """The most that the command itself has needed."""
    more_mib: float
    """The most that one of the processes has needed which it started."""

    def rate(self, events: int) -> str:
        each = self.cpu_s / events * 1_000_000
        return f"{events / self.seconds:,.0f} events/s ({each:.1f} µs CPU an event)"


def measured(folder: Path, *command: str) -> Measured:
    script = folder / "measured.py"
    script.write_text(MEASURED)
    done = subprocess.run(
        [sys.executable, str(script), *command], capture_output=True, text=True, timeout=3_600
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    _, status, seconds, cpu, mine, theirs = done.stdout.rstrip().splitlines()[-1].split()
    if status != "0":
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    return Measured(float(seconds), float(cpu), int(mine) / 1024, int(theirs) / 1024)


def by_column(place: Path, events: int) -> None:
    sizes: Counter[str] = Counter()
    for file in place.iterdir():
        footer = pq.ParquetFile(file).metadata
        total = 0
        for group in range(footer.num_row_groups):
            for at in range(footer.num_columns):
                column = footer.row_group(group).column(at)
                sizes[column.path_in_schema.split(".")[0]] += column.total_compressed_size
                total += column.total_compressed_size
        sizes["footer"] += file.stat().st_size - total
    each = sum(sizes.values()) / events
    verdict = "reached" if each <= GOAL_BYTES else "NOT reached"
    print(
        f"archived: {each:.1f} bytes an event, of which {sizes['salt'] / events:.1f} are salt;"
        f" goal {GOAL_BYTES} with {GOAL_SALT} of salt: {verdict}"
    )
    shown = [(name, size / events) for name, size in sizes.most_common() if size / events >= 0.05]
    for name, size in shown:
        print(f"  {name:<12} {size:6.2f}")
    print(f"  {'the rest':<12} {each - sum(size for _, size in shown):6.2f}")


def one(folder: Path, events: int, *, has_columns: bool) -> None:
    trail, place = folder / "t.db", folder / "archive"
    begun = time.perf_counter()
    grow(trail, events)
    print(f"{events:,} events, made in {time.perf_counter() - begun:.0f} s:")
    found = measured(folder, "verify", "--trail", str(trail))
    size = trail.stat().st_size / events
    print(f"  in the trail: {size:.0f} bytes an event; verify {found.rate(events)}")
    found = measured(folder, "archive", "--trail", str(trail), "--to", str(place))
    archived = sum(pq.ParquetFile(file).metadata.num_rows for file in place.iterdir())
    print(f"  archive: {found.rate(archived)}, at most {found.mib:.0f} MiB")
    found = measured(folder, "verify", "--trail", str(trail), "--archive", str(place))
    verdict = "reached" if events / found.seconds >= GOAL_VERIFIED else "NOT reached"
    print(f"  verify from the columns: {found.rate(events)}; goal {GOAL_VERIFIED:,}: {verdict};")
    print(
        f"    at most {found.mib:.0f} MiB, {found.more_mib:.0f} MiB in each of two more processes"
    )
    if has_columns:
        by_column(place, archived)


def main() -> None:
    for events in (SMALL, LARGE):
        with tempfile.TemporaryDirectory() as folder:
            one(Path(folder), events, has_columns=events == SMALL)


if __name__ == "__main__":
    sys.exit(main())
