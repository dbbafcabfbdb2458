"""An archive from somebody else's hands: never believed, refused or named."""

import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flowaudit.archive.columns import schema
from flowaudit.archive.memory import bounded_memory
from flowaudit.archive.moving import archive_trail
from flowaudit.archive.parquet import FACTS_KEY, ArchiveFile, FileFacts
from flowaudit.archive.places import ArchivePlace, open_place
from flowaudit.errors import ArchiveError
from flowaudit.trail.sqlite import Trail
from tests.archive.trails import NOW, grow, verify_archived


@pytest.fixture
def archived(trail: Path, tmp_path: Path) -> tuple[Path, ArchivePlace, Path]:
    """A trail, its place, and the one file there: entries 0 to 511."""
    grow(trail, [700])
    place = open_place(tmp_path / "archive", is_new=True)
    with Trail(trail) as writer:
        [moved] = archive_trail(writer, place, NOW, NOW)
    return trail, place, Path(place.text) / moved.file


def _changed(column: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        at = table["seq"].to_pylist().index(300)
        values[at] = value if value != "swap" else values[0 if at else 1]
        field = table.schema.field(column)
        return table.set_column(
            table.schema.get_field_index(column), field, pa.array(values, field.type)
        )

    return change


def _with_facts(**facts: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        known = msgspec.json.decode(table.schema.metadata[FACTS_KEY])
        return table.replace_schema_metadata({FACTS_KEY: msgspec.json.encode({**known, **facts})})

    return change


@pytest.mark.parametrize(
    ("change", "seq", "what"),
    [
        pytest.param(_changed("status", 500), 256, "from 256 to 511 was changed", id="core"),
        pytest.param(_changed("path", "/x"), 256, "from 256 to 511 was changed", id="personal"),
        pytest.param(_changed("salt", b"x" * 16), 256, "was changed", id="salt"),
        pytest.param(_changed("salt", None), 256, "was changed", id="salt gone"),
        pytest.param(_changed("sealed", b"x" * 32), 256, "was changed", id="sealed beside salt"),
        pytest.param(_changed("raw_core", b"{}"), 256, "was changed", id="raw core put in front"),
        pytest.param(_changed("facts", "}{"), 256, "was changed", id="no JSON"),
        pytest.param(_changed("n", None), 256, "was changed", id="number gone"),
        pytest.param(_changed("seq", "swap"), 0, "where it can't be", id="a row twice"),
        pytest.param(_changed("seq", 10_000), 0, "where it can't be", id="a row from elsewhere"),
        pytest.param(lambda t: t.slice(1), 0, "says that it has 512", id="a row less"),
        pytest.param(lambda t: t.drop_columns("ua"), 0, "other columns", id="a column less"),
        pytest.param(lambda t: t.append_column("x", t["ua"]), 0, "other columns", id="one more"),
        pytest.param(_with_facts(origin="flowaudit/y"), 0, "another range or trail", id="trail"),
        pytest.param(_with_facts(first=512, last=1023), 0, "another range", id="range"),
        pytest.param(_with_facts(format=0), 0, "is no number of one", id="no format"),
        pytest.param(_with_facts(format=9), 0, "upgrade flowaudit", id="format to come"),
        pytest.param(
            _with_facts(first="x"), 0, "not an archive of ours", id="facts of other types"
        ),
        pytest.param(lambda t: t.replace_schema_metadata({}), 0, "not an archive", id="no facts"),
    ],
)
def test_what_was_done_to_an_archive_is_named(
    archived: tuple[Path, ArchivePlace, Path],
    change: Callable[[pa.Table], pa.Table],
    seq: int,
    what: str,
) -> None:
    trail, place, file = archived
    pq.write_table(change(pq.read_table(file)), file)
    found = verify_archived(trail, [place])
    assert not found.ok
    assert found.first_bad == seq, found.problems
    assert any(p.seq == seq and what in p.what for p in found.problems), found.problems
    # the numbers of the range are still heard of, from what the trail has kept
    assert seq or not any("no gap event" in p.what for p in found.problems)


def test_a_file_that_is_gone_is_named(archived: tuple[Path, ArchivePlace, Path]) -> None:
    trail, place, file = archived
    file.unlink()
    found = verify_archived(trail, [place])
    assert [(p.seq, "is not in" in p.what) for p in found.problems] == [(0, True)]
    assert found.archived == 512


def test_an_erasure_in_an_archive_that_no_event_tells_is_damage(
    archived: tuple[Path, ArchivePlace, Path],
) -> None:
    trail, place, file = archived
    table = pq.read_table(file)
    rows = table.to_pylist()
    [row] = [row for row in rows if row["seq"] == 300]
    import hashlib

    personal = b'{"client":"10.0.0.0","path":"/p/301"}'
    row["sealed"] = hashlib.sha256(b"\x02" + row["salt"] + personal).digest()
    row["salt"] = row["client"] = row["path"] = None
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
    found = verify_archived(trail, [place])
    assert [(p.seq, p.what) for p in found.problems] == [(300, "personal part missing, no erasure")]


def test_no_byte_of_an_archive_can_be_changed_unseen(
    archived: tuple[Path, ArchivePlace, Path],
) -> None:
    """Each is found, or leaves every entry as it was (a statistic, say); none is a traceback."""
    trail, place, file = archived
    clean = file.read_bytes()
    was = ArchiveFile(clean, "f").entries()
    rng = random.Random(7)
    for _ in range(150):
        data = bytearray(clean)
        match rng.randrange(3):
            case 0:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:
                del data[rng.randrange(len(data)) :]
            case _:
                at = rng.randrange(len(data))
                data[at : at + rng.randrange(64)] = rng.randbytes(rng.randrange(64))
        try:
            is_same = ArchiveFile(bytes(data), "f").entries() == was
        except ArchiveError:
            is_same = False
        file.write_bytes(data)
        found = verify_archived(trail, [place])
        assert found.ok == is_same
    file.write_bytes(clean)
    assert verify_archived(trail, [place]).ok


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 100, b"\0" * 5000, b"SQLite format 3\0"])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveError, match="not an archive of ours"):
        ArchiveFile(data, "f")


