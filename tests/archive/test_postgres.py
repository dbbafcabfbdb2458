"""A trail in PostgreSQL goes into an archive, out of it, and is erased and pruned there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("psycopg")

from flowaudit.archive.erasing import erase_archived
from flowaudit.archive.moving import archive_trail
from flowaudit.archive.places import open_place
from flowaudit.archive.reading import ArchivedTrail, with_archives
from flowaudit.archive.restoring import restore_ranges
from flowaudit.archive.retention import prune_trail
from flowaudit.archive.upkeep import upkeep
from flowaudit.errors import TrailError
from flowaudit.journeys.engine import Engine
from flowaudit.trail.backup import back_up
from flowaudit.trail.forgetting import ErasureNote
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.place import DatabaseUrl
from flowaudit.verification.trail import verify_trail
from tests.archive.trails import DAY, NOW, SOURCE, START, record
from tests.postgres import Server

REQUESTS = "SELECT * EXCLUDE (who_id) FROM events WHERE counted ORDER BY seq"
ANN, BOB = "a" * 52, "b" * 52


@pytest.fixture
def paths(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrailPaths]:
    monkeypatch.chdir(tmp_path)  # key and spool stand in the working folder
    database = postgres.new_trail()
    yield TrailPaths.of(DatabaseUrl(postgres.url(database)))
    postgres.drop(database)


def test_a_trail_in_a_database_is_archived_like_one_in_a_file(
    paths: TrailPaths, tmp_path: Path
) -> None:
    place = open_place(tmp_path / "archive", is_new=True)
    with open_trail(paths) as trail:
        for day in (0, 1):
            made = [
                record(n, START + day * DAY + n, ANN if n % 3 == 1 else BOB)
                for n in range(day * 600 + 1, day * 600 + 601)
            ]
            trail.append(made, SOURCE, (day + 1) * 600)
        trail.checkpoint()
        with open_reader(paths) as reader:
            before = list(reader.entries())
        with Engine.open(paths.trail) as engine:
            counted = engine.rows(REQUESTS)
        moved = list(archive_trail(trail, place, NOW, NOW))
        assert [(each.first, each.last) for each in moved] == [(0, 511), (512, 1023)]
        with ArchivedTrail(open_reader(paths), [place]) as reader:
            assert list(reader.entries())[: len(before)] == before
        with Engine.open(paths.trail, archives=[place]) as engine:
            assert engine.rows(REQUESTS) == counted
        assert verify_trail(paths).archived == 1024
        assert verify_trail(paths, beside=with_archives([place])).ok

        with upkeep(trail):
            count, unreached = erase_archived(trail, [place], [ANN], ErasureNote([ANN]))
        assert (count > 300, unreached) == (True, [])
        assert verify_trail(paths, beside=with_archives([place])).erased == count

        assert [r.first for r in restore_ranges(trail, [place], START + DAY, NOW)] == [512]
        with open_reader(paths) as reader:
            assert next(iter(reader.entries())).seq == 512
        assert verify_trail(paths, beside=with_archives([place])).ok

        assert [r.first for r in prune_trail(trail, [place], NOW, ()).gone] == [0]
        assert os.listdir(place.text) == []
        found = verify_trail(paths)
        assert (found.ok, found.pruned, found.problems) == (True, 512, ())


def test_a_database_is_backed_up_with_its_own_tools(paths: TrailPaths, tmp_path: Path) -> None:
    with pytest.raises(TrailError, match="pg_dump"):
        back_up(paths, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
