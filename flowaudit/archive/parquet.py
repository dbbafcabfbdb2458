"""One file of an archive: a range of entries as Parquet, sorted by visitor.

The footer says what the file is of (`FileFacts`): it can be told apart, and held against a trail's
tiles, without reading a row.
"""

import base64
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from ..errors import ArchiveError, ProofError
from ..event import Entry
from ..proofs.merkle import HASH_BYTES, Tree
from ..proofs.verify import entry_leaf
from ..trail.plain import StoredRow
from .columns import CORE_KINDS, PERSONAL_KINDS, schema
from .memory import bounded_memory
from .modules import archive_module
from .rebuilding import rebuilt

__all__ = [
    "ARCHIVE_FORMAT",
    "ArchiveFile",
    "FileFacts",
    "encoded",
    "entry_of",
    "leaves_of",
    "range_roots",
    "rows_in",
    "to_parquet",
]

ARCHIVE_FORMAT: Final = 1
"""Version of the files' columns and footer."""

FACTS_KEY: Final = b"flowaudit"
"""Under which the footer holds the facts of a file."""

MAX_ENTRIES: Final = 1 << 20
"""A file that says it has more rows is none of ours, and is not read."""

MAX_UNPACKED_BYTES: Final = 1 << 31
"""A file that says that its columns are larger when unpacked is not read; one that takes twice as
much while it is unpacked is given up.
"""

BATCH_ROWS: Final = 8_192
"""Rows rebuilt at once: their texts stay below what Arrow's text columns can hold."""

ZSTD_LEVEL: Final = 9

PLAIN: Final = ("salt", "sealed", "raw_core", "raw_personal", "session", "resource_id")
"""Columns that a dictionary only makes larger: most of their values stand once."""

SPLIT: Final = ("seq", "n", "ts", "duration_us", "bytes_in", "bytes_out")
"""Numbers whose bytes are smaller apart: their upper ones repeat, their lower ones do not."""


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of itself, in its footer."""

    format: int
    origin: str
    """The trail's name in checkpoints."""
    first: int
    last: int
    """The range of entries, both ends included."""
    first_ts: int
    last_ts: int
    """Smallest and largest `ts` in it, µs since 1970 UTC."""
    subtrees: list[str]
    """Roots of the complete subtrees that make up the range, from the left, base64."""
    checkpoint: str
    """The newest checkpoint when the file was written: a signed note over the range and more."""


