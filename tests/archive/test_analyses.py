"""Analyses over an archive give what they gave before it was one."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")

from demo_app.__main__ import live
from flowaudit.archive.moving import archive_trail
from flowaudit.archive.places import open_place
from flowaudit.cli import main
from flowaudit.errors import ArchiveError, TrailError
from flowaudit.journeys.engine import Engine
from flowaudit.trail.sqlite import Trail
from tests.archive.trails import NOW, SOURCE, grow
from tests.conftest import run_sqlite

FAR = 2**52


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The demo's trail, as it was and with most of it archived."""
    folder = tmp_path_factory.mktemp("demo")
    live(folder / "clinic.db", days=0.45)
    # whoever runs the commands is known to both vaults under one token
    main(["flows", "--trail", str(folder / "clinic.db"), "--format", "json"])
    other = folder.with_name("archived")
    shutil.copytree(folder, other)
    with Trail(other / "clinic.db") as trail:
        moved = list(archive_trail(trail, open_place(other / "a", is_new=True), FAR, FAR))
    assert sum(each.last - each.first + 1 for each in moved) > 1_000
    return folder / "clinic.db", other / "clinic.db"


@pytest.mark.parametrize(
    "command",
    [
        ["flows"],
        ["flows", "--by", "path"],
        ["funnel", "/appointments", "/login"],
        ["denied"],
        ["review"],
        ["journey"],
    ],
    ids=" ".join,
)
def test_every_command_says_the_same(
    both: tuple[Path, Path], capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    if command[0] == "journey":
        with Engine.open(both[0]) as engine:
            [(actor,)] = engine.rows(
                "SELECT who FROM events WHERE counted AND actor IS NOT NULL"
                " GROUP BY who ORDER BY count(*) DESC, who LIMIT 1"
            )
        command = ["journey", actor]
    said = []
    for trail, more in zip(both, ([], ["--archive", str(both[1].parent / "a")]), strict=True):
        status = main([*command, "--trail", str(trail), "--format", "json", *more])
        said.append((status, json.loads(capsys.readouterr().out)))
    assert said[0] == said[1]
    assert said[0][1]


def test_every_event_is_the_same_in_every_column(both: tuple[Path, Path]) -> None:
    rows: list[list[tuple[Any, ...]]] = []
    for trail, places in zip(both, ([], [open_place(both[1].parent / "a")]), strict=True):
        with Engine.open(trail, archives=places) as engine:
            rows.append(engine.rows("SELECT * FROM events WHERE kind <> 'access' ORDER BY seq"))
    assert len(rows[0]) > 1_000
    assert rows[0] == rows[1]


def test_without_the_archive_it_is_said_what_is_not_counted(
    both: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flows", "--trail", str(both[1]), "--format", "json"]) == 0
    assert "entries stand in archives and are not counted" in capsys.readouterr().err


def test_a_report_has_archived_entries_in_it(both: tuple[Path, Path], tmp_path: Path) -> None:
    place = str(both[1].parent / "a")
    page = tmp_path / "r.html"
    assert main(["report", "--trail", str(both[1]), "--archive", place, "-o", str(page)]) == 0
    assert page.exists()


def test_odd_events_count_as_they_did(trail: Path, tmp_path: Path) -> None:
    odd = [
        b'{"kind":"request","n":1,"source":"%s","ts":1,"v":1,"status":200,"more":1}',
        b'{"kind": "request","n":2,"source":"%s","ts":2,"v":1,"route":"/a\\u0041"}',
        b'{"kind":"request","n":3,"source":"%s","ts":3,"v":1,"duration_us":1.5}',
    ]
    with Trail(trail) as writer:
        pairs = [(core % SOURCE.encode(), b'{"path": "/x"}') for core in odd]
        writer.append(pairs, SOURCE, 3)
    grow(trail, [300])
    with Engine.open(trail, reading=None) as engine:
        before = engine.rows("SELECT * FROM events ORDER BY seq")
    place = open_place(tmp_path / "a", is_new=True)
    with Trail(trail) as writer:
        assert list(archive_trail(writer, place, NOW, NOW))
    with Engine.open(trail, archives=[place]) as engine:
        assert engine.rows("SELECT * FROM events ORDER BY seq") == before


def test_rows_that_are_still_there_while_a_range_moves_count_once(
    trail: Path, tmp_path: Path
) -> None:
    grow(trail, [600])
    rows = run_sqlite(trail, "SELECT * FROM event WHERE seq BETWEEN 500 AND 511")
    place = open_place(tmp_path / "a", is_new=True)
    with Trail(trail) as writer:
        list(archive_trail(writer, place, NOW, NOW))
    for row in rows:
        run_sqlite(trail, "INSERT INTO event VALUES (?, ?, ?, ?, ?)", *row)
    run_sqlite(trail, "UPDATE archived SET state = 'moving'")
    with Engine.open(trail, archives=[place]) as engine:
        [(count, distinct)] = engine.rows("SELECT count(*), count(DISTINCT seq) FROM events")
    assert count == distinct >= 600


def test_an_archive_that_is_gone_is_an_error(trail: Path, tmp_path: Path) -> None:
    grow(trail, [600])
    place = open_place(tmp_path / "a", is_new=True)
    with Trail(trail) as writer:
        [moved] = archive_trail(writer, place, NOW, NOW)
    place.remove(moved.file)
    with pytest.raises(ArchiveError, match="is not in"):
        Engine.open(trail, archives=[place])


def test_what_is_archived_in_mid_reading_is_noticed(
    trail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(trail, [600])
    place = open_place(tmp_path / "a", is_new=True)
    read = Engine._read

    def and_move(self: Engine, stored: Any, *into: str) -> None:
        read(self, stored, *into)
        with Trail(trail) as writer:
            list(archive_trail(writer, place, NOW, NOW))

    monkeypatch.setattr(Engine, "_read", and_move)
    with pytest.raises(TrailError, match="meanwhile"):
        Engine.open(trail)
