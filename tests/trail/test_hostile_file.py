"""A trail's file from somebody else's hands: refused or named, in bounded time and memory."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowaudit.errors import NotATrailError
from flowaudit.event import Core, encode_core
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail

Sql = Callable[..., list[tuple[Any, ...]]]

ENDLESS = """CREATE VIEW {0} AS WITH RECURSIVE r(seq) AS (SELECT 0 UNION ALL SELECT seq + 1 FROM r)
SELECT seq, '' AS core, NULL AS personal, NULL AS salt, NULL AS sealed, seq AS size, x'' AS hashes,
x'' AS frontier, 0 AS level, seq AS idx, '' AS note, '' AS id, seq AS last_n FROM r"""


VERIFY = """
import sys
from pathlib import Path
from flowaudit.errors import FlowauditError
from flowaudit.verification.trail import verify_trail
try:
    found = verify_trail(Path(sys.argv[1]))
    print("ok" if found.ok else found.first_bad)
except FlowauditError:
    print("refused")
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(peak)
"""


@pytest.fixture
def store() -> str:
    return "sqlite"  # what a file may hold that is no trail


@pytest.fixture
def grown(trail: Path) -> Path:
    cores = [
        encode_core(Core(v=1, source="s" * 26, n=n, ts=n, kind="note", status=200))
        for n in range(1, 301)
    ]
    with Trail(trail) as writer:
        writer.append([(core, b'{"path":"/x"}') for core in cores], "s" * 26, 300)
    return trail


@pytest.mark.parametrize(
    "table", ["event", "tile", "head", "source", "checkpoint", "trail", "archived"]
)
@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE {0} RENAME TO other; CREATE VIEW {0} AS SELECT * FROM other",
        "ALTER TABLE {0} RENAME TO other; " + ENDLESS,
        "DROP TABLE {0}",
        "ALTER TABLE {0} ADD COLUMN more AS (1)",
        "CREATE TRIGGER t AFTER INSERT ON {0} BEGIN DELETE FROM event; END",
        "CREATE INDEX i ON {0} (1)",
        "CREATE VIEW beside AS SELECT * FROM {0}",
    ],
    ids=["view", "endless view", "dropped", "column", "trigger", "index", "view beside"],
)
def test_another_schema_is_refused_to_read_and_to_write(
    grown: Path, table: str, change: str
) -> None:
    db = sqlite3.connect(grown)
    db.executescript(change.format(table))
    db.close()
    with pytest.raises(NotATrailError, match=r"no table|was changed|it has|cannot be read"):
        verify_trail(grown)
    with pytest.raises(NotATrailError), Trail(grown) as writer:
        writer.append([], "s" * 26, 300)


def test_a_table_more_is_let_be(grown: Path, sql: Sql) -> None:
    sql("CREATE TABLE notes (text)")
    assert verify_trail(grown).ok


@pytest.mark.parametrize("version", [0, -1, 3])
def test_another_format_is_refused(grown: Path, sql: Sql, version: int) -> None:
    sql(f"PRAGMA user_version = {version}")
    with pytest.raises(NotATrailError, match="trail format"):
        verify_trail(grown)


def test_a_table_of_a_later_format_is_refused(grown: Path, sql: Sql) -> None:
    """Nobody's making: a reader might take it or not, and a writer could not add it."""
    sql("PRAGMA user_version = 1")
    with pytest.raises(NotATrailError, match="new in a later format"):
        verify_trail(grown)
    with pytest.raises(NotATrailError, match="new in a later format"), Trail(grown) as writer:
        writer.append([], "s" * 26, 300)


@pytest.mark.parametrize("column", ["core", "sealed"])
def test_a_huge_value_is_named_and_not_read(grown: Path, sql: Sql, column: str) -> None:
    sql(f"UPDATE event SET {column} = zeroblob(150000000) WHERE seq = 123")
    first, peak_kib = verified_elsewhere(grown)
    assert first == "123"
    assert peak_kib < 100_000


def verified_elsewhere(trail: Path) -> tuple[str, int]:
    """What a process of its own says, and how much memory it took, KiB."""
    told = subprocess.run(
        [sys.executable, "-c", VERIFY, str(trail)], capture_output=True, text=True, timeout=120
    )
    assert told.returncode == 0, told.stderr
    said, peak_kib = told.stdout.split()
    return said, int(peak_kib)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tile SET hashes = zeroblob(150000000) WHERE level = 0 AND idx = 0",
        "UPDATE head SET frontier = zeroblob(150000000)",
        "UPDATE checkpoint SET note = zeroblob(150000000)",
        "UPDATE source SET id = zeroblob(150000000)",
        "UPDATE trail SET id = zeroblob(150000000)",
        "UPDATE head SET size = 9223372036854775807",
        "UPDATE head SET size = 'many'",
        "UPDATE head SET size = -1",
        "DELETE FROM head",
        "DELETE FROM trail",
        "UPDATE checkpoint SET size = -9223372036854775808",
        "UPDATE event SET seq = 9223372036854775807 WHERE seq = 7",
        "UPDATE event SET seq = -9223372036854775808 WHERE seq = 7",
        'UPDATE event SET core = \'{"source":7,"n":1}\'',
        'UPDATE event SET core = \'{"source":"x","n":1e999}\'',
        "UPDATE event SET core = replace(hex(zeroblob(9000)), '00', '[')",
        "UPDATE source SET last_n = 9223372036854775807",
        "UPDATE source SET last_n = 1.5",
    ],
)
def test_absurd_values_are_never_a_yes(grown: Path, sql: Sql, statement: str) -> None:
    sql(statement)
    said, peak_kib = verified_elsewhere(grown)
    assert said != "ok"
    assert peak_kib < 250_000  # SQLite itself reads a key's whole row once, to compare it


def test_pages_that_lead_in_a_circle_are_refused(grown: Path, sql: Sql) -> None:
    """An inner page whose pointers all lead to the same leaf: its rows would come for ever."""
    sql("PRAGMA wal_checkpoint(TRUNCATE)")
    [(root,)] = sql("SELECT rootpage FROM sqlite_master WHERE name = 'event'")
    data, size = bytearray(grown.read_bytes()), 16_384
    start = (root - 1) * size
    assert data[start] == 5, "the table has no inner page"
    cells = int.from_bytes(data[start + 3 : start + 5])
    first = None
    for cell in range(cells):
        at = start + int.from_bytes(data[start + 12 + 2 * cell : start + 14 + 2 * cell])
        first = first or data[at : at + 4]
        data[at : at + 4] = first
    grown.write_bytes(data)
    with pytest.raises(NotATrailError):
        verify_trail(grown)


def test_a_reader_keeps_few_entries_in_memory(trail: Path) -> None:
    """Events about as large as they may be, a thousand of them: 120 MB."""
    core = encode_core(Core(v=1, source="s" * 26, n=2, ts=1, kind="note"))
    with Trail(trail) as writer:
        for _ in range(50):
            writer.append([(core, b'"' + b"x" * 120_000 + b'"')] * 20, "s" * 26, 2)
    said, peak_kib = verified_elsewhere(trail)
    assert said == "1"  # it repeats a number
    assert peak_kib < 100_000