def range_roots(first: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Roots of the largest complete subtrees that leaves from `first` on make up, from the left."""
    roots, at = [], first
    end = first + len(leaves)
    while at < end:
        width = at & -at if at else 1 << (end - at).bit_length()
        while at + width > end:
            width >>= 1
        tree = Tree()
        tree.extend(leaves[at - first : at - first + width])
        roots.append(tree.root())
        at += width
    return roots


def to_parquet(table: Any, facts: FileFacts) -> bytes:
    """The file of a range: its rows by visitor and `seq`, its facts in the footer."""
    arrow, compute = archive_module("pyarrow"), archive_module("pyarrow.compute")
    parquet = archive_module("pyarrow.parquet")
    visitor = compute.coalesce(*(table[name] for name in ("actor", "session", "visitor", "client")))
    order = compute.sort_indices(
        arrow.table({"visitor": visitor, "seq": table["seq"]}),
        sort_keys=[("visitor", "ascending"), ("seq", "ascending")],
    )
    table = table.take(order)
    buffer = arrow.BufferOutputStream()
    parquet.write_table(
        table.replace_schema_metadata({FACTS_KEY: msgspec.json.encode(facts)}),
        buffer,
        row_group_size=MAX_ENTRIES,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=[n for n in table.column_names if n not in PLAIN and n not in SPLIT],
        column_encoding=dict.fromkeys(SPLIT, "BYTE_STREAM_SPLIT"),
        write_page_checksum=True,
    )
    return bytes(buffer.getvalue())


class ArchiveFile:
    """A file of an archive, opened. Raises `ArchiveError` if it is none.

    Args:
        data: its bytes.
        name: what messages call it.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.size_bytes = len(data)
        arrow, parquet = archive_module("pyarrow"), archive_module("pyarrow.parquet")
        self._arrow_error = arrow.ArrowException
        try:
            self._file = parquet.ParquetFile(
                arrow.BufferReader(data), page_checksum_verification=True
            )
            footer = self._file.metadata
            facts = (footer.metadata or {}).get(FACTS_KEY, b"")
            self.facts = msgspec.json.decode(facts, type=FileFacts)
            columns = self._file.schema_arrow
        except (arrow.ArrowException, OSError, ValueError, msgspec.MsgspecError) as error:
            raise ArchiveError(f"{name} is not an archive of ours: {_line(error)}") from error
        groups = range(footer.num_row_groups)
        unpacked = sum(footer.row_group(at).total_byte_size for at in groups)
        count = self.facts.last - self.facts.first + 1
        if self.facts.format < 1:
            raise ArchiveError(f"{name} is not an archive of ours: its format is no number of one")
        if self.facts.format > ARCHIVE_FORMAT:
            raise ArchiveError(f"{name} has archive format {self.facts.format}: upgrade flowaudit")
        if footer.num_rows != count or not 0 < count <= MAX_ENTRIES:
            raise ArchiveError(f"{name} has {footer.num_rows} rows, and says that it has {count}")
        if not columns.equals(schema()):
            raise ArchiveError(f"{name} has other columns than an archive of ours")
        if not 0 <= unpacked <= MAX_UNPACKED_BYTES:
            raise ArchiveError(f"{name} would be {unpacked} bytes when unpacked: it is not read")

    def table(self) -> Any:
        """All of it as a `pyarrow.Table`, rows as they stand. Raises `ArchiveError`."""
        try:
            with bounded_memory(2 * MAX_UNPACKED_BYTES):
                table = self._file.read(use_threads=False)
            table.validate(full=True)
            return table
        except MemoryError as error:
            raise ArchiveError(
                f"{self.name} takes more memory when unpacked than it says: it is not read"
            ) from error
        except (self._arrow_error, OSError, ValueError) as error:
            raise ArchiveError(f"{self.name} is damaged: {_line(error)}") from error

    def may_name(self, tokens: Collection[str]) -> bool:
        """Whether it may have an event of one of these tokens (see `names_any`): quickly, and
        never wrongly no. Raises `ArchiveError`.
        """
        arrow, compute = archive_module("pyarrow"), archive_module("pyarrow.compute")
        table, wanted = self.table(), arrow.array(sorted(tokens), arrow.string())
        found = [compute.is_in(table[name], wanted) for name in ("actor", "via")]
        found += [compute.match_substring(table["data"], token) for token in tokens]
        found += [table[name].is_valid() for name in ("raw_core", "raw_personal")]
        return any(compute.any(each).as_py() for each in found)

    def odd_entries(self) -> Iterator[Entry]:
        """Those of which a part is kept as it was, in order of `seq`. Raises `ArchiveError`."""
        compute = archive_module("pyarrow.compute")
        table = self.table()
        is_odd = compute.or_(table["raw_core"].is_valid(), table["raw_personal"].is_valid())
        return map(entry_of, rows_in(table.filter(is_odd).sort_by("seq")))

    def entries(self) -> list[Entry]:
        """Its entries in order of `seq`, each with the bytes it had in the trail.

        Raises `ArchiveError` unless there is each one of its range once.
        """
        return [entry_of(row) for row in self.rows()]

    def rows(self) -> list[StoredRow]:
        """Its entries in order of `seq`, as plain rows. Raises `ArchiveError` like `entries`."""
        first = self.facts.first
        found: list[StoredRow | None] = [None] * (self.facts.last - first + 1)
        for row in rows_in(self.table()):
            at = row[0] - first
            if not 0 <= at < len(found) or found[at] is not None:
                raise ArchiveError(f"{self.name} has entry {row[0]} where it can't be")
            found[at] = row
        return [row for row in found if row is not None]


def rows_in(table: Any) -> Iterator[Any]:
    """The entries that rows of columns stand for, in the order of the rows: `seq`, core, personal
    part, salt, sealed.
    """
    binary = archive_module("pyarrow").binary()
    for start in range(0, len(table), BATCH_ROWS):
        rows = table.slice(start, BATCH_ROWS)
        # twice as fast as from a column of fixed width
        salts, seals = (rows[name].cast(binary).to_pylist() for name in ("salt", "sealed"))
        cores = rebuilt(rows, CORE_KINDS).to_pylist()
        personals = rebuilt(rows, PERSONAL_KINDS).to_pylist()
        for built, raw in ((cores, "raw_core"), (personals, "raw_personal")):
            _put(built, rows[raw])
        if rows["salt"].null_count:
            pairs = zip(personals, salts, strict=True)
            personals = [None if salt is None else personal for personal, salt in pairs]
        yield from zip(rows["seq"].to_pylist(), cores, personals, salts, seals, strict=True)


def entry_of(row: Any) -> Entry:
    """The entry of a plain row."""
    seq, core, personal, salt, sealed = row
    return Entry(seq=seq, core=core, personal=personal, salt=salt, sealed=sealed)


def _put(built: list[bytes], raw: Any) -> None:
    """Put what was kept as it is in the place of what was built."""
    if raw.null_count < len(raw):
        for at, text in enumerate(raw.to_pylist()):
            if text is not None:
                built[at] = text


def leaves_of(entries: Iterable[Entry]) -> list[bytes]:
    """Their leaf hashes; zeros for one that can't be an entry."""
    leaves = []
    for entry in entries:
        try:
            leaves.append(entry_leaf(entry))
        except ProofError:
            leaves.append(bytes(HASH_BYTES))
    return leaves


def encoded(roots: Sequence[bytes]) -> list[str]:
    """Hashes as the footer holds them."""
    return [base64.b64encode(root).decode() for root in roots]


def _line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
