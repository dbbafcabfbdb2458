"""Pruned ranges are gone, said to be gone, and what remains verifies; holds stop it."""

import json
import os
from pathlib import Path

import pytest

import flowaudit
from flowaudit import FlowAudit
from flowaudit.archive.moving import archive_trail
from flowaudit.archive.places import ArchivePlace, open_place
from flowaudit.archive.retention import Pruned, prune_trail
from flowaudit.cli import main
from flowaudit.errors import ArchiveError
from flowaudit.event import Core, encode_core, flat_event
from flowaudit.trail.forgetting import ErasureNote
from flowaudit.trail.opening import open_reader
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.tokens import Vault
from flowaudit.verification.trail import verify_trail
from tests.archive.test_moving import Broken, watch
from tests.archive.trails import DAY, NOW, SOURCE, START, contents, grow, verify_archived
from tests.conftest import run_sqlite

ANN, BOB = "a" * 52, "b" * 52


def archived(folder: Path, days: list[int] | None = None) -> tuple[Path, ArchivePlace]:
    folder.mkdir(exist_ok=True)
    grow(folder / "t.db", days or [600, 300, 400], actors=[BOB, ANN, BOB])
    place = open_place(folder / "archive", is_new=True)
    with Trail(folder / "t.db") as writer:
        list(archive_trail(writer, place, NOW, NOW))
    return folder / "t.db", place


def prune(trail: Path, place: ArchivePlace, days: int, *held: str) -> Pruned:
    with Trail(trail) as writer:
        return prune_trail(writer, [place], START + days * DAY, held)


def test_what_is_pruned_is_gone_and_told_and_the_rest_verifies(tmp_path: Path) -> None:
    trail, place = archived(tmp_path / "x")
    done = prune(trail, place, 2)
    assert [(r.first, r.last) for r in done.gone] == [(0, 511), (512, 767)]
    assert (done.held, done.unreached) == ({}, [])
    assert len(os.listdir(place.text)) == 1
    for found in (verify_trail(trail), verify_archived(trail, [place])):
        assert (found.ok, found.problems, found.pruned) == (True, (), 768)
    event = flat_event(contents(trail)[-1])
    assert (event["kind"], event["action"]) == ("ops", "prune")
    told = event["facts"]["prunes"]
    assert [pair[:2] for pair in told["ranges"]] == [[0, 511], [512, 767]]
    assert (told["events"], told["from"], told["to"]) == (768, "2024-10-04", "2024-10-05")
    with open_reader(trail) as reader:
        assert reader.tile(1, 0) is not None
        assert reader.tile(0, 0) is None
    assert prune(trail, place, 2).gone == []


def test_the_event_of_a_pruning_may_be_pruned_itself(tmp_path: Path) -> None:
    trail, place = archived(tmp_path / "x")
    prune(trail, place, 1)
    grow(trail, [0, 0, 0, 600])
    with Trail(trail) as writer:
        list(archive_trail(writer, place, 2**52, 2**52))
    grow(trail, [0, 0, 0, 0, 0, 10])
    with Trail(trail) as writer:
        assert prune_trail(writer, [place], 2**52, ()).gone
    found = verify_trail(trail)
    assert (found.ok, found.problems) == (True, ())
    assert found.pruned > 1_000


def test_gaps_and_erasures_that_are_pruned_still_explain(tmp_path: Path) -> None:
    trail = tmp_path / "t.db"
    grow(trail, [300], actors=[BOB, ANN, BOB])
    with Trail(trail) as writer:
        facts = {"source": SOURCE, "first": 301, "last": 310, "why": "lost"}
        gap = Core(v=1, source="g" * 26, n=1, ts=START, kind="gap", facts=facts)
        writer.append([(encode_core(gap), b"")], "g" * 26, 1)
        writer.append([], SOURCE, 310)
        anns = [e.seq for e in contents(trail) if e.personal and ANN.encode() in e.core]
        writer.erase(anns, 301, (), ErasureNote([ANN]))
    grow(trail, [0, 900])
    place = open_place(tmp_path / "a", is_new=True)
    with Trail(trail) as writer:
        assert len(list(archive_trail(writer, place, NOW, NOW))) == 2
    # the first file goes and the second, with what was erased in the first, too
    prune(trail, place, 2)
    found = verify_trail(trail)
    assert (found.ok, found.problems, found.gaps) == (True, (), 1)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE archived SET told = '{}'", "what is kept of it was changed"),
        ("UPDATE archived SET told = replace(told, '512', '511')", "was changed"),
        ("UPDATE event SET core = replace(core, 'prune', 'erase')", "no event says so"),
        ("UPDATE archived SET state = 'pruned'", "no event says so"),
    ],
)
def test_a_pruning_that_nobody_told_is_damage(tmp_path: Path, statement: str, what: str) -> None:
    trail, place = archived(tmp_path / "x")
    prune(trail, place, 1)
    run_sqlite(trail, statement)
    found = verify_trail(trail)
    assert any(what in problem.what for problem in found.problems), found.problems


