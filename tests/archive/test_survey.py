"""Archives are looked through by several processes, with the same result as by one."""

import os
from pathlib import Path

import pytest

from flowaudit.archive.moving import archive_trail
from flowaudit.archive.places import ArchivePlace, open_place
from flowaudit.archive.reading import ArchivedTrail, with_archives
from flowaudit.archive.survey import Surveyor
from flowaudit.errors import ArchiveError
from flowaudit.trail.opening import open_reader
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail
from tests.archive.trails import NOW, grow


@pytest.fixture
def archived(trail: Path, tmp_path: Path) -> tuple[Path, ArchivePlace]:
    grow(trail, [300] * 6)
    place = open_place(tmp_path / "archive", is_new=True)
    with Trail(trail) as writer:
        assert len(list(archive_trail(writer, place, NOW, NOW))) == 6
    return trail, place


def test_two_more_processes_find_what_one_finds(archived: tuple[Path, ArchivePlace]) -> None:
    trail, place = archived
    files = sorted(os.listdir(place.text))
    (Path(place.text) / files[3]).write_bytes(b"no archive")
    (Path(place.text) / files[4]).unlink()
    alone = verify_trail(trail, beside=with_archives([place]))
    helped = verify_trail(trail, beside=with_archives([place], processes=2))
    assert helped == alone
    assert [p.seq for p in helped.problems] == [768, 1024]


def test_a_process_that_is_killed_is_not_needed(archived: tuple[Path, ArchivePlace]) -> None:
    trail, place = archived
    with open_reader(trail) as reader:
        ranges, origin = reader.ranges, reader.origin
    with Surveyor([place], ranges, origin, processes=1) as helped:
        first = helped.of(ranges[0])
        assert helped._pool is not None
        for process in list(helped._pool._processes.values()):
            process.kill()
        found = [helped.of(each) for each in ranges[1:]]
    with Surveyor([place], ranges, origin) as alone:
        assert [first, *found] == [alone.of(each) for each in ranges]


def test_surveys_are_asked_for_in_any_order(archived: tuple[Path, ArchivePlace]) -> None:
    trail, place = archived
    with ArchivedTrail(open_reader(trail), [place], processes=2) as reader:
        for idx in (5, 0, 4, 0, 3, 5, 1):
            tile = reader.tile(0, idx)
            assert tile is not None
            assert len(tile) == 8192
            assert reader.plain_tile(idx) is not None
        (Path(place.text) / reader.ranges[2].file).unlink()
    with (
        ArchivedTrail(open_reader(trail), [place]) as reader,
        pytest.raises(ArchiveError, match="is not in"),
    ):
        reader.tile(0, 2)