UNPACK = """
import resource, sys
from pathlib import Path
from flowaudit.archive.parquet import ArchiveFile
from flowaudit.errors import ArchiveError
before = resource.getrlimit(resource.RLIMIT_DATA)
try:
    ArchiveFile(Path(sys.argv[1]).read_bytes(), "a file").table()
except ArchiveError as error:
    print(error)
assert resource.getrlimit(resource.RLIMIT_DATA) == before
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_file_that_unpacks_to_a_terabyte_is_given_up(tmp_path: Path) -> None:
    """Four megabytes, and they say so: one long text that a million rows mean."""
    count, text = 1 << 20, "x" * 1_000_000
    columns: list[Any] = []
    for field in schema():
        if field.name == "route":
            columns.append(
                pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), [text])
            )
        elif field.nullable:
            columns.append(pa.nulls(count, field.type))
        else:
            columns.append(
                pa.array([b"1" * 32] * count if field.name == "sealed" else range(count))
            )
            columns[-1] = columns[-1].cast(field.type)
    packed = pa.schema(
        [pa.field(f.name, c.type, f.nullable) for f, c in zip(schema(), columns, strict=True)]
    )
    empty = pa.BufferOutputStream()
    pq.write_table(schema().empty_table(), empty)
    ours = pq.ParquetFile(pa.BufferReader(empty.getvalue())).metadata.metadata[b"ARROW:schema"]
    facts = FileFacts(
        format=1, origin="x", first=0, last=count - 1, first_ts=0, last_ts=1, subtrees=[],
        checkpoint="",
    )  # fmt: skip
    with pq.ParquetWriter(tmp_path / "bomb", packed, compression="zstd", store_schema=False,
                          dictionary_pagesize_limit=1 << 30) as writer:  # fmt: skip
        writer.write_table(pa.table(columns, schema=packed), row_group_size=count)
        writer.add_key_value_metadata(
            {b"ARROW:schema": ours, FACTS_KEY: msgspec.json.encode(facts)}
        )
    assert (tmp_path / "bomb").stat().st_size < 10_000_000
    told = subprocess.run(
        [sys.executable, "-c", UNPACK, str(tmp_path / "bomb")],
        capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30)),
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    said, peak_kib = told.stdout.splitlines()
    assert "takes more memory when unpacked than it says" in said
    assert int(peak_kib) < 5 << 20


def test_a_bound_on_memory_ends_with_the_last_use() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    first, second = bounded_memory(1 << 33), bounded_memory(1 << 20)
    with first:
        bound = resource.getrlimit(resource.RLIMIT_DATA)
        assert 1 << 33 < bound[0] < 1 << 36
        second.__enter__()
        assert resource.getrlimit(resource.RLIMIT_DATA) == bound, "the first one's counts"
    assert resource.getrlimit(resource.RLIMIT_DATA) == bound
    second.__exit__(None, None, None)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
