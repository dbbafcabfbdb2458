"""Disks that are full or broken, folders that may not be written, locks, clocks, and lost files.

A real process serves while it happens. Disk faults are made by strace, which lets chosen system
calls on chosen files fail; the rest are done by hand. What must hold: every request is answered,
relaxed ones without delay; what is lost is told; and once the fault is over everything that waited
is committed, and the trail verifies.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flowaudit.event import flat_event
from flowaudit.trail.opening import open_reader
from flowaudit.verification.trail import verify_trail

from .figures import Figure
from .trails import POLICY

__all__ = ["FAULTS", "Fault", "hinder", "run", "same_source"]

ROOT: Final = Path(__file__).parent.parent
SLOW_S: Final = 2.5
"""A relaxed request that takes longer waits for the fault: the vault may take a second."""

Hand = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is done to a process that serves."""

    what: str
    inject: tuple[str, str] | None = None
    """End of the file's name, and what strace lets fail on it."""
    hand: Hand | None = None
    """Done beside it from its sixth request on."""
    before: Callable[[Path], None] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    may_lose: bool = False
    """Whether events may be lost (and must be told)."""
    may_refuse: bool = True
    """Whether strict requests may be answered with 503 or 500."""
    seen: str = ""
    """What verification must find; nothing if empty."""


def _queue_locked(folder: Path) -> None:
    """Another program holds the writers' lock."""
    with (folder / "t.db.lock").open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        time.sleep(2)
        fcntl.lockf(file, fcntl.LOCK_UN)


def _locked(name: str, seconds: float) -> Hand:
    def hold(folder: Path) -> None:
        """Another program has locked the file itself."""
        with contextlib.closing(sqlite3.connect(folder / name, isolation_level=None)) as db:
            db.execute("PRAGMA busy_timeout = 10000")
            db.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            db.execute("ROLLBACK")

    return hold


def _removed(*names: str) -> Hand:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return remove


def _written(name: str, data: bytes, mode: int = 0o600) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(data)
        (folder / name).chmod(mode)
        shutil.chown(folder / name, 65_534, 65_534)

    return write


def _forbidden(folder: Path) -> None:
    folder.chmod(0o555)


def _allowed_again(folder: Path) -> None:
    time.sleep(1)
    folder.chmod(0o755)


AS_NOBODY: Final = {"nobody": True}
WAL: Final = "t.db-wal"

FAULTS: Final[dict[str, Fault]] = {
    "disk full": Fault("writes to the log fail", (WAL, "pwrite64:error=ENOSPC:when=40..42")),
    "broken disk": Fault("writes to the log fail", (WAL, "pwrite64:error=EIO:when=40..42")),
    "fsync fails": Fault("fsyncs of the log fail", (WAL, "fdatasync:error=EIO:when=8..11")),
    "vault full": Fault(
        "writes to the vault's log fail", ("t.db.vault-wal", "pwrite64:error=ENOSPC:when=9..14")
    ),
    "no room for a spool": Fault(
        "it can't be allocated", ("t.db.spool", "fallocate:error=ENOSPC"), options={"flush_s": 20}
    ),
    "spool on a broken disk": Fault("it can't be allocated", ("", "fallocate:error=EIO")),
    "key unreadable": Fault("reading the key fails", ("t.db.key", "openat:error=EACCES:when=1..9")),
    "writers' lock held": Fault("for 2 s", hand=_queue_locked),
    "trail locked": Fault("for 2.5 s, longer than SQLite waits", hand=_locked("t.db", 2.5)),
    "vault locked": Fault("for 2 s, longer than it is waited for", hand=_locked("t.db.vault", 2)),
    "spool full": Fault(
        "while the lock is held",
        hand=_queue_locked,
        options={"queue_size": 20, "strict": False},
        may_lose=True,
    ),
    "log removed": Fault("while it is in use", hand=_removed(WAL)),
    "vault removed": Fault("while it is in use", hand=_removed("t.db.vault")),
    "vault missing": Fault("with its log", hand=_removed("t.db.vault", "t.db.vault-wal")),
    "key corrupt": Fault(
        "from the beginning", before=_written("t.db.key", b"no key"), seen="checkpoint"
    ),
    "vault corrupt": Fault(
        "from the beginning", before=_written("t.db.vault", b"no vault " * 99), seen="vault"
    ),
    "read-only folder": Fault(
        "for a second, for a user without rights",
        before=_forbidden,
        hand=_allowed_again,
        options=AS_NOBODY,
    ),
    "clock moved a day on": Fault("and back", options={"jump_s": [0, 86_400, 0]}, may_refuse=False),
    "clock moved a day back": Fault(
        "and more, and on", options={"jump_s": [0, -86_400, -200_000, 0]}, may_refuse=False
    ),
}


