"""The trail's table of ranges that have left it: each change of it, as a step of upkeep.

Statements are plain enough for both stores; each function is called inside one transaction.
"""

from typing import Any, Final

from ..errors import TrailBusyError
from ..proofs.merkle import TILE_WIDTH
from ..trail.ranges import Range

__all__ = [
    "all_rows",
    "begin",
    "drop_rows",
    "drop_tiles",
    "forget_draft",
    "give_up",
    "note_draft",
    "put_rows",
    "put_tiles",
    "swap",
    "take",
    "take_back",
]

_COLUMNS: Final = "first, last, state, place, file, draft, first_ts, last_ts, told"


def all_rows(db: Any) -> list[Range]:
    """Every row of the table, those that are being written too."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM archived ORDER BY first").fetchall()
    return [Range(*row) for row in rows]


def begin(db: Any, one: Range) -> None:
    """Note that a file is about to be written."""
    clash = db.execute(
        "SELECT count(*) FROM archived WHERE first <= ? AND last >= ?", (one.last, one.first)
    ).fetchone()
    if clash[0]:
        raise TrailBusyError(f"another program archives entry {one.first}")
    db.execute(
        "INSERT INTO archived VALUES (?, ?, 'writing', ?, '', ?, ?, ?, '')",
        (one.first, one.last, one.place, one.draft, one.first_ts, one.last_ts),
    )


def take(db: Any, one: Range, personal: int) -> None:
    """The written file has the range from now on; refused if somebody was erased meanwhile.

    Args:
        db: inside a transaction.
        one: the range, with the name of its file.
        personal: how many of its entries had a personal part when they were copied.
    """
    kept = db.execute(
        "SELECT count(personal) FROM event WHERE seq BETWEEN ? AND ?", (one.first, one.last)
    ).fetchone()
    mine = db.execute(
        "SELECT count(*) FROM archived WHERE first = ? AND state = 'writing' AND draft = ?",
        (one.first, one.file),
    ).fetchone()
    if not mine[0] or kept[0] != personal:
        raise TrailBusyError(
            f"the entries from {one.first} on were changed meanwhile: run it again"
        )
    db.execute(
        "UPDATE archived SET state = 'moving', file = ?, draft = '', told = ? WHERE first = ?",
        (one.file, one.told, one.first),
    )


def drop_rows(db: Any, first: int, last: int) -> None:
    """Delete rows that an archive has."""
    db.execute("DELETE FROM event WHERE seq BETWEEN ? AND ?", (first, last))


def drop_tiles(db: Any, one: Range) -> None:
    """The trail has nothing of a range any more but the tiles above."""
    db.execute(
        "DELETE FROM tile WHERE level = 0 AND idx BETWEEN ? AND ?",
        (one.first // TILE_WIDTH, one.last // TILE_WIDTH),
    )
    db.execute("UPDATE archived SET state = 'archived' WHERE first = ?", (one.first,))


def forget_draft(db: Any, one: Range) -> None:
    """A file that counted for nothing is removed."""
    if one.state == "writing":
        db.execute("DELETE FROM archived WHERE first = ?", (one.first,))
    else:
        db.execute("UPDATE archived SET draft = '' WHERE first = ?", (one.first,))


def note_draft(db: Any, one: Range, draft: str) -> None:
    """Note that a file is about to be written that will take the place of a range's own."""
    db.execute("UPDATE archived SET draft = ? WHERE first = ?", (draft, one.first))


def swap(db: Any, one: Range, file: str) -> None:
    """The range has a new file; the old one counts for nothing."""
    db.execute(
        "UPDATE archived SET file = ?, draft = ? WHERE first = ?", (file, one.file, one.first)
    )


def give_up(db: Any, ranges: list[Range]) -> None:
    """Nobody has these ranges any more: their files count for nothing."""
    for each in ranges:
        db.execute(
            "UPDATE archived SET state = 'pruned', draft = file, file = '' WHERE first = ?",
            (each.first,),
        )


def take_back(db: Any, one: Range) -> None:
    """The trail is about to have rows of an archived range."""
    db.execute("UPDATE archived SET state = 'moving' WHERE first = ?", (one.first,))


def put_rows(db: Any, rows: list[tuple[Any, ...]]) -> None:
    """Put rows back as they were: `seq`, core, personal part, salt, sealed."""
    first, last = rows[0][0], rows[-1][0]
    db.execute("DELETE FROM event WHERE seq BETWEEN ? AND ?", (first, last))
    for row in rows:
        db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", row)


def put_tiles(db: Any, one: Range, leaves: list[bytes], *, keeps_file: bool) -> None:
    """The trail has all of a range again; its file counts for nothing, or is none of its own."""
    for at in range(0, len(leaves), TILE_WIDTH):
        idx = (one.first + at) // TILE_WIDTH
        db.execute("DELETE FROM tile WHERE level = 0 AND idx = ?", (idx,))
        db.execute(
            "INSERT INTO tile VALUES (0, ?, ?)", (idx, b"".join(leaves[at : at + TILE_WIDTH]))
        )
    if keeps_file:
        db.execute("DELETE FROM archived WHERE first = ?", (one.first,))
    else:
        db.execute(
            "UPDATE archived SET state = 'writing', draft = file, file = '' WHERE first = ?",
            (one.first,),
        )
