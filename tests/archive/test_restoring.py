"""Archived ranges come back byte for byte, and a backup is a whole trail."""

import os
import stat
import threading
from pathlib import Path

import pytest

from flowaudit.archive.moving import archive_trail
from flowaudit.archive.places import ArchivePlace, open_place
from flowaudit.archive.reading import ArchivedTrail
from flowaudit.archive.restoring import restore_ranges
from flowaudit.cli import main
from flowaudit.errors import ArchiveError, TrailError
from flowaudit.trail.backup import back_up
from flowaudit.trail.keys import load_verifier_key
from flowaudit.trail.opening import open_reader
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.tokens import Vault
from flowaudit.verification.trail import verify_trail
from tests.archive.test_moving import Broken, watch
from tests.archive.trails import DAY, NOW, SOURCE, START, contents, grow, record, verify_archived
from tests.conftest import run_sqlite


def archived(folder: Path) -> tuple[Path, ArchivePlace]:
    folder.mkdir(exist_ok=True)
    grow(folder / "t.db", [600, 300, 400])
    place = open_place(folder / "archive", is_new=True)
    with Trail(folder / "t.db") as writer:
        list(archive_trail(writer, place, NOW, NOW))
    return folder / "t.db", place


def restore(trail: Path, place: ArchivePlace, first: int, end: int) -> list[int]:
    with Trail(trail) as writer:
        found = restore_ranges(writer, [place], START + first * DAY, START + end * DAY)
    return [each.first for each in found]


def test_ranges_come_back_and_their_files_go(tmp_path: Path) -> None:
    trail, place = archived(tmp_path / "x")
    with ArchivedTrail(open_reader(trail), [place]) as reader:
        before = list(reader.entries())
    # the tiles with two days' entries are the later day's
    assert restore(trail, place, 1, 2) == [512, 768]
    assert [e.seq for e in contents(trail)] == list(range(512, 1300))
    assert len(os.listdir(place.text)) == 1
    assert verify_archived(trail, [place]).ok
    assert restore(trail, place, 0, 99) == [0]
    assert contents(trail) == before
    assert os.listdir(place.text) == []
    found = verify_trail(trail)
    assert (found.ok, found.archived) == (True, 0)
    with Trail(trail) as writer:
        assert len(list(archive_trail(writer, place, NOW, NOW))) == 3
    assert verify_archived(trail, [place]).ok


@pytest.mark.parametrize("is_done", [False, True], ids=["failed", "done, then failed"])
def test_broken_off_anywhere_it_is_completed(tmp_path: Path, is_done: bool) -> None:
    trail, place = archived(tmp_path / "count")
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        watch(patch, seen, None, False)
        restore(trail, place, 0, 1)
    for at in range(len(seen)):
        trail, place = archived(tmp_path / f"{at}")
        with ArchivedTrail(open_reader(trail), [place]) as reader:
            before = list(reader.entries())
        with pytest.MonkeyPatch.context() as patch:
            watch(patch, [], at, is_done)
            with pytest.raises(Broken):
                restore(trail, place, 0, 1)
        with ArchivedTrail(open_reader(trail), [place]) as reader:
            assert list(reader.entries()) == before
        assert verify_archived(trail, [place]).ok
        restore(trail, place, 0, 1)
        assert contents(trail)[0] == before[0]
        assert verify_archived(trail, [place]).ok
        with open_reader(trail) as reader:
            assert sorted(os.listdir(place.text)) == sorted(r.file for r in reader.ranges)


def test_what_does_not_fit_to_the_tiles_does_not_come_back(tmp_path: Path) -> None:
    trail, place = archived(tmp_path / "x")
    run_sqlite(trail, "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 1")
    with pytest.raises(ArchiveError, match="was changed"):
        restore(trail, place, 0, 1)
    with open_reader(trail) as reader:
        assert [each.state for each in reader.ranges] == ["archived"] * 3


