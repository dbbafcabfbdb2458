"""Events as they are stored, on their way into an engine: Arrow of `seq` and the two JSON texts."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from typing import Any, Final

import msgspec

from ..archive.parquet import ArchiveFile
from ..errors import EventError, MissingExtraError
from ..event import Core, Entry, Personal, encode_core, encode_personal
from ..trail.opening import open_reader
from ..trail.paths import file_of, read_only_uri
from ..trail.ranges import Away
from ..trail.store import ReadableTrail
from ..vault.guard import is_open_here
from ..vault.place import DatabaseUrl, Place
from .columns import CORE_FIELDS, PERSONAL_FIELDS

__all__ = ["analysis_module", "given_events", "odd_events", "open_events"]

RANGE_EVENTS: Final = 1_048_576
"""Events fetched from a trail in one query: some seconds, so that no read holds writers up."""

BATCH_ROWS: Final = 65_536
"""Rows of one Arrow batch; the driver's default of 1,024 costs half as much again."""

_RANGE: Final = (
    # the driver takes a column's type from its first rows: no NULL may stand there
    "SELECT seq, coalesce(core, '{}') AS core, coalesce(personal, '{}') AS personal"
    " FROM event WHERE seq BETWEEN %d AND %d ORDER BY seq"
)


def analysis_module(name: str) -> Any:
    """A module of the extra `analysis`; raises `MissingExtraError` where it is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(name.split(".")[0], "analysis") from error


@contextmanager
def open_events(trail: Place, away: Away) -> Iterator[Any]:
    """The events that a trail holds now, as a `pyarrow.RecordBatchReader` to be read once.

    Ranges that are `away` are left out. They are fetched while they are read, in ranges of `seq`.
    Raises an `adbc` error if the file cannot be opened; later ones come out of the reader.

    In a process that has the same trail open for writing, Python's own SQLite reads it, at half
    the speed: when the driver's SQLite, which is another one, closed the file, the system would
    drop the locks of both.
    """
    driver = analysis_module("adbc_driver_sqlite.dbapi")
    arrow = analysis_module("pyarrow")
    if isinstance(trail, DatabaseUrl) or is_open_here(trail):
        with open_reader(trail) as reader:
            yield arrow.RecordBatchReader.from_batches(_schema(arrow), _batches(arrow, reader))
        return
    with driver.connect(read_only_uri(file_of(trail))) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)})
        cursor.execute("SELECT coalesce(max(seq), -1) FROM event")
        last = int(cursor.fetchone()[0])

        def batches() -> Iterator[Any]:
            for start, end in away.gaps(0, last):
                for first in range(start, end + 1, RANGE_EVENTS):
                    cursor.execute(_RANGE % (first, min(first + RANGE_EVENTS - 1, end)))
                    yield from cursor.fetch_record_batch()

        yield arrow.RecordBatchReader.from_batches(_schema(arrow), batches())


def odd_events(file: ArchiveFile) -> Any:
    """What of an archive's file is kept as it was, as a `pyarrow.Table` like that of a trail."""
    arrow = analysis_module("pyarrow")
    return arrow.Table.from_batches(_as_batches(arrow, file.odd_entries()), _schema(arrow))


def _batches(arrow: Any, reader: ReadableTrail) -> Iterator[Any]:
    """The entries of an open trail as record batches."""
    return _as_batches(arrow, reader.entries())


def _as_batches(arrow: Any, entries: Iterator[Entry]) -> Iterator[Any]:
    while rows := [
        (entry.seq, entry.core.decode(), (entry.personal or b"{}").decode())
        for entry in islice(entries, BATCH_ROWS)
    ]:
        columns = zip(*rows, strict=True)
        yield arrow.record_batch(
            [arrow.array(c, f.type) for c, f in zip(columns, _schema(arrow), strict=True)],
            schema=_schema(arrow),
        )


def given_events(events: Iterable[Mapping[str, object]]) -> Any:
    """Flat mappings of schema-1 fields as a `pyarrow.Table`; without `seq` their place counts.

    Raises `EventError` for a field that is not in the schema or has another type there.
    """
    arrow = analysis_module("pyarrow")
    rows = [_stored(place, event) for place, event in enumerate(events)]
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    schema = _schema(arrow)
    return arrow.table(
        [arrow.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )


def _schema(arrow: Any) -> Any:
    fields = [("seq", arrow.int64()), ("core", arrow.string()), ("personal", arrow.string())]
    return arrow.schema(fields)


def _stored(place: int, event: Mapping[str, object]) -> tuple[int, str, str]:
    seq = event.get("seq", place)
    unknown = event.keys() - CORE_FIELDS.keys() - PERSONAL_FIELDS.keys() - {"seq"}
    if unknown:
        raise EventError(f"not a field of schema 1: {', '.join(sorted(unknown))}")
    if not isinstance(seq, int):
        raise EventError(f"seq is {seq!r}; expected a whole number")
    if event.get("kind") is None or event.get("ts") is None:
        raise EventError(f"event {seq} has no kind or no ts")
    core = {name: value for name, value in event.items() if name in CORE_FIELDS}
    personal = {name: value for name, value in event.items() if name in PERSONAL_FIELDS}
    try:
        return (
            seq,
            encode_core(msgspec.convert(core, Core)).decode(),
            encode_personal(msgspec.convert(personal, Personal)).decode() or "{}",
        )
    except msgspec.ValidationError as error:
        raise EventError(f"event {seq}: {error}") from error
