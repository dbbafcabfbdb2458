"""What an operator with the key might hide behind entries that are away; nobody says yes to it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flowaudit.archive.moving import archive_trail
from flowaudit.archive.places import ArchivePlace, open_place
from flowaudit.archive.reading import with_archives
from flowaudit.archive.retention import prune_trail
from flowaudit.cli import main
from flowaudit.proofs.checkpoint import Checkpoint, sign_checkpoint
from flowaudit.trail.keys import read_key
from flowaudit.trail.opening import open_reader
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.tokens import Vault
from flowaudit.verification.found import LastTime, Verification
from flowaudit.verification.trail import verify_trail
from flowaudit.witnesses.publishing import Kept
from tests.archive.trails import NOW, SOURCE, START, grow, record

LAST = 600
"""Where last month ended: among entries that are away now."""


def moved(trail: Path, place: ArchivePlace, *, is_pruned: bool = False) -> None:
    grow(trail, [LAST, 300, 400])
    with Trail(trail) as writer:
        list(archive_trail(writer, place, NOW, NOW))
        if is_pruned:
            prune_trail(writer, [place], NOW, [])


def note_at(trail: Path, size: int, root: bytes | None = None) -> str:
    """The trail's own checkpoint, or one that was signed over another history."""
    with open_reader(trail) as reader:
        true = dict(reader.checkpoints())[size]
        if root is None:
            return true
        return sign_checkpoint((read_key(TrailPaths.of(trail).key),), reader.origin, size, root)


def against(trail: Path, note: str, places: list[ArchivePlace]) -> Verification:
    return verify_trail(trail, witnessed=[Kept("w", (note,))], beside=with_archives(places))


def since(trail: Path, note: str, places: list[ArchivePlace]) -> Verification:
    last = LastTime(Checkpoint.parse(note))
    return verify_trail(trail, since=last, beside=with_archives(places))


@pytest.fixture
def place(tmp_path: Path) -> ArchivePlace:
    return open_place(tmp_path / "archive", is_new=True)


@pytest.mark.parametrize("asked", [against, since], ids=["witness", "incremental"])
@pytest.mark.parametrize("is_pruned", [False, True], ids=["archived", "pruned"])
def test_a_checkpoint_that_cannot_be_compared_is_no_yes(
    trail: Path,
    place: ArchivePlace,
    asked: Callable[[Path, str, list[ArchivePlace]], Verification],
    is_pruned: bool,
) -> None:
    moved(trail, place, is_pruned=is_pruned)
    for root in (None, b"x" * 32):
        found = asked(trail, note_at(trail, LAST, root), [])
        assert (found.ok, found.witnesses, found.witnessed) == (False, 0, 0)
        assert [p.what.partition("be compared")[1] for p in found.problems] == ["be compared"]
    if not is_pruned:
        assert asked(trail, note_at(trail, LAST), [place]).ok
        assert not asked(trail, note_at(trail, LAST, b"x" * 32), [place]).ok


def test_older_checkpoints_that_cannot_be_compared_are_counted(
    trail: Path, place: ArchivePlace
) -> None:
    moved(trail, place)
    kept = Kept("w", (note_at(trail, LAST), note_at(trail, 1300)))
    found = verify_trail(trail, witnessed=[kept])
    assert (found.ok, found.witnessed, found.uncompared) == (True, 1, 1)
    found = verify_trail(trail, witnessed=[kept], beside=with_archives([place]))
    assert (found.ok, found.witnessed, found.uncompared) == (True, 2, 0)


def test_a_range_that_no_checkpoint_covers_was_made_up(trail: Path, place: ArchivePlace) -> None:
    moved(trail, place)
    with closing(sqlite3.connect(trail)) as db, db:
        db.execute("DELETE FROM checkpoint WHERE size > ?", (LAST,))
    found = verify_trail(trail)
    assert not found.ok
    assert "no checkpoint that holds covers them" in found.problems[0].what


def test_a_statement_that_cannot_be_compared_is_no_yes(
    trail: Path, place: ArchivePlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grow(trail, [LAST])
    said = tmp_path / "last.statement"
    days = ["--from", "2024-10-01", "--to", "2024-10-31"]
    assert main(["statement", "--trail", str(trail), *days, "-o", str(said)]) == 0
    grow(trail, [0, 400])
    with Trail(trail) as writer:
        list(archive_trail(writer, place, 2 * NOW, 2 * NOW))
    argv = ["verify", str(said), "--trail", str(trail)]
    assert main(argv) == 1
    assert "can't be compared with this trail" in capsys.readouterr().out
    assert main([*argv, "--archive", place.text]) == 0
    assert main(["verify", str(said), "--key", f"{trail}.pub"]) == 0


@pytest.mark.parametrize(
    "told",
    [
        '{"runs":[["ssssssssssssssssssssssssss",1,599]],"events":[]}',
        '{"runs":[["ssssssssssssssssssssssssss",1,512]],"events":[[3,"{}"]]}',
        '{"runs":[],"events":[]}',
        "{}",
        "1",
    ],
    ids=["more numbers", "another event", "no numbers", "nothing", "no map"],
)
def test_a_keepsake_that_is_not_what_its_archive_tells_is_found(
    trail: Path, place: ArchivePlace, told: str
) -> None:
    moved(trail, place)
    assert verify_trail(trail, beside=with_archives([place])).ok
    with closing(sqlite3.connect(trail)) as db, db:
        db.execute("UPDATE archived SET told = ? WHERE first = 0", (told,))
    for processes in (0, 2):
        found = verify_trail(trail, beside=with_archives([place], processes=processes))
        assert [p.seq for p in found.problems] == [0]
        assert (
            "what the trail has kept of the entries 0 to 511 was changed" in found.problems[0].what
        )


def test_a_keepsake_of_odd_entries_is_what_its_archive_tells(
    trail: Path, place: ArchivePlace
) -> None:
    """Two sources in turns, numbers that come late, and events that speak of others."""

    def other(n: int) -> tuple[bytes, bytes]:
        core, personal = record(n, START + n)
        return core.replace(SOURCE.encode(), b"t" * 26), personal

    records = [
        *(record(n, START + n) for n in range(1, 200)),
        *(other(n) for n in (2, 1, *range(3, 60))),
    ]
    with Trail(trail) as writer:
        writer.append(records[:199], SOURCE, 199)
        writer.append(records[199:], "t" * 26, 59)
    with Vault(trail.with_name(f"{trail.name}.vault")) as vault:
        token = vault.token("ann")
    assert main(["erase", token, "--yes", "--trail", str(trail)]) == 0
    assert main(["key", "rotate", "--trail", str(trail), "--reason", "yearly"]) == 0
    grow(trail, [0, 300])
    with Trail(trail) as writer:
        assert len(list(archive_trail(writer, place, 2 * NOW, 2 * NOW))) == 2
    found = verify_trail(trail, beside=with_archives([place]))
    assert (found.ok, found.problems) == (True, ())


@pytest.mark.parametrize("is_told", [False, True])
def test_a_pruning_since_the_last_time_must_be_told(
    trail: Path, place: ArchivePlace, is_told: bool
) -> None:
    grow(trail, [512])
    last = note_at(trail, 512)
    grow(trail, [0, 300, 400])
    with Trail(trail) as writer:
        list(archive_trail(writer, place, NOW, NOW))
        if is_told:
            prune_trail(writer, [place], NOW, [])
    with closing(sqlite3.connect(trail)) as db, db:
        db.execute("UPDATE archived SET state = 'pruned'")
    found = since(trail, last, [])
    assert [p.seq for p in found.problems] == ([] if is_told else [512, 768])
