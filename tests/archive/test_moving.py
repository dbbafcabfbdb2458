"""Entries move from a trail into an archive: whole, once, and complete after any failure."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from flowaudit.archive import places
from flowaudit.archive.moving import Moved, archive_trail
from flowaudit.archive.parquet import ArchiveFile
from flowaudit.archive.places import ArchivePlace, open_place, place_text
from flowaudit.archive.reading import ArchivedTrail
from flowaudit.errors import ArchiveError, FlowauditError, TrailError
from flowaudit.event import Core, Entry, encode_core
from flowaudit.trail.forgetting import ErasureNote
from flowaudit.trail.opening import open_reader
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail
from tests.archive.trails import DAY, NOW, SOURCE, START, contents, grow, verify_archived
from tests.conftest import run_sqlite


def move(trail: Path, place: ArchivePlace, before: int = NOW) -> list[Moved]:
    with Trail(trail) as writer:
        return list(archive_trail(writer, place, before, NOW))


def whole(trail: Path, place: ArchivePlace) -> list[Entry]:
    with ArchivedTrail(open_reader(trail), [place]) as reader:
        return list(reader.entries())


@pytest.fixture
def place(tmp_path: Path) -> ArchivePlace:
    return open_place(tmp_path / "archive", is_new=True)


def test_whole_days_move_and_everything_still_verifies(trail: Path, place: ArchivePlace) -> None:
    grow(trail, [700, 600, 300])
    before = contents(trail)
    moved = move(trail, place, START + 2 * DAY)
    # a tile belongs to the day on which its last entry was committed
    assert [(each.first, each.last) for each in moved] == [(0, 511), (512, 1279)]
    assert [e.seq for e in contents(trail)] == list(range(1280, 1600))
    assert whole(trail, place) == before
    alone = verify_trail(trail)
    assert (alone.ok, alone.archived, alone.size) == (True, 1280, 1600)
    found = verify_archived(trail, [place])
    assert (found.ok, found.archived, found.size, found.root) == (True, 0, 1600, alone.root)
    assert run_sqlite(trail, "SELECT min(idx) FROM tile WHERE level = 0") == [(5,)]


def test_the_footer_tells_what_a_file_is(trail: Path, place: ArchivePlace) -> None:
    grow(trail, [600])
    [moved] = move(trail, place)
    facts = ArchiveFile(place.read(moved.file), moved.file).facts
    assert (facts.first, facts.last) == (0, 511)
    assert (facts.first_ts, facts.last_ts) == (START, START + 511_000)
    with open_reader(trail) as reader:
        assert facts.origin == reader.origin
        assert len(facts.subtrees) == 1
        assert facts.checkpoint in [note for _, note in reader.checkpoints()]
    table = pyarrow.parquet.read_table(Path(place.text) / moved.file)
    assert sorted(table["seq"].to_pylist()) == list(range(512))
    assert os.stat(Path(place.text) / moved.file).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("days", "before", "expected"),
    [
        pytest.param([255], NOW, [], id="no whole tile"),
        pytest.param([256], NOW, [(0, 255)], id="one tile"),
        pytest.param([600], START, [], id="not old enough"),
        pytest.param([600, 600], START + DAY, [(0, 511)], id="the tile with both days stays"),
        pytest.param([0, 300, 0, 300], NOW, [(0, 255), (256, 511)], id="days apart"),
    ],
)
def test_ranges_are_cut_at_tiles_and_days(
    trail: Path, place: ArchivePlace, days: list[int], before: int, expected: list[tuple[int, int]]
) -> None:
    grow(trail, days)
    assert [(each.first, each.last) for each in move(trail, place, before)] == expected
    assert verify_archived(trail, [place]).ok


def test_an_event_of_a_clock_that_runs_ahead_does_not_hold_up_the_rest(
    trail: Path, place: ArchivePlace
) -> None:
    core = Core(v=1, source="f" * 26, n=1, ts=NOW + 9 * DAY, kind="note")
    with Trail(trail) as writer:
        writer.append([(encode_core(core), b"")], "f" * 26, 1)
    grow(trail, [600])
    [moved] = move(trail, place)
    assert (moved.last, moved.last_ts) == (511, NOW + 9 * DAY)
    with open_reader(trail) as reader:
        assert reader.ranges[0].last_ts == START + 510_000


def test_more_and_more_of_a_trail_is_archived(trail: Path, place: ArchivePlace) -> None:
    grow(trail, [500, 500, 500])
    before = contents(trail)
    for day in (1, 2, 3):
        move(trail, place, START + day * DAY)
        assert whole(trail, place) == before
        assert verify_archived(trail, [place]).ok
    assert move(trail, place) == []


def test_odd_events_are_archived_as_they_are(trail: Path, place: ArchivePlace) -> None:
    odd = b'{"n":1, "source":"' + SOURCE.encode() + b'", "kind":"note", "more":[1.5]}'
    with Trail(trail) as writer:
        writer.append([(odd, b'{"path": "/"}')], SOURCE, 1)
    grow(trail, [300])
    before = contents(trail)
    move(trail, place)
    assert whole(trail, place) == before
    assert before[0].core == odd
    assert verify_archived(trail, [place]).ok


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE event SET core = replace(core, '200', '201') WHERE seq = 77", "entry 77 was"),
        ("DELETE FROM event WHERE seq = 77", "missing"),
        ("UPDATE event SET salt = x'00' WHERE seq = 76", "entry 76 was"),
        ("UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND idx = 1", "entry 256 was"),
    ],
)
def test_what_does_not_hold_stays_in_the_trail(
    trail: Path, place: ArchivePlace, statement: str, what: str
) -> None:
    grow(trail, [600])
    run_sqlite(trail, statement)
    with pytest.raises(TrailError, match=what):
        move(trail, place)
    assert os.listdir(place.text) == []
    with open_reader(trail) as reader:
        assert reader.ranges == ()


class Broken(Exception):
    """The machine stops here."""


def _steps(trail: Path, place: ArchivePlace) -> list[str]:
    """The steps of moving, by name, as they are taken."""
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        watch(patch, seen, None, False)
        move(trail, place)
    return seen


def watch(patch: pytest.MonkeyPatch, seen: list[str], stop_at: int | None, is_done: bool) -> None:
    """Count the steps, and stop at one: before it is done, or when it is done."""

    def around(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            at = len(seen)
            seen.append(name)
            if at == stop_at and not is_done:
                raise Broken(name)
            result = step(*args, **kwargs)
            if at == stop_at:
                raise Broken(name)
            return result

        return run

    patch.setattr(Trail, "change", around("change", Trail.change))
    patch.setattr(places._Folder, "write_new", around("write", places._Folder.write_new))
    patch.setattr(places._Folder, "read", around("read", places._Folder.read))
    patch.setattr(places._Folder, "remove", around("remove", places._Folder.remove))


@pytest.mark.parametrize("is_done", [False, True], ids=["failed", "done, then failed"])
def test_broken_off_anywhere_it_leaves_one_of_both_whole_and_is_completed(
    tmp_path: Path, is_done: bool
) -> None:
    def fresh(name: str) -> tuple[Path, ArchivePlace]:
        folder = tmp_path / name
        folder.mkdir()
        grow(folder / "t.db", [600, 300])
        return folder / "t.db", open_place(folder / "archive", is_new=True)

    names = _steps(*fresh("count"))
    assert {"change", "write", "read"} <= set(names)
    for at in range(len(names)):
        trail, place = fresh(f"{at}")
        before = contents(trail)
        seen: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            watch(patch, seen, at, is_done)
            with pytest.raises(Broken):
                move(trail, place)
        # whatever was reached: nothing is missing, nothing is there twice, all of it holds
        assert whole(trail, place) == before, (at, names[at])
        assert verify_archived(trail, [place]).ok
        assert verify_trail(trail).ok
        move(trail, place)
        assert whole(trail, place) == before
        found = verify_archived(trail, [place])
        assert (found.ok, found.size) == (True, 900)
        with open_reader(trail) as reader:
            ranges = [(r.first, r.state, r.draft) for r in reader.ranges]
            assert ranges == [(0, "archived", ""), (512, "archived", "")]
            assert sorted(os.listdir(place.text)) == sorted(r.file for r in reader.ranges)


def test_nothing_of_who_is_erased_meanwhile_goes_into_an_archive(
    trail: Path, place: ArchivePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(trail, [600], actors=["a" * 52, "b" * 52])
    written = places._Folder.write_new

    def erase(self: Any, name: str, data: bytes) -> None:
        written(self, name, data)
        with Trail(trail) as other:
            other.erase([100], other.size(), (), ErasureNote(["b" * 52]))

    with monkeypatch.context() as patch:
        patch.setattr(places._Folder, "write_new", erase)
        with pytest.raises(TrailError, match="changed meanwhile"):
            move(trail, place)
    move(trail, place)
    assert whole(trail, place)[100].personal is None
    assert len(os.listdir(place.text)) == 1
    assert verify_archived(trail, [place]).ok


def test_an_archive_that_does_not_give_back_what_was_written_takes_nothing(
    trail: Path, place: ArchivePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(trail, [600])
    before = contents(trail)
    read = places._Folder.read
    with monkeypatch.context() as patch:
        patch.setattr(places._Folder, "read", lambda self, name: read(self, name)[:-1])
        with pytest.raises(ArchiveError, match="not an archive of ours"):
            move(trail, place)
    assert contents(trail)[: len(before)] == before


def test_two_trails_share_a_place(tmp_path: Path, place: ArchivePlace) -> None:
    for name in ("a.db", "b.db"):
        grow(tmp_path / name, [300])
        move(tmp_path / name, place)
    for name in ("a.db", "b.db"):
        assert verify_archived(tmp_path / name, [place]).ok


def test_an_object_store_holds_archives_too(trail: Path) -> None:
    store = places._Store("memory:///")
    grow(trail, [600])
    before = contents(trail)
    [moved] = move(trail, store)
    assert whole(trail, store) == before
    with pytest.raises(ArchiveError, match="already"):
        store.write_new(moved.file, b"another content")
    store.remove(moved.file)
    assert not store.has(moved.file)
    store.remove(moved.file)
    with pytest.raises(ArchiveError, match="is not in memory"):
        whole(trail, store)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("s3://user:secret@bucket/a/b/", "s3://bucket/a/b"),
        ("s3://bucket/a?token=secret", "s3://bucket/a"),
        ("/srv/archive", "/srv/archive"),
    ],
)
def test_a_place_is_told_without_its_password(given: str, told: str) -> None:
    assert place_text(given) == told


@pytest.mark.parametrize("given", ["/nowhere/at/all", "nonsense://x/y", "s3://", __file__])
def test_what_is_no_place_is_refused(given: str) -> None:
    with pytest.raises(FlowauditError) as refused:
        open_place(given)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["../x", "", ".x", "a/b", "a\0b", "x" * 300])
def test_a_name_from_a_table_leads_nowhere_else(place: ArchivePlace, name: str) -> None:
    with pytest.raises(ArchiveError):
        place.read(name)


def test_a_place_that_cannot_be_asked_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a mistyped one: what it might hold would else have to go before all others."""
    grow(tmp_path / "t.db", [600])
    typo, right = (open_place(tmp_path / name, is_new=True) for name in ("typo", "right"))

    def no_answer(place: places._Folder, name: str) -> bool:
        raise ArchiveError("no answer")

    with Trail(tmp_path / "t.db") as writer, monkeypatch.context() as patch:
        patch.setattr(places._Folder, "has", no_answer)
        with pytest.raises(ArchiveError, match="no answer"):
            list(archive_trail(writer, typo, NOW, NOW))
    (tmp_path / "typo").rmdir()
    with Trail(tmp_path / "t.db") as writer:
        assert list(archive_trail(writer, right, NOW, NOW))