def test_a_range_that_a_held_person_occurs_in_stays(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    grow(folder / "t.db", [600], actors=[BOB, ANN, BOB])
    grow(folder / "t.db", [0, 600], actors=[BOB])
    place = open_place(folder / "archive", is_new=True)
    with Trail(folder / "t.db") as writer:
        list(archive_trail(writer, place, NOW, NOW))
    done = prune(folder / "t.db", place, 9, ANN, "c" * 52)
    # the tile with both days is the second day's, and Ann is in it
    assert [(r.first, tokens) for r, tokens in done.held.items()] == [(0, [ANN]), (512, [ANN])]
    assert done.gone == []
    done = prune(folder / "t.db", place, 9, "c" * 52)
    assert len(done.gone) == 2


def test_where_somebody_is_held_a_file_that_can_t_be_read_stops_it(tmp_path: Path) -> None:
    trail, place = archived(tmp_path / "x")
    (Path(place.text) / os.listdir(place.text)[0]).write_bytes(b"damaged")
    with pytest.raises(ArchiveError):
        prune(trail, place, 9, ANN)
    assert len(prune(trail, place, 9).gone) == 3
    assert verify_archived(trail, [place]).ok


@pytest.mark.parametrize("is_done", [False, True], ids=["failed", "done, then failed"])
def test_broken_off_anywhere_it_is_completed(tmp_path: Path, is_done: bool) -> None:
    trail, place = archived(tmp_path / "count")
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        watch(patch, seen, None, False)
        prune(trail, place, 2)
    assert seen.count("remove") == 2
    for at in range(len(seen)):
        trail, place = archived(tmp_path / f"{at}")
        with pytest.MonkeyPatch.context() as patch:
            watch(patch, [], at, is_done)
            with pytest.raises(Broken):
                prune(trail, place, 2)
        assert verify_trail(trail).ok
        assert verify_archived(trail, [place]).ok
        prune(trail, place, 2)
        assert verify_archived(trail, [place]).pruned == 768
        assert len(os.listdir(place.text)) == 1


def test_the_command_obeys_holds_and_says_so(
    trail: Path, tmp_path: Path, audit: FlowAudit, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(300):
        with audit.job("work", actor=flowaudit.Actor("user:ann")):
            flowaudit.note(n=n)
    audit.close()
    place = tmp_path / "archive"
    with Trail(trail) as writer:
        list(archive_trail(writer, open_place(place, is_new=True), 2**52, 2**52))
    run_sqlite(trail, "UPDATE archived SET first_ts = 1, last_ts = 2")
    assert main(["hold", "user:ann", "--reason", "case 7", "--trail", str(trail)]) == 0
    command = ["prune", "--archive", str(place), "--older-than", "10d", "--trail", str(trail)]
    capsys.readouterr()
    assert main([*command, "--yes"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "0 entries in 0 files" in said
    assert "Entries 0 to 255 stay: a legal hold stands" in said
    assert main(["hold", "user:ann", "--release", "--trail", str(trail)]) == 0
    capsys.readouterr()
    assert main([*command, "--yes", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["first"], each["state"]) for each in told["ranges"]] == [(0, "pruned")]
    assert main(["verify", "--trail", str(trail)]) == 0
    assert "256 entries were pruned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ([], "an age such as 400d"),
        (["--older-than", "400"], "a number of days"),
        (["--older-than", "400d"], "where nobody can be asked"),
        (["--older-than", "400d", "--yes"], "there is no vault"),  # nor anybody who knows of holds
    ],
)
def test_what_it_is_not_told_it_does_not_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], what: str
) -> None:
    trail, place = archived(tmp_path / "x")
    assert main(["prune", "--trail", str(trail), "--archive", place.text, *more]) == 2
    assert what in capsys.readouterr().err
    assert len(os.listdir(place.text)) == 3


def test_how_long_is_a_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trail, place = archived(tmp_path / "x")
    monkeypatch.setenv("FLOWAUDIT_RETENTION", "400d")
    with Vault(TrailPaths.of(trail).vault) as vault:
        vault.token("user:ann")
    command = ["prune", "--trail", str(trail), "--archive", place.text, "--yes"]
    assert main(command) == 0
    assert "1,280 entries in 3 files are gone" in capsys.readouterr().out


def test_nothing_is_called_gone_whose_file_is_not_at_the_place_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trail, place = archived(tmp_path / "x")
    with Vault(TrailPaths.of(trail).vault) as vault:
        vault.token("user:ann")
    command = ["prune", "--trail", str(trail), "--older-than", "400d", "--yes", "--archive"]
    (tmp_path / "other").mkdir()
    assert main([*command, str(tmp_path / "other")]) == 0
    said = capsys.readouterr().out
    assert "0 entries in 0 files are gone" in said
    assert said.count("is not at these places; it was written to") == 3
    assert verify_archived(trail, [place]).pruned == 0
    moved = Path(place.text).rename(tmp_path / "moved")
    assert main([*command, str(moved)]) == 0
    said = capsys.readouterr().out
    assert "1,280 entries in 3 files are gone" in said
    assert said.count("NOT removed") == 3  # where they were written: nobody can look there
    assert os.listdir(moved) == []
    grow(trail, [0, 0, 0, 600])
    with Trail(trail) as writer:  # which does not keep what comes later from being archived
        assert list(archive_trail(writer, open_place(moved), 2**52, 2**52))
