"""The analysis engine: events as the view `events` in an embedded DuckDB, SQL files run over it.

A live trail comes through ADBC as Arrow (`stored.py`) and becomes typed columns in the engine
(`columns.py`); nothing of it is decoded in Python. Who did what is settled once the events are
read (`visitors.py`); what takes a slow parse is made for each distinct value when a query names
it (`derived.py`).
"""

import importlib.resources
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self

from ..archive.parquet import ArchiveFile
from ..archive.places import ArchivePlace
from ..archive.reading import open_range
from ..errors import FlowauditError, QueryError, TrailError
from ..oplog import OPLOG
from ..trail.access import record_reading
from ..trail.opening import Given, open_reader
from ..trail.paths import TrailPaths
from ..trail.ranges import Away, Range
from ..vault.place import Place
from .columns import SELECT_ARCHIVED, SELECT_EVENTS
from .derived import GROUPS
from .stored import analysis_module, given_events, odd_events, open_events
from .visitors import settle_visitors

__all__ = ["Engine", "Include", "read_sql"]

Include = Literal["all", "humans", "bots"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WORD: Final = re.compile(r"\w+")
_INCLUDE: Final[Mapping[str, str]] = {
    "all": "",
    "humans": " WHERE NOT bot",
    "bots": " WHERE bot",
}
_SETTINGS: Final = {
    # an engine that reads private events fetches nothing from anywhere
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
}


def read_sql(package: str, name: str) -> str:
    """The text of the SQL file `name` of a package."""
    return importlib.resources.files(package).joinpath(name).read_text("utf-8")


class Engine:
    """One analysis engine over one set of events.

    It sees the events that were in the trail when it was opened.
    """

    def __init__(self, *, include: Include = "all", threads: int | None = None) -> None:
        self._spill = tempfile.mkdtemp(prefix="flowaudit-")
        weakref.finalize(self, shutil.rmtree, self._spill, ignore_errors=True)
        settings = {**_SETTINGS, "temp_directory": self._spill}
        if threads is not None:
            settings["threads"] = str(threads)
        self._duckdb = analysis_module("duckdb")
        self._arrow = analysis_module("pyarrow")
        self._db = self._duckdb.connect(":memory:", config=settings)
        self._include = include
        self._made: set[str] = set()  # names of groups of derived columns
        self._kept: dict[str, object] = {}  # table: what `keep_once` made it of

    @classmethod
    def open(
        cls,
        trail: Given,
        *,
        include: Include = "all",
        threads: int | None = None,
        archives: Sequence[ArchivePlace] = (),
        reading: str | None = "python",
        why: str | None = None,
    ) -> Self:
        """An engine over the events of a trail as it is now, and of its archives where places are
        given. That it was read is an event behind them.

        Args:
            trail: where it is.
            include: whose events: `all`, `humans` or `bots`.
            threads: of the engine; as many as there are cores if not given.
            archives: where archived entries are.
            reading: what reads, in that event; `None` if it is recorded already.
            why: the reason, in that event.

        Raises `NotATrailError` if it is none, `TrailError` if it cannot be read whole,
        `ArchiveError` if an archive can't.
        """
        paths = trail if isinstance(trail, TrailPaths) else TrailPaths.of(trail)
        place = paths.trail
        ranges, origin = _ranges(place)
        engine = cls(include=include, threads=threads)
        driver = analysis_module("adbc_driver_sqlite.dbapi")
        try:
            with open_events(place, Away(ranges)) as stored:
                engine._read(stored)
            for each in ranges if archives else ():
                if each.state != "pruned":
                    engine._add(open_range(archives, each, origin))
            if _ranges(place) != (ranges, origin):
                raise TrailError(f"{place}: entries were archived meanwhile: run it again")
            engine._settle()
        except FlowauditError as error:
            engine.close()
            if not isinstance(error, QueryError):
                raise
            raise _unreadable(place, error) from error
        except (driver.Error, UnicodeDecodeError) as error:
            engine.close()
            raise _unreadable(place, error) from error
        if reading is not None:
            what = record_reading(paths, reading, "raw", why=why)
            if what:
                OPLOG.warning("a reading is not recorded whole", trail=str(place), why=what)
        return engine

    @classmethod
    def from_events(
        cls,
        events: Iterable[Mapping[str, object]],
        *,
        include: Include = "all",
        threads: int | None = None,
    ) -> Self:
        """An engine over events given as flat mappings of schema-1 fields.

        An event without `seq` gets its place in the order given. Raises `EventError` for a field
        that is not in the schema or has another type there.
        """
        engine = cls(include=include, threads=threads)
        engine._load(given_events(events))
        return engine

    def run(self, sql: str, parameters: Mapping[str, object] | None = None) -> Any:
        """Run a query and fetch all of it, as a `pyarrow.Table`; parameters stand as `$name`.

        Raises `QueryError` if the engine refuses it.
        """
        self._need(sql)
        try:
            found = self._db.sql(sql, params=dict(parameters) if parameters else None)
            return self._arrow.table({}) if found is None else found.to_arrow_table()
        except self._duckdb.Error as error:
            raise QueryError(str(error)) from error

    def rows(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a query and fetch all of it, as tuples."""
        self._need(sql)
        rows: list[tuple[Any, ...]] = self._execute(sql, parameters).fetchall()
        return rows

    def view(self, name: str, source: "str | Sequence[object]") -> None:
        """Give queries a view: an SQL text, a list, or an Arrow table.

        A list becomes the columns `position` (from 1) and `value`; a list of mappings becomes
        their keys. So a list never gets into a query's text.
        """
        # what was registered before would stand in front of a view of the same name
        self._db.unregister(_checked(name))
        if isinstance(source, str):
            self._need(source)
            self._execute(f"CREATE OR REPLACE VIEW {name} AS {source}")
            return
        self._execute(f"DROP VIEW IF EXISTS {name}")
        self._db.register(name, self._as_table(source))

    def keep(self, name: str, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        """Like `view`, but computed now, and kept."""
        self._need(sql)
        self._kept.pop(name, None)
        self._execute(f"CREATE OR REPLACE TABLE {_checked(name)} AS {sql}", parameters)

    def keep_once(
        self, name: str, sql: str, parameters: Mapping[str, object] | None = None
    ) -> None:
        """Like `keep`, but if it was made of the same before, it is there already.

        For what stands on `events` and on other such tables alone.
        """
        made_of = (sql, dict(parameters or {}))
        if self._kept.get(name) != made_of:
            self.keep(name, sql, parameters)
            self._kept[name] = made_of

    def has(self, name: str) -> bool:
        """Whether there is a view or kept table of this name."""
        found = self._execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_name = $name",
            {"name": name},
        ).fetchone()
        return bool(found[0])

    def close(self) -> None:
        """Let go of the events."""
        self._db.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _load(self, stored: Any) -> None:
        """Read stored events, say who did what, and open the view."""
        self._read(stored)
        self._settle()

    def _read(self, stored: Any, into: str = "CREATE TABLE event AS") -> None:
        """Read stored events into the table `event`."""
        self._db.register("stored", stored)
        self._execute(f"{into} {SELECT_EVENTS}")
        self._db.unregister("stored")

    def _add(self, file: ArchiveFile) -> None:
        """Add an archive's file to the table `event`."""
        self._db.register("archived", file.table())
        self._execute(f"INSERT INTO event BY NAME {SELECT_ARCHIVED}")
        self._db.unregister("archived")
        odd = odd_events(file)
        if len(odd):
            self._read(odd, "INSERT INTO event BY NAME")

    def _settle(self) -> None:
        """Say who did what, and open the view."""
        settle_visitors(self._execute)
        if self._include != "all":
            self._need("bot")
        self._open_view()

    def _open_view(self) -> None:
        self._execute(
            "CREATE OR REPLACE VIEW events AS SELECT *, ts - ts % 86400000000 AS day,"
            f" ts - ts % 3600000000 AS hour FROM event{_INCLUDE[self._include]}"
        )

    def _need(self, sql: str) -> None:
        """Make the derived columns that a text names and that are not made yet."""
        words = set(_WORD.findall(sql.lower()))
        missing = [
            g for g in GROUPS if g.name not in self._made and not words.isdisjoint(g.columns)
        ]
        for group in missing:
            group.make(self._execute, self._db.register)
            self._made.add(group.name)
        if missing:
            self._open_view()

    def _execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> Any:
        try:
            return self._db.execute(sql, dict(parameters) if parameters else None)
        except self._duckdb.Error as error:
            raise QueryError(str(error)) from error

    def _as_table(self, source: "Sequence[object]") -> Any:
        if isinstance(source, self._arrow.Table):
            return source
        rows = list(source)
        if rows and isinstance(rows[0], Mapping):
            return self._arrow.Table.from_pylist([dict(row) for row in rows])  # type: ignore[call-overload]
        value = self._arrow.array(rows, None if rows else self._arrow.string())
        places = self._arrow.array(range(1, len(rows) + 1), self._arrow.int64())
        return self._arrow.table({"position": places, "value": value})


def _ranges(trail: Place) -> tuple[tuple[Range, ...], str]:
    """What has left a trail, and the trail's name. Raises `NotATrailError` if it is none."""
    with open_reader(trail) as reader:
        return reader.ranges, reader.origin


def _unreadable(trail: Place, error: BaseException) -> TrailError:
    return TrailError(
        f"{trail} cannot be read whole ({_first_line(error)});"
        f" run: flowaudit verify --trail {trail}"
    )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise QueryError(f"{name!r} cannot be the name of a view")
    return name


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
