"""Trails to be damaged: one with every feature, and clean ones of random shape."""

import contextlib
import io
import random
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from msgspec.structs import replace

import flowaudit
from flowaudit import FlowAudit
from flowaudit.cli import main
from flowaudit.event import Core, Personal, encode_core, encode_personal, new_source
from flowaudit.recording.adoption import Loss, gap_event
from flowaudit.trail.erasing import erase_tokens
from flowaudit.trail.forgetting import ErasureNote
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.erasure import begin_erasure, end_erasure, find_person
from flowaudit.vault.tokens import Vault

__all__ = ["Base", "build_base", "build_clean", "plain_copy"]

POLICY = """
[[policy]]
methods = ["POST"]
path = "/orders/**"
level = "meta"
durability = "strict"
"""

LOG_LINE = '10.1.{a}.{b} - - [10/Oct/2025:13:5{c} +0000] "GET /p/{b} HTTP/1.1" 200 {a}7 "-" "x"'


@dataclass(slots=True)
class Base:
    """A trail in files without a log, older copies of it, and notes that a witness kept."""

    folder: Path
    trail: Path
    older: list[Path] = field(default_factory=list)
    """Whole copies from earlier moments, the oldest first."""
    witnessed: list[str] = field(default_factory=list)
    """The newest checkpoint, and those of the older copies."""


