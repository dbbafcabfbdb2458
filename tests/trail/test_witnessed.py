"""Checkpoints kept elsewhere: published into folders, and what verification finds against them."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.cli import main
from flowaudit.errors import TrailBusyError
from flowaudit.event import SCHEMA_VERSION, Core, Personal, encode_core, encode_personal
from flowaudit.proofs.checkpoint import Checkpoint, sign_checkpoint
from flowaudit.trail.keys import load_verifier_key, read_key
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail
from flowaudit.witnesses.publishing import Kept, Publisher, kept_in
from tests.trail.stores import only_sqlite

SOURCE = "s" * 26
Problems = list[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "elsewhere"
    made.mkdir()
    return made


def grow(trail: Path, count: int, *, start: int = 1, ts: int = 1) -> None:
    """More entries, under a new checkpoint."""
    records = [
        (
            encode_core(Core(kind="note", n=n, source=SOURCE, ts=ts, v=SCHEMA_VERSION)),
            encode_personal(Personal(path=f"/p/{n}")),
        )
        for n in range(start, start + count)
    ]
    with open_trail(trail) as writer:
        writer.append(records, SOURCE, start + count - 1)


def newest(trail: Path) -> str:
    with open_reader(trail) as reader:
        return list(reader.checkpoints())[-1][1]


def problems(trail: Path, *notes: str) -> Problems:
    return [
        problem.what
        for problem in verify_trail(trail, witnessed=[Kept("elsewhere", notes)]).problems
    ]


@pytest.mark.parametrize("more", [0, 1, 300])
def test_a_trail_that_only_grew_agrees(trail: Path, more: int) -> None:
    grow(trail, 300)
    note = newest(trail)
    if more:
        grow(trail, more, start=301)
    found = verify_trail(trail, witnessed=[Kept("elsewhere", (note,))])
    assert found.ok
    assert found.witnessed == 1


def copied(trail: Path, to: Path) -> None:
    for path in trail.parent.glob(trail.name + "*"):
        if path.is_file():
            shutil.copy(path, to / path.name)


@only_sqlite
@pytest.mark.parametrize("regrown", [0, 100, 200])
def test_a_trail_rolled_back_is_found_also_when_it_grew_anew(
    trail: Path, tmp_path: Path, regrown: int
) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    grow(trail, 200)
    copied(trail, backup)
    grow(trail, 100, start=201)
    note = newest(trail)
    for path in trail.parent.glob(trail.name + "*"):
        if path.is_file():
            path.unlink()
    for path in backup.iterdir():
        shutil.copy(path, trail.parent / path.name)
    if regrown:
        grow(trail, regrown, start=201, ts=10**6)
    assert verify_trail(trail).ok  # by itself it is whole
    [what] = problems(trail, note)
    expected = "cut or rolled back" if regrown < 100 else "another history"
    assert expected in what


def test_a_note_of_somebody_else_or_none_at_all_is_no_witness(trail: Path, tmp_path: Path) -> None:
    grow(trail, 10)
    other = tmp_path / "other.db"
    grow(other, 10)
    note = newest(trail)
    forged = note.replace("\n10\n", "\n9\n")
    assert "is of another trail" in problems(trail, newest(other))[0]
    assert "not signed by" in problems(trail, forged)[0]
    for broken in ("", "x", note[:40], "\ud800", note.replace("\n10\n", "\n-1\n"), "a" * 100_000):
        assert "cannot be read" in problems(trail, broken)[0]


@only_sqlite
def test_a_trail_signed_anew_with_a_stolen_key_is_another_history(
    trail: Path, tmp_path: Path
) -> None:
    grow(trail, 10)
    note = newest(trail)
    with open_reader(trail) as reader:
        identifier = reader.origin.rpartition("/")[2]
    forged = tmp_path / "forged" / trail.name
    forged.parent.mkdir()
    paths = TrailPaths.of(forged)
    shutil.copy(TrailPaths.of(trail).key, paths.key)
    with Trail(forged) as writer:
        writer.checkpoint()
    with closing(sqlite3.connect(forged)) as db, db:
        db.execute("UPDATE trail SET id = ?", (identifier,))
        db.execute("DELETE FROM checkpoint")
    paths.public_key.unlink()
    grow(forged, 10, ts=2)
    assert verify_trail(forged).ok
    [what] = problems(forged, note)
    assert "another history" in what


def test_an_app_publishes_what_it_signs(
    make_audit: Callable[..., FlowAudit], folder: Path, trail: Path
) -> None:
    audit = make_audit(witnesses=[str(folder), str(folder.parent / "missing")])
    audit.record("ops", "deploy", version="1")
    assert audit.flush()
    audit.close()
    notes = list(kept_in(folder).notes)
    assert newest(trail) in notes
    assert verify_trail(trail, witnessed=[kept_in(folder)]).ok
    assert not (folder.parent / "missing").exists()  # a disk that is not mounted stays so


def test_nothing_published_is_written_over(folder: Path) -> None:
    for text in ("first", "second"):
        Publisher([str(folder)]).publish("flowaudit/abc", (7, text), now=True)
    assert list(kept_in(folder).notes) == ["first"]
    assert len(list(folder.rglob("*"))) == 2  # the trail's folder and the file


def test_publishing_is_not_done_at_every_commit(folder: Path) -> None:
    publisher = Publisher([str(folder)])
    for size in range(5):
        publisher.publish("flowaudit/abc", (size, "note"), now=False)
    assert len(list(kept_in(folder).notes)) == 1


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_command_says_what_a_witness_saw(
    trail: Path, folder: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    grow(trail, 10)
    Publisher([str(folder)]).publish("flowaudit/abc", (10, newest(trail)), now=True)
    place = folder if kind == "folder" else next(folder.rglob("*.checkpoint"))
    given: list[Any] = ["verify", "--trail", str(trail), "--against", str(place)]
    assert main(given) == 0
    assert "against 1 checkpoint that was kept elsewhere" in capsys.readouterr().out
    place = folder / "none"
    place.mkdir()
    assert main([*given[:-1], str(place)]) == 2
    assert "holds none" in capsys.readouterr().err
    assert main([*given[:-1], str(folder / "missing")]) == 2


def test_what_is_no_file_in_a_folder_holds_nobody_up(trail: Path, folder: Path) -> None:
    grow(trail, 10)
    Publisher([str(folder)]).publish("flowaudit/abc", (10, newest(trail)), now=True)
    for name in ("9.checkpoint", "9.K.cosigned", "00000000000000000010-0.tsr"):
        os.mkfifo(folder / "abc" / name)
        (folder / "abc" / f"2{name}").mkdir()
    kept: list[Any] = []
    reader = threading.Thread(target=lambda: kept.append(kept_in(folder)), daemon=True)
    reader.start()
    reader.join(10)
    assert [(each.notes, each.stamps) for each in kept] == [((newest(trail),), ())]


def test_a_proof_that_cannot_be_made_keeps_no_checkpoint_from_its_witness(folder: Path) -> None:
    def prove(old: int, size: int) -> list[bytes]:
        raise TrailBusyError("another program has locked the trail")

    publisher = Publisher([str(folder)])
    publisher.publish("flowaudit/abc", (7, "note\n"), now=True, prove=prove)
    assert [path.suffix for path in folder.rglob("0*")] == [".checkpoint"]


def test_a_proof_begins_at_a_checkpoint_that_is_there(folder: Path) -> None:
    asked: list[tuple[int, int]] = []

    def prove(old: int, size: int) -> list[bytes]:
        asked.append((old, size))
        return []

    for sizes in ((5, 9), (12, 12, 11)):  # a process, and one after it
        publisher = Publisher([str(folder)])
        for size in sizes:
            publisher.publish("flowaudit/abc", (size, f"note {size}\n"), now=True, prove=prove)
    assert asked == [(0, 5), (5, 9), (9, 12)]
    assert len(list(kept_in(folder).notes)) == 4


@pytest.mark.parametrize("is_revoked", [False, True], ids=["retired", "revoked"])
@pytest.mark.parametrize("trusted", ["old", "new"])
def test_a_key_that_has_ended_neither_agrees_nor_accuses(
    trail: Path, is_revoked: bool, trusted: str
) -> None:
    """Who stole it can sign anything: the trail as it is, or a longer one that never was."""
    grow(trail, 10)
    paths = TrailPaths.of(trail)
    stolen, old = read_key(paths.key), load_verifier_key(paths)
    before = newest(trail)
    with open_trail(trail) as writer:
        writer.replace_key(is_revoked=is_revoked, why="stolen")
    grow(trail, 10, start=11)
    mark = Checkpoint.parse(newest(trail))
    key = old if trusted == "old" else None
    alone = verify_trail(trail, key=key)
    kept = Kept("elsewhere", (before,))
    found = verify_trail(trail, key=key, witnessed=[kept])
    assert (found.problems, found.witnesses) == (alone.problems, 1)
    for size, root in ((mark.size, mark.root), (10**6, bytes(32))):
        note = sign_checkpoint((stolen,), mark.origin, size, root)
        found = verify_trail(trail, key=key, witnessed=[Kept("elsewhere", (note,))])
        assert found.witnesses == 0
        [what] = {problem.what for problem in found.problems} - {p.what for p in alone.problems}
        assert "does not count" in what
        assert "entries were witnessed" not in what
