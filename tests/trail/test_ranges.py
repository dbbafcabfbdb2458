"""Ranges that have left the trail, and trails of a format that did not know them."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from flowaudit.errors import NotATrailError
from flowaudit.event import Core, encode_core
from flowaudit.trail.paths import FORMAT
from flowaudit.trail.ranges import Away, Range, Telling, ranges_from
from flowaudit.trail.reader import TrailReader
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail
from flowaudit.witnesses.publishing import Kept

FORMAT_1 = """
CREATE TABLE event (seq INTEGER PRIMARY KEY, core TEXT, personal TEXT, salt BLOB, sealed BLOB);
CREATE TABLE tile (level INTEGER, idx INTEGER, hashes BLOB, PRIMARY KEY (level, idx)) WITHOUT ROWID;
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER, frontier BLOB);
CREATE TABLE source (id TEXT PRIMARY KEY, last_n INTEGER, running TEXT) WITHOUT ROWID;
CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT);
CREATE TABLE trail (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT);
PRAGMA application_id = 0x666C6F77;
PRAGMA user_version = 1;
"""
SOURCE = "s" * 26


def record(n: int) -> tuple[bytes, bytes]:
    return encode_core(Core(v=1, source=SOURCE, n=n, ts=n, kind="request")), b'{"path":"/"}'


def fill(trail: Path, first: int, count: int) -> None:
    with Trail(trail) as writer:
        last = first + count - 1
        writer.append([record(n) for n in range(first, last + 1)], SOURCE, last)


@pytest.fixture
def store() -> str:
    return "sqlite"  # formats are the file's


@pytest.fixture
def old_trail(trail: Path) -> Path:
    """A trail as a release wrote it that knew format 1 only."""
    new = trail.with_name("new.db")
    fill(new, 1, 600)
    with sqlite3.connect(trail) as db:
        db.executescript(FORMAT_1)
        db.execute("ATTACH ? AS new", (str(new),))
        for table in ("event", "tile", "head", "source", "checkpoint", "trail"):
            db.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")
    db.close()
    for suffix in ("key", "pub"):
        new.with_name(f"new.db.{suffix}").rename(trail.with_name(f"t.db.{suffix}"))
    return trail


def version(trail: Path) -> int:
    db = sqlite3.connect(trail)
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    finally:
        db.close()


def test_a_reader_takes_an_older_trail_as_it_is(old_trail: Path) -> None:
    before = old_trail.read_bytes()
    found = verify_trail(old_trail)
    assert (found.ok, found.size, found.archived) == (True, 600, 0)
    assert old_trail.read_bytes() == before
    assert version(old_trail) == 1


def test_a_writer_upgrades_an_older_trail_in_place(old_trail: Path) -> None:
    fill(old_trail, 601, 10)
    assert version(old_trail) == FORMAT == 2
    found = verify_trail(old_trail)
    assert (found.ok, found.size) == (True, 610)
    with TrailReader(old_trail) as reader:
        assert reader.ranges == ()


def test_an_upgrade_that_was_broken_off_is_done_by_the_next(old_trail: Path) -> None:
    with sqlite3.connect(old_trail) as db:
        db.execute("BEGIN")
        db.execute("CREATE TABLE archived (first)")
        db.rollback()
    db.close()
    fill(old_trail, 601, 1)
    assert verify_trail(old_trail).ok


def test_a_trail_of_a_format_to_come_is_refused(old_trail: Path) -> None:
    with sqlite3.connect(old_trail) as db:
        db.execute("PRAGMA user_version = 3")
    db.close()
    with pytest.raises(NotATrailError, match="format 3"):
        verify_trail(old_trail)


GOOD = (0, 255, "archived", "/a", "f", "", 1, 2, "{}")


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(0, 254, *GOOD[2:])], id="no whole tiles"),
        pytest.param([(1, 255, *GOOD[2:])], id="begins inside a tile"),
        pytest.param([(256, 255, *GOOD[2:])], id="empty"),
        pytest.param([(-256, -1, *GOOD[2:])], id="below the trail"),
        pytest.param([GOOD, (0, 511, *GOOD[2:])], id="overlap"),
        pytest.param([(0, 255, "lost", *GOOD[3:])], id="unknown state"),
        pytest.param([(0, "x", *GOOD[2:])], id="text for a number"),
        pytest.param([(0, 255, "archived", None, *GOOD[4:])], id="no place"),
        pytest.param([(0, 255, b"\xff", *GOOD[3:])], id="bytes"),
    ],
)
def test_a_damaged_table_of_ranges_is_refused(rows: list[tuple[object, ...]]) -> None:
    with pytest.raises(NotATrailError, match="damaged"):
        ranges_from(rows)


@pytest.mark.parametrize("told", ["", "[]", '{"runs": 1}', '{"events": [[1]]}', "\ud800"])
def test_what_a_range_tells_is_refused_where_it_is_damaged(told: str) -> None:
    with pytest.raises(NotATrailError, match="damaged"):
        Range(0, 255, "archived", "/a", "f", "", 1, 2, told).what_it_tells()


def make(*pairs: tuple[int, int]) -> Away:
    return Away([Range(a, b, "archived", "/a", "f", "", 0, 0, "{}") for a, b in pairs])


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 2000, [(0, 255), (512, 1023), (1280, 2000)]),
        (256, 511, []),
        (300, 600, [(512, 600)]),
        (-5, 100, [(-5, 100)]),
        (1100, 1200, []),
        (200, 1024, [(200, 255), (512, 1023)]),
    ],
)
def test_what_is_in_no_range(first: int, last: int, expected: list[tuple[int, int]]) -> None:
    away = make((256, 511), (1024, 1279))
    assert list(away.gaps(first, last)) == expected
    held = {seq for a, b in expected for seq in range(a, b + 1)}
    assert all((seq in held) == (away.range_of(seq) is None) for seq in range(first, last + 1))


def test_what_a_range_tells() -> None:
    telling = Telling()
    gap = b'{"facts":{"first":3,"last":3,"source":"a"},"kind":"gap","n":9,"source":"b"}'
    for seq, n in enumerate((1, 2, 5, 4, 7)):
        telling.see(seq, f'{{"kind":"request","n":{n},"source":"a"}}'.encode())
    telling.see(5, gap)
    telling.see(6, b"\xff no core")
    told = Range(0, 255, "archived", "/a", "f", "", 1, 2, telling.text()).what_it_tells()
    assert told.runs == [("a", 1, 2), ("a", 4, 5), ("a", 7, 7), ("b", 9, 9)]
    assert told.events == [(5, gap.decode())]


@pytest.fixture
def parted(trail: Path) -> Callable[[str], Path]:
    """A trail whose tiles 1 and 2 have left it, with what they tell."""

    def part(state: str) -> Path:
        fill(trail, 1, 1000)
        telling = Telling()
        with TrailReader(trail) as reader:
            for entry in reader.entries(256, 767):
                telling.see(entry.seq, entry.core)
        told = telling.text()

        def step(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO archived VALUES (256, 767, ?, '/a', 'f', '', 257, 768, ?)",
                (state, told),
            )
            if state == "archived":
                db.execute("DELETE FROM event WHERE seq BETWEEN 256 AND 767")
                db.execute("DELETE FROM tile WHERE level = 0 AND idx IN (1, 2)")

        with Trail(trail) as writer:
            writer.change(step)
        return trail

    return part


@pytest.mark.parametrize("state", ["moving", "archived"])
def test_what_remains_verifies(parted: Callable[[str], Path], state: str) -> None:
    trail = parted(state)
    found = verify_trail(trail)
    assert (found.ok, found.problems, found.archived) == (True, (), 512)
    with TrailReader(trail) as reader:
        assert [e.seq for e in reader.entries()] == [*range(256), *range(768, 1000)]
        assert [e.seq for e in reader.entries(200, 800)] == [*range(200, 256), *range(768, 801)]


@pytest.mark.parametrize(
    ("sql", "seq", "what"),
    [
        ("INSERT INTO event (seq, core) VALUES (300, '{}')", 300, "stands in it again"),
        ("DELETE FROM event WHERE seq = 255", 255, "is missing"),
        ("DELETE FROM event WHERE seq = 768", 768, "is missing"),
        ("UPDATE archived SET told = '{}'", 768, "are missing, no gap event"),
        ("DELETE FROM archived", 256, "tile 0/1 is missing"),
        ("UPDATE archived SET last = 511", 512, "tile 0/2 is missing"),
        (
            "UPDATE tile SET hashes = zeroblob(96) WHERE level = 1",
            0,
            "tile 0/0 does not give the hash",
        ),
    ],
)
def test_what_was_done_to_a_parted_trail_is_named(
    parted: Callable[[str], Path], sql: str, seq: int, what: str
) -> None:
    trail = parted("archived")
    with sqlite3.connect(trail) as db:
        db.execute(sql)
    db.close()
    found = verify_trail(trail)
    assert not found.ok
    assert any(p.seq == seq and what in p.what for p in found.problems), found.problems


def test_checkpoints_inside_a_range_that_is_away_are_not_compared(trail: Path) -> None:
    for first in (1, 301, 701):
        fill(trail, first, 400 if first > 1 else 300)
    with TrailReader(trail) as reader:
        sizes = [size for size, _ in reader.checkpoints()]
        notes = tuple(note for _, note in reader.checkpoints())
    assert any(256 < size < 768 and size % 256 for size in sizes)

    def step(db: sqlite3.Connection) -> None:
        db.execute(
            "INSERT INTO archived VALUES (256, 767, 'archived', '/a', 'f', '', 1, 2, ?)", (told,)
        )
        db.execute("DELETE FROM event WHERE seq BETWEEN 256 AND 767")
        db.execute("DELETE FROM tile WHERE level = 0 AND idx IN (1, 2)")

    told = f'{{"runs": [["{SOURCE}", 257, 768]], "events": []}}'
    with Trail(trail) as writer:
        writer.change(step)
    found = verify_trail(trail, witnessed=[Kept("elsewhere", notes)])
    assert found.ok, found.problems
