"""Power cuts: the files as a cut at any moment may leave them, recovered and verified.

A real process is run under strace; its writes and syncs are replayed up to a moment, and of what
was not yet durable some blocks are kept and others not. What had been promised by then must hold.
"""

import contextlib
import io
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest.mock import patch

from flowaudit.cli import main
from flowaudit.errors import FlowauditError
from flowaudit.event import flat_event
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.vault.tokens import Vault
from flowaudit.verification.trail import verify_trail
from flowaudit.witnesses.publishing import kept_in

from .disk import CALLS, Disk, read_log
from .figures import Figure

__all__ = ["cut_power", "run"]

ROOT: Final = Path(__file__).parent.parent
CUTS: Final = 2_000
RUNS: Final = 4
SHARES: Final = (0.0, 1.0, 0.5, 0.1, 0.9)
"""Of what was not durable, about how much the cut has left."""


@dataclass(slots=True)
class _Promises:
    """What had been told before the cut."""

    strict: set[str] = field(default_factory=set)
    relaxed: set[str] = field(default_factory=set)
    committed: dict[str, int] = field(default_factory=dict)
    """Source: the number up to which its events were told to be durable."""
    last: dict[str, int] = field(default_factory=dict)
    """Source: the highest number given."""
    erased: set[str] = field(default_factory=set)
    mapped: list[str] = field(default_factory=list)
    """Copies of spools as they were in memory."""

    def hear(self, line: str) -> None:
        """One line of the process."""
        match line.split():
            case ["answered", name, "strict"]:
                self.strict.add(name)
            case ["answered", name, _]:
                self.relaxed.add(name)
            case ["committed", source, number, last]:
                self.committed[source] = max(self.committed.get(source, 0), int(number))
                self.last[source] = max(self.last.get(source, 0), int(last))
            case ["erased", token]:
                self.erased.add(token)
            case ["mapped", name]:
                self.mapped.append(name)


def cut_power(cuts: int, seed: int) -> list[Figure]:
    """Cut the power of one run at `cuts` random moments."""
    figures = [
        Figure("power cut at a random moment", "the trail recovers and verifies"),
        Figure("… strict answers before it", "in the trail"),
        Figure("… events told to be durable before it", "in the trail"),
        Figure("… persons of events that are left", "in the vault, unless erased"),
        Figure("… persons erased before it", "not in the vault, nothing personal left"),
        Figure("… published checkpoints that are left", "agree with the trail"),
    ]
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "d"
        folder.mkdir()
        steps = read_log(_traced(folder), folder)
        moments = sorted(rng.randrange(len(steps)) for _ in range(cuts))
        disk, promises, at = Disk(), _Promises(), 0
        shutil.rmtree(folder)
        for turn, moment in enumerate(moments):
            for step in steps[at:moment]:
                if step.kind == "said":
                    for line in step.data.decode().splitlines():
                        promises.hear(line)
                disk.take(step)
            at = max(at, moment)
            left = disk.cut(rng, SHARES[turn % len(SHARES)])
            _rebuild(folder, left, promises, rng)
            _judge(folder, promises, figures)
            shutil.rmtree(folder)
    lost = figures[2]
    lost.note = "of relaxed ones at most those since the last commit are lost"
    return figures


def _traced(folder: Path) -> Path:
    log = folder.parent / "log"
    strace = ("strace", "-f", "-qq", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}")
    subprocess.run(
        [*strace, "-o", log, sys.executable, "-m", "faults.cut_off", folder],
        cwd=ROOT,
        check=True,
        timeout=300,
        stdout=subprocess.DEVNULL,
    )
    return log


def _rebuild(
    folder: Path, left: Iterator[tuple[str, bytes]], promises: _Promises, rng: random.Random
) -> None:
    """Make the folder as the cut has left it. What a mapping has brought to the disk of a spool
    is anything: nothing, an earlier state, or blocks of either.
    """
    (folder / "witness").mkdir(parents=True)
    for name, data in left:
        path = Path(name)
        if path.name.endswith("-shm"):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ring":
            copies = [name for name in promises.mapped if name.startswith(path.stem)]
            known = (folder.parent / rng.choice(copies)).read_bytes() if copies else b""
            blocks = [
                known[at : at + 4_096] if rng.random() < 0.5 else bytes(4_096)
                for at in range(0, len(known), 4_096)
            ]
            data = rng.choice((bytes(len(data)), known.ljust(len(data), b"\0"), b"".join(blocks)))
        path.write_bytes(data)


def _judge(folder: Path, promises: _Promises, figures: list[Figure]) -> None:
    whole, strict, durable, persons, erased, notes = figures
    trail = folder / "t.db"
    if not trail.exists() and (promises.strict or promises.committed):
        whole.count(False, "the trail is gone")
        return
    try:
        with open_trail(trail) as writer, Vault(trail.with_name("t.db.vault")) as vault:
            writer.size()
            vault.generation()
        with patch("flowaudit.recording.adoption.boot_id", lambda: "after the cut"):
            said = _quiet("recover", "--trail", str(trail))
        published = kept_in(folder / "witness")
        found = verify_trail(trail, witnessed=[published])
    except FlowauditError as error:
        whole.count(False, f"refused: {error}")
        return
    whole.count(said == 0 and found.ok and not found.waiting, (said, found.problems[:3]))
    for _ in published.notes:
        notes.count(not any("witnessed" in problem.what for problem in found.problems))
    with open_reader(trail) as reader:
        entries = list(reader.entries())
    events = [flat_event(entry) for entry in entries]
    named = {event.get("request") for event in events if "action" not in event}
    for request in promises.strict:
        strict.count(request in named, request)
    numbers = {(event["source"], event["n"]) for event in events}
    for source, last in promises.committed.items():
        for n in range(1, last + 1):
            durable.count((source, n) in numbers, (source, n))
    with Vault(trail.with_name("t.db.vault")) as vault:
        gone = vault.erased()
        known = vault.identities()
        for token in {event["actor"] for event in events if "actor" in event}:
            persons.count(token in known or token in gone, token)
        for token in promises.erased:
            left = [e for e in entries if token.encode() in e.core and e.personal is not None]
            erased.count(token in gone and token not in known and not left, token)


def _quiet(*command: str) -> int:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return main([*command])


def run(scale: float = 1.0, seed: int = 3) -> list[Figure]:
    """Several runs, each cut at many moments."""
    runs = max(2, round(RUNS * scale))
    made = [cut_power(int(CUTS * scale / runs), seed + turn) for turn in range(runs)]
    for other in made[1:]:
        for figure, more in zip(made[0], other, strict=True):
            figure.add(more)
    return made[0]
