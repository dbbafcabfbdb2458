"""Erasing somebody reaches the archive, and never leaves it without a whole file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit
from flowaudit.archive.erasing import erase_archived
from flowaudit.archive.moving import archive_trail
from flowaudit.archive.places import ArchivePlace, open_place
from flowaudit.archive.reading import ArchivedTrail
from flowaudit.archive.upkeep import upkeep
from flowaudit.cli import main
from flowaudit.errors import ArchiveError
from flowaudit.event import Entry
from flowaudit.trail.forgetting import ErasureNote
from flowaudit.trail.opening import open_reader
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.tokens import Vault
from flowaudit.verification.trail import verify_trail
from tests.archive.test_moving import Broken, watch
from tests.archive.trails import NOW, SOURCE, grow, verify_archived
from tests.conftest import run_sqlite

ANN, BOB = "a" * 52, "b" * 52


def archived(folder: Path) -> tuple[Path, ArchivePlace]:
    """A trail of two people, two files of it archived."""
    folder.mkdir(exist_ok=True)
    grow(folder / "t.db", [600, 300], actors=[BOB, ANN, BOB])
    place = open_place(folder / "archive", is_new=True)
    with Trail(folder / "t.db") as writer:
        assert len(list(archive_trail(writer, place, NOW, NOW))) == 2
    return folder / "t.db", place


def whole(trail: Path, place: ArchivePlace) -> list[Entry]:
    with ArchivedTrail(open_reader(trail), [place]) as reader:
        return list(reader.entries())


def erase(trail: Path, place: ArchivePlace) -> tuple[int, list[Any]]:
    with Trail(trail) as writer, upkeep(writer):
        found = erase_archived(writer, [place], [ANN], ErasureNote([ANN], why="asked"))
        writer.checkpoint()
    return found


def test_who_is_erased_is_gone_from_the_files_and_all_of_it_verifies(tmp_path: Path) -> None:
    trail, place = archived(tmp_path / "x")
    before = whole(trail, place)
    files = sorted(os.listdir(place.text))
    count, unreached = erase(trail, place)
    assert (count, unreached) == (sum(_is_anns(e) for e in before[:768]), [])
    after = whole(trail, place)
    for was, now in zip(before[:768], after, strict=False):
        assert now.core == was.core
        if _is_anns(was):
            assert (now.personal, now.salt, len(now.sealed or b"")) == (None, None, 32)
        else:
            assert now == was
    assert not set(files) & set(os.listdir(place.text))
    assert len(os.listdir(place.text)) == 2
    found = verify_archived(trail, [place])
    assert (found.ok, found.erased) == (True, count)
    assert verify_trail(trail).ok
    assert erase(trail, place) == (0, [])


def _is_anns(entry: Entry) -> bool:
    return entry.personal is not None and ANN.encode() in entry.core


def test_a_file_that_has_nothing_of_them_is_left_alone(tmp_path: Path) -> None:
    trail, place = archived(tmp_path / "x")
    files = sorted(os.listdir(place.text))
    with Trail(trail) as writer, upkeep(writer):
        assert erase_archived(writer, [place], ["c" * 52], ErasureNote(["c" * 52])) == (0, [])
    assert sorted(os.listdir(place.text)) == files


@pytest.mark.parametrize("is_done", [False, True], ids=["failed", "done, then failed"])
def test_broken_off_anywhere_there_is_a_whole_file_and_it_can_be_completed(
    tmp_path: Path, is_done: bool
) -> None:
    trail, place = archived(tmp_path / "count")
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        watch(patch, seen, None, False)
        erase(trail, place)
    assert seen.count("write") == 2
    for at in range(len(seen)):
        trail, place = archived(tmp_path / f"{at}")
        cores = [entry.core for entry in whole(trail, place)]
        with pytest.MonkeyPatch.context() as patch:
            watch(patch, [], at, is_done)
            with pytest.raises(Broken):
                erase(trail, place)
        assert [entry.core for entry in whole(trail, place)][: len(cores)] == cores
        assert verify_archived(trail, [place]).ok
        erase(trail, place)
        assert not any(_is_anns(entry) for entry in whole(trail, place)[:768])
        assert verify_archived(trail, [place]).ok
        with open_reader(trail) as reader:
            assert sorted(os.listdir(place.text)) == sorted(r.file for r in reader.ranges)


def test_an_erased_row_that_no_event_covers_is_still_damage(tmp_path: Path) -> None:
    trail, place = archived(tmp_path / "x")
    erase(trail, place)
    with Trail(trail) as writer:
        told = f"UPDATE archived SET told = '{json.dumps({'runs': [[SOURCE, 1, 512]]})}'"
        writer.change(lambda db: db.execute(told + " WHERE first = 0"))
    run_sqlite(trail, "UPDATE event SET core = replace(core, 'erases', 'erased')")
    found = verify_archived(trail, [place])
    assert any("no erasure" in p.what for p in found.problems)


@pytest.fixture
def lived(trail: Path, tmp_path: Path, audit: FlowAudit) -> tuple[Path, Path, str]:
    """A trail as an app writes it, most of it archived, and Ann's token."""
    for n in range(400):
        with audit.job("work", actor=flowaudit.Actor("user:ann" if n % 2 else "user:bob")):
            flowaudit.note(n=n)
    audit.close()
    place = tmp_path / "archive"
    with Trail(trail) as writer:
        assert list(archive_trail(writer, open_place(place, is_new=True), 2**52, 2**52))
    with Vault(TrailPaths.of(trail).vault) as vault:
        token = vault.find("user:ann")
    assert token is not None
    return trail, place, token