def test_a_copy_gets_the_entries_and_the_archive_keeps_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trail, place = archived(tmp_path / "x")
    files = sorted(os.listdir(place.text))
    into = tmp_path / "copy.db"
    command = ["restore", "--trail", str(trail), "--archive", place.text, "--into", str(into)]
    assert main([*command, "--from", "2024-10-05", "--to", "2024-10-05"]) == 0
    assert "768 entries are back" in capsys.readouterr().out
    assert contents(into)[0].seq == 512
    assert sorted(os.listdir(place.text)) == files
    assert verify_archived(into, [place], key=load_verifier_key(TrailPaths.of(trail))).ok
    assert verify_archived(trail, [place]).ok
    assert main(command) == 2  # it is there already


def test_a_backup_of_a_trail_in_use_is_a_whole_signed_trail(tmp_path: Path) -> None:
    trail, to = tmp_path / "t.db", tmp_path / "copy.db"
    grow(trail, [2_000])
    stop = threading.Event()

    def write() -> None:
        with Trail(trail) as writer:
            n = 2_000
            while not stop.is_set():
                made = [record(n + at, START) for at in range(1, 51)]
                writer.append(made, SOURCE, n + 50)
                n += 50

    thread = threading.Thread(target=write)
    thread.start()
    try:
        written = back_up(TrailPaths.of(trail), to)
    finally:
        stop.set()
        thread.join(30)
    assert [path.name for path in written] == ["copy.db", "copy.db.pub"]
    found = verify_trail(to)
    assert (found.ok, found.after_checkpoint, found.size >= 2_000) == (True, 0, True)
    assert contents(to) == contents(trail)[: found.size]
    assert verify_trail(trail).ok
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in written)
    left = {p.name for p in tmp_path.iterdir() if p.name.startswith("copy")}
    assert left == {"copy.db", "copy.db.pub"}


def test_vault_and_key_come_along_where_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trail, to = tmp_path / "t.db", tmp_path / "copy.db"
    grow(trail, [300])
    with Vault(TrailPaths.of(trail).vault) as vault:
        token = vault.token("user:ann")
    command = ["backup", "--trail", str(trail), "-o", str(to)]
    assert main([*command, "--with-vault", "--with-key"]) == 0
    assert "It holds: 301 entries." in capsys.readouterr().out
    copy = TrailPaths.of(to)
    assert stat.S_IMODE(copy.key.stat().st_mode) == 0o600
    assert copy.key.read_bytes() == TrailPaths.of(trail).key.read_bytes()
    assert isinstance(copy.vault, Path)
    assert stat.S_IMODE(copy.vault.stat().st_mode) == 0o600
    with Vault(copy.vault) as vault:
        assert vault.find("user:ann") == token
    # a copy is as good as the trail: what was lost goes on from there
    grow(to, [10])
    assert verify_trail(to).ok
    assert main(command) == 2
    assert "is there already" in capsys.readouterr().err


def test_what_was_deleted_is_not_in_a_backup(tmp_path: Path) -> None:
    trail, to = tmp_path / "t.db", tmp_path / "copy.db"
    grow(trail, [300])
    run_sqlite(trail, "CREATE TABLE other (text)")
    run_sqlite(trail, "INSERT INTO other VALUES ('a word to be forgotten')")
    run_sqlite(trail, "PRAGMA secure_delete = OFF")
    run_sqlite(trail, "DROP TABLE other")
    back_up(TrailPaths.of(trail), to)
    assert b"a word to be forgotten" not in to.read_bytes()


def test_a_backup_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail, to = tmp_path / "t.db", tmp_path / "copy.db"
    grow(trail, [300])
    with pytest.raises(TrailError):
        back_up(TrailPaths.of(trail), tmp_path / "nowhere" / "copy.db")
    monkeypatch.setattr(Trail, "checkpoint", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        back_up(TrailPaths.of(trail), to)
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith("copy")]