def plain_copy(source: Path, target: Path) -> Path:
    """A copy of a trail with what belongs to it, without a write-ahead log."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("", ".vault"):
        if not Path(f"{source}{suffix}").exists():
            continue
        one, two = sqlite3.connect(f"{source}{suffix}"), sqlite3.connect(f"{target}{suffix}")
        with contextlib.closing(one) as db, contextlib.closing(two) as copy:
            db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    for suffix in (".key", ".pub"):
        shutil.copy(f"{source}{suffix}", f"{target}{suffix}")
    return target


def newest_note(trail: Path) -> str:
    """The newest checkpoint of a trail."""
    with contextlib.closing(sqlite3.connect(trail)) as db:
        row = db.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    return str(row[0])


def build_base(folder: Path, requests: int = 270) -> Base:
    """A trail with several sources, persons, strict requests, an imported log, gaps, holes that
    are told, a hold, two erasures, reads, and several checkpoints.
    """
    folder.mkdir(parents=True, exist_ok=True)
    live = folder / "live.db"
    base = Base(folder, live)
    policy = folder / "flowaudit.toml"
    policy.write_text(POLICY)

    def keep() -> None:
        with Trail(live) as trail:
            trail.checkpoint()
        base.older.append(plain_copy(live, folder / f"older{len(base.older)}" / "t.db"))
        base.witnessed.append(newest_note(live))

    for turn in range(3):
        _serve(live, policy, requests // 3, turn)
        if turn == 0:
            _import(live, folder, requests // 3)
        if turn == 1:
            _quiet("erase", "user:3", "--yes", "--trail", str(live), "--reason", "asked for it")
            _quiet("hold", "user:1", "--reason", "a case", "--trail", str(live))
        keep()
    _quiet("erase", "user:5", "--yes", "--trail", str(live))
    _quiet("who", "x" * 52, "--trail", str(live))
    _serve(live, policy, 6, 3)
    with Trail(live) as trail:
        trail.checkpoint()
    base.witnessed.append(newest_note(live))
    base.trail = plain_copy(live, folder / "base" / "t.db")
    for part in folder.glob("live.db*"):
        if part.is_file():
            part.unlink()
    return base


def _serve(trail: Path, policy: Path, count: int, turn: int) -> None:
    audit = FlowAudit(trail=trail, policy=policy, session_cookie=["sid"], group_ms=1)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        number = int(environ["PATH_INFO"].rpartition("/")[2])
        if number % 3:
            flowaudit.identify(f"user:{number % 7}", roles=["clerk"])
        if number % 5 == 0:
            flowaudit.login(f"user:{number % 7}", name=f"name{number % 7}")
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    wrapped = audit.wsgi(app)
    for number in range(count):
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        path = f"/orders/{number}" if number % 6 == 0 else f"/p/{number}"
        method = "POST" if number % 6 == 0 else "GET"
        environ |= {"REQUEST_METHOD": method, "PATH_INFO": path, "RAW_URI": path}
        environ |= {"REMOTE_ADDR": f"10.0.0.{number}", "HTTP_COOKIE": f"sid={turn}{number % 4}"}
        for _ in wrapped(environ, lambda status, headers, exc_info=None: lambda data: None):
            pass
        if number == 4:
            audit._recorder.lose(finishes=False)  # one event that can't be made
            audit.flush()
    audit.close()


def _import(trail: Path, folder: Path, count: int) -> None:
    log = folder / "access.log"
    lines = (LOG_LINE.format(a=i % 3, b=i, c=f"5:{i % 60:02d}") for i in range(count))
    log.write_text("\n".join(lines) + "\n")
    _quiet("import", str(log), "--as", "combined", "--trail", str(trail))


def _quiet(*command: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = main([*command])
    if code not in (0, 2):
        raise RuntimeError(f"{command} ended with {code}")


def build_clean(trail: Path, rng: random.Random) -> None:
    """A clean trail of random shape, as writers make it: sources that take turns, losses that are
    told at once or later by another source, erasures, checkpoints.
    """
    sources = {new_source(): 0 for _ in range(rng.randrange(1, 6))}
    people = [f"user:{i}" for i in range(rng.randrange(4))]
    paths = TrailPaths.of(trail)
    with Vault(trail.with_name(trail.name + ".vault")) as vault, Trail(paths) as writer:
        tokens = [vault.token(who) for who in people]
        for _ in range(rng.randrange(1, 12)):
            _clean_step(rng, writer, sources, tokens)
            if people and rng.random() < 0.12:
                _erase(rng, vault, writer, people, tokens)
            if rng.random() < 0.2:
                writer.checkpoint()
        writer.checkpoint()


def _clean_step(
    rng: random.Random, writer: Trail, sources: dict[str, int], tokens: list[str]
) -> None:
    source = rng.choice(list(sources))
    records = []
    for _ in range(rng.choice((0, 1, 2, 7, 40, 120, 256))):
        if rng.random() < 0.03:
            records += list(_loss(rng, source, sources))
        sources[source] += 1
        core = Core(
            v=1,
            source=source,
            n=sources[source],
            ts=rng.randrange(2**50),
            kind="request",
            actor=rng.choice([*tokens, None]),
            status=200,
        )
        personal = Personal(path="/é" * rng.randrange(1, 9)) if rng.random() < 0.7 else Personal()
        records.append((encode_core(core), encode_personal(personal)))
    if records or rng.random() < 0.5:
        running = rng.choice((None, "boot"))
        writer.append(records, source, sources[source], running=running)


def _loss(
    rng: random.Random, source: str, sources: dict[str, int]
) -> Iterator[tuple[bytes, bytes]]:
    first = sources[source] + 1
    last = first + rng.randrange(4)
    loss = Loss(source, first, last, last - first + 1, "no room in the spool")
    if rng.random() < 0.3:
        loss = Loss(source, count=3, why="unfinished")
        last = sources[source]
    sources[source] = last + 1
    core = gap_event(loss, rng.randrange(2**50))
    yield _numbered(core, source, last + 1), b""


def _numbered(core: Core, source: str, n: int) -> bytes:
    return encode_core(replace(core, v=1, source=source, n=n))


def _erase(
    rng: random.Random, vault: Vault, writer: Trail, people: list[str], tokens: list[str]
) -> None:
    at = rng.randrange(len(people))
    person = find_person(vault, people[at])
    if person is not None:
        begin_erasure(vault, person, rng.randrange(2**50))
        erase_tokens(writer, person.tokens, ErasureNote(person.tokens))
        end_erasure(vault, person)
        if rng.random() < 0.5:
            tokens[at] = vault.token(people[at])