def test_erase_says_which_archives_it_has_not_reached(
    lived: tuple[Path, Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    trail, place, token = lived
    assert main(["erase", "user:ann", "--yes", "--trail", str(trail)]) == 0
    said = capsys.readouterr().out
    assert f"NOT reached: an archive of 256 entries at {place}" in said
    assert f"flowaudit erase {token} --archive" in said
    command = ["erase", token, "--yes", "--trail", str(trail), "--archive", str(place)]
    assert main([*command, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["archived_events"] > 100
    assert told["archives_not_reached"] == []
    with ArchivedTrail(open_reader(trail), [open_place(place)]) as reader:
        assert not [e for e in reader.entries_of([token]) if e.personal is not None]
    assert main(["verify", "--trail", str(trail), "--archive", str(place)]) == 0
    assert main(command) == 0


def test_an_archive_that_can_t_be_read_stops_the_command_and_it_can_be_run_again(
    lived: tuple[Path, Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    trail, place, token = lived
    [name] = os.listdir(place)
    (place / name).rename(place / "away")
    command = ["erase", "user:ann", "--yes", "--trail", str(trail), "--archive", str(place)]
    assert main(command) == 2
    assert "is not in" in capsys.readouterr().err
    (place / "away").rename(place / name)
    command[1] = token
    assert main(command) == 0


def test_subject_has_what_is_in_archives(
    lived: tuple[Path, Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trail, place, _ = lived
    alone, both = tmp_path / "alone.json", tmp_path / "both.json"
    assert main(["subject", "user:ann", "-o", str(alone), "--trail", str(trail)]) == 0
    assert f"Not read: an archive at {place}" in capsys.readouterr().out
    command = ["subject", "user:ann", "-o", str(both), "--trail", str(trail)]
    assert main([*command, "--archive", str(place)]) == 0
    lone, all_of_it = (json.loads(path.read_text()) for path in (alone, both))
    assert lone["archives_not_read"] == [str(place)]
    assert "archives_not_read" not in all_of_it
    assert len(all_of_it["events"]) > len(lone["events"])
    assert {e["seq"] for e in lone["events"]} <= {e["seq"] for e in all_of_it["events"]}
    assert len({e["seq"] for e in all_of_it["events"] if e["kind"] != "access"}) >= 200


def test_a_file_that_is_lost_keeps_no_other_from_being_cleaned(tmp_path: Path) -> None:
    trail, place = archived(tmp_path / "x")
    first, second = sorted(os.listdir(place.text))
    (Path(place.text) / first).rename(tmp_path / "lost")
    # the key is no key either: what is said is what went wrong first
    TrailPaths.of(trail).key.write_text("no key")
    with pytest.raises(ArchiveError, match=first):
        erase(trail, place)
    [left] = os.listdir(place.text)
    assert left != second
    with open_reader(trail) as reader:
        assert [each.file for each in reader.ranges] == [first, left]