def hinder(name: str) -> list[Figure]:
    """Do one fault to a process that serves, then look at everything."""
    fault = FAULTS[name]
    answered = Figure(f"{name} ({fault.what}): requests", "answered without waiting for it")
    kept = Figure(f"{name}: events", "in the trail once, or told as lost")
    whole = Figure(
        f"{name}: the trail", "verifies" if not fault.seen else f"tells of the {fault.seen}"
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        if os.geteuid() == 0 and fault.options.get("nobody"):
            os.chown(folder, 65_534, 65_534)
        (folder / "flowaudit.toml").write_text(POLICY)
        if fault.before is not None:
            fault.before(folder)
        told = _served(fault, folder)
        _judge(fault, folder, told, answered, kept, whole)
    return [answered, kept, whole]


def _served(fault: Fault, folder: Path) -> dict[str, Any]:
    options = {"requests": 150, **fault.options}
    command = [sys.executable, "-m", "faults.hindered", str(folder), json.dumps(options)]
    if fault.inject is not None:
        end, what = fault.inject
        on = ("-P", str(folder / end)) if end else ()
        calls = what.partition(":")[0]
        strace = ("strace", "-f", "-qq", "-o", "/dev/null", *on, "-e", f"trace={calls}")
        command = [*strace, "-e", f"inject={what}", *command]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while process.stdout.readline().strip() not in ("begun", ""):
            pass
        if fault.hand is not None:
            fault.hand(folder)
        lines = process.communicate(timeout=120)[0].splitlines()
    finally:
        process.kill()
        process.wait(10)
    return dict(json.loads(lines[-1])) if lines else {}


def _judge(
    fault: Fault,
    folder: Path,
    told: dict[str, Any],
    answered: Figure,
    kept: Figure,
    whole: Figure,
) -> None:
    if not told:
        answered.count(False, "the process died")
        return
    statuses: dict[str, int] = told["statuses"]
    for request, status in statuses.items():
        is_strict = int(request[1:]) % 10 == 9
        answered.count(
            status == 200 or (is_strict and fault.may_refuse and status in (500, 503)),
            f"{request}: {status}",
        )
    answered.count(told["slowest_s"] < SLOW_S, f"a relaxed request took {told['slowest_s']:.1f} s")
    refused = sum(status != 200 for status in statuses.values())
    answered.note = f"{refused} strict ones refused" if refused else ""
    with open_reader(folder / "t.db") as reader:
        events = [flat_event(entry) for entry in reader.entries()]
    counts: dict[str, int] = {}
    for event in events:
        if event["kind"] == "request" and "action" not in event:
            counts[event.get("request", "")] = counts.get(event.get("request", ""), 0) + 1
    lost = sum(event["facts"].get("count", 0) for event in events if event["kind"] == "gap")
    missing = [request for request in statuses if counts.get(request, 0) == 0]
    for request in statuses:
        kept.count(counts.get(request, 0) == 1 or (fault.may_lose and request in missing), request)
    kept.count(
        len(missing) <= lost if fault.may_lose else not missing and not lost, (missing, lost)
    )
    kept.note = f"{len(missing)} lost and told" if fault.may_lose else ""
    if fault.may_lose and not lost:
        kept.count(False, "nothing was lost: the fault did not happen")
    found = verify_trail(folder / "t.db")
    problems = [problem.what for problem in found.problems]
    if fault.seen:
        whole.count(bool(problems) and all(fault.seen in what for what in problems), problems[:3])
    else:
        whole.count(found.ok and not found.waiting and told["flushed"], problems[:3])
    if fault.inject is not None and "when" in fault.inject[1] and "key" not in fault.inject[0]:
        happened = told["counters"]["commit_failed"] + refused
        happened += sum("identity-unavailable" in event.get("flags", ()) for event in events)
        whole.count(happened > 0, "the fault did not happen")


def same_source() -> list[Figure]:
    """Two processes that believe to be the same source, as a copied machine would."""
    kept = Figure("two hosts with one source id: events", "all of both in the trail")
    whole = Figure("two hosts with one source id: the trail", "tells of repeated numbers, only")
    options = json.dumps({"requests": 60, "source": "a" * 26})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "flowaudit.toml").write_text(POLICY)
        command = [sys.executable, "-m", "faults.hindered", str(folder), options]
        pair = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
        for process in pair:
            try:
                kept.count(process.wait(60) == 0, "a process failed")
            finally:
                process.kill()
                process.wait(10)
        with open_reader(folder / "t.db") as reader:
            events = [flat_event(entry) for entry in reader.entries()]
        asked = [e["request"] for e in events if e["kind"] == "request" and "action" not in e]
        for number in range(60):
            kept.count(asked.count(f"r{number}") == 2, f"r{number}")
        problems = [problem.what for problem in verify_trail(folder / "t.db").problems]
        whole.count(bool(problems) and all("repeats number" in what for what in problems), problems)
    return [kept, whole]


def run(scale: float = 1.0) -> list[Figure]:
    """Every fault once."""
    return [figure for name in FAULTS for figure in hinder(name)] + same_source()
