"""What may be done to a trail by a hand that has its file, its tools, or even its key.

Each mutation changes a copy, through SQL or in the bytes of its files. It need not say what it has
done: what is different is found out by comparing (`comparing.py`). Only what it has done with more
than the file, such as rolling all of it back or signing with the stolen key, it must say.
"""

import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from flowaudit.event import Core, encode_core, new_source
from flowaudit.proofs.checkpoint import sign_checkpoint
from flowaudit.proofs.merkle import SALT_BYTES, Tree, frontier_root, leaf_hash, seal, split_hashes
from flowaudit.trail.ranges import Telling

from .comparing import State, state_of
from .trails import Base

__all__ = ["BY_BYTES", "BY_SQL", "Site", "by_bytes", "rebuild"]


@dataclass(slots=True)
class Site:
    """What a mutation has to work with."""

    db: sqlite3.Connection
    rng: random.Random
    base: Base
    clean: State
    other: State
    """Another trail, to take things from."""

    def seq(self) -> int:
        """Any entry."""
        return self.rng.choice(list(self.clean.events))

    def two(self) -> tuple[int, int]:
        """Two entries that differ, in order."""
        first, second = sorted(self.rng.sample(list(self.clean.events), 2))
        return first, second

    def key(self) -> Ed25519PrivateKey:
        """The operator's own key, stolen."""
        pem = self.base.trail.with_name(self.base.trail.name + ".key").read_bytes()
        found = load_pem_private_key(pem, password=None)
        assert isinstance(found, Ed25519PrivateKey)
        return found

    def run(self, sql: str, *values: object) -> None:
        """Run a statement."""
        self.db.execute(sql, values)


Mutation = Callable[[Site], None]

COLUMNS: Final = {
    "event": ("core", "personal", "salt", "sealed"),
    "tile": ("hashes", "level", "idx"),
    "head": ("size", "frontier"),
    "source": ("id", "last_n", "running"),
    "checkpoint": ("size", "note"),
    "trail": ("id",),
}


def _flipped(value: object, rng: random.Random) -> object:
    """A value with one bit or byte changed, or something else in its place."""
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, value ^ 1 << rng.randrange(31), -value, "x", None))
    if value is None:
        return rng.choice((b"\0" * SALT_BYTES, b"x", "", 7, b"\0" * 32))
    data = bytearray(value.encode() if isinstance(value, str) else value)  # type: ignore[arg-type]
    if not data or rng.random() < 0.1:
        return rng.choice((None, b"", b"\0" * len(data), bytes(data) + b"\0", bytes(data[:-1])))
    at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def flip_column(site: Site) -> None:
    """A bit of any column of any row of any table."""
    table = site.rng.choice((*["event"] * 6, *["tile"] * 2, *COLUMNS))
    column = site.rng.choice(COLUMNS[table])
    key = {"event": "seq", "tile": "level, idx", "source": "id", "checkpoint": "size"}.get(
        table, "one"
    )
    rows = site.db.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
    *where, value = site.rng.choice(rows)
    named = " AND ".join(f"{name} = ?" for name in key.split(", "))
    site.run(
        f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {named}",
        _flipped(value, site.rng),
        *where,
    )


def change_field(site: Site) -> None:
    """Another value in a core or personal part that is still good JSON."""
    old, new = site.rng.choice(
        (("200", "403"), ("GET", "PUT"), ("user", "bot"), ("ok", "hidden"), ("10.0", "10.9"))
    )
    column = site.rng.choice(("core", "personal"))
    site.run(
        f"UPDATE event SET {column} = replace({column}, ?, ?) WHERE seq >= ?", old, new, site.seq()
    )


def delete_rows(site: Site) -> None:
    """Some entries in a row."""
    first = site.seq()
    site.run("DELETE FROM event WHERE seq BETWEEN ? AND ?", first, first + site.rng.randrange(9))


def duplicate_row(site: Site) -> None:
    """An entry once more, in the place of another, or behind the last."""
    copied, place = site.seq(), site.rng.choice((site.seq(), len(site.clean.events), -3))
    site.run(
        "INSERT OR REPLACE INTO event SELECT ?, core, personal, salt, sealed FROM event"
        " WHERE seq = ?",
        place,
        copied,
    )


def swap_rows(site: Site) -> None:
    """Two entries change places."""
    first, second = site.two()
    for source, target in ((first, -9), (second, first), (-9, second)):
        site.run("UPDATE event SET seq = ? WHERE seq = ?", target, source)


def rotate_rows(site: Site) -> None:
    """A range of entries, each one place on, the last first."""
    first, last = site.two()
    site.run("UPDATE event SET seq = -1000000 WHERE seq = ?", last)
    site.run("UPDATE event SET seq = -1 - seq WHERE seq >= ? AND seq < ?", first, last)
    site.run("UPDATE event SET seq = -seq WHERE seq < 0 AND seq > -1000000")
    site.run("UPDATE event SET seq = ? WHERE seq = -1000000", first)


def shift_rows(site: Site) -> None:
    """All entries from a place on move, and leave a hole or cover another."""
    first, by = site.seq(), site.rng.choice((1, 2, 1_000, 2**40))
    site.run("UPDATE event SET seq = -1 - (seq + ?) WHERE seq >= ?", by, first)
    site.run("UPDATE event SET seq = -1 - seq WHERE seq < 0")


def swap_columns(site: Site) -> None:
    """Salt, personal part, both, or core of two entries are exchanged."""
    first, second = site.two()
    columns = site.rng.choice((("salt",), ("personal",), ("salt", "personal"), ("core",)))
    names = ", ".join(columns)
    one, two = (
        site.db.execute(f"SELECT {names} FROM event WHERE seq = ?", (seq,)).fetchone()
        for seq in (first, second)
    )
    named = ", ".join(f"{name} = ?" for name in columns)
    site.run(f"UPDATE event SET {named} WHERE seq = ?", *two, first)
    site.run(f"UPDATE event SET {named} WHERE seq = ?", *one, second)


def swap_people(site: Site) -> None:
    """Two people's tokens change places in every entry from a place on."""
    tokens = sorted(site.clean.persons)
    if len(tokens) < 2:
        return
    one, two = site.rng.sample(tokens, 2)
    site.run(
        "UPDATE event SET core = replace(replace(replace(core, ?1, '#'), ?2, ?1), '#', ?2)"
        " WHERE seq >= ?3",
        one,
        two,
        site.rng.choice((0, site.seq())),
    )


def take_from_other_trail(site: Site) -> None:
    """An entry of another trail in the place of one of this."""
    seq = site.rng.choice(list(site.other.events))
    site.run(
        "INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?)",
        site.rng.choice((seq, site.seq(), len(site.clean.events))),
        *site.other.events[seq],
    )


def seal_rows(site: Site) -> None:
    """Personal parts are removed as an erasure does, without one."""
    first = site.seq()
    for seq in range(first, first + site.rng.randrange(1, 5)):
        _, personal, salt, _ = site.clean.events.get(seq, (None,) * 4)
        if personal is not None and salt is not None:
            site.run(
                "UPDATE event SET personal = NULL, salt = NULL, sealed = ? WHERE seq = ?",
                seal(salt, personal),
                seq,
            )


def add_sealed_row(site: Site) -> None:
    """An entry that claims to have been erased."""
    core = encode_core(Core(v=1, source=new_source(), n=1, ts=1, kind="note"))
    place = site.rng.choice((site.seq(), len(site.clean.events)))
    sealed = site.rng.randbytes(32)
    site.run("INSERT OR REPLACE INTO event VALUES (?, ?, NULL, NULL, ?)", place, core, sealed)


def drop_erasure(site: Site) -> None:
    """The event that tells an erasure goes, or tells less."""
    erasures = [seq for seq, row in site.clean.events.items() if b'"erases"' in (row[0] or b"")]
    seq = site.rng.choice(erasures)
    statement = site.rng.choice(
        (
            "DELETE FROM event WHERE seq = ?",
            "UPDATE event SET core = replace(core, 'erase\"', 'manual\"') WHERE seq = ?",
            "UPDATE event SET core = replace(core, '\"seqs\":[[', '\"seqs\":[[9999,9999],[')"
            " WHERE seq = ?",
        )
    )
    site.run(statement, seq)


def unerase(site: Site) -> None:
    """A personal part is invented for an entry that was erased, or taken from another."""
    sealed = [seq for seq, row in site.clean.events.items() if row[3] is not None]
    site.run(
        "UPDATE event SET personal = ?, salt = ?, sealed = ? WHERE seq = ?",
        '{"path":"/x"}',
        site.rng.randbytes(SALT_BYTES),
        site.rng.choice((None, site.rng.randbytes(32))),
        site.rng.choice(sealed),
    )


def edit_tiles(site: Site) -> None:
    """Tiles are removed, cut, exchanged, or added where none belongs."""
    site.run(
        site.rng.choice(
            (
                "DELETE FROM tile WHERE level = 0 AND idx = 0",
                "DELETE FROM tile WHERE level = 1",
                "DELETE FROM tile",
                "UPDATE tile SET hashes = substr(hashes, 1, length(hashes) - 32)",
                "UPDATE tile SET hashes = hashes || zeroblob(32)",
                "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 0",
                "UPDATE OR REPLACE tile SET idx = idx + 1",
                "UPDATE OR REPLACE tile SET level = level + 1",
                "INSERT INTO tile VALUES (7, 0, zeroblob(32))",
                "INSERT INTO tile VALUES (0, 77, zeroblob(32))",
                "INSERT INTO tile VALUES (-1, 0, zeroblob(32))",
            )
        )
    )


def change_row_and_tile(site: Site) -> None:
    """An entry and the hash that was recorded for it, both."""
    seq = site.seq()
    core, personal, salt, sealed = site.clean.events[seq]
    core = (core or b"").replace(b'"v":1', b'"v":2')
    site.run("UPDATE event SET core = ? WHERE seq = ?", core, seq)
    if personal is not None and salt is not None:
        sealed = seal(salt, personal)
    leaf = leaf_hash(core, sealed or bytes(32))
    tile = site.clean.tiles[0, seq // 256]
    at = seq % 256 * 32
    site.run(
        "UPDATE tile SET hashes = ? WHERE level = 0 AND idx = ?",
        tile[:at] + leaf + tile[at + 32 :],
        seq // 256,
    )


def rewrite_history(site: Site) -> None:
    """An entry is changed and all hashes are made anew; the checkpoints stay."""
    change_field(site)
    if state_of(site.db).events == site.clean.events:
        site.run("UPDATE event SET core = core || ' ' WHERE seq = ?", site.seq())
    rebuild(site.db, len(site.clean.events))


def cut_tail(site: Site) -> None:
    """The newest entries go, with tiles and head; checkpoints or sources may go too."""
    size = site.rng.randrange(len(site.clean.events))
    site.run("DELETE FROM event WHERE seq >= ?", size)
    choice = site.rng.randrange(3)
    if choice:
        rebuild(site.db, size)
    if choice == 2:
        site.run("DELETE FROM checkpoint WHERE size > ?", size)


def replay_head(site: Site) -> None:
    """The head of an earlier moment."""
    size = site.rng.randrange(len(site.clean.events))
    tree = _tree(site.clean, size)
    site.run("UPDATE head SET size = ?, frontier = ?", size, b"".join(tree.frontier))


def forge_checkpoint(site: Site) -> None:
    """A checkpoint by another key, over another root, with an edited note, or of another trail."""
    size, note = site.rng.choice(site.clean.checkpoints)
    origin, root = f"flowaudit/{site.clean.name}", _tree(site.clean, size).root()
    other = Ed25519PrivateKey.generate()
    match site.rng.randrange(8):
        case 0:
            note = sign_checkpoint((other,), origin, size, root)
        case 1:
            note = sign_checkpoint((other,), origin, size, site.rng.randbytes(32))
        case 2:
            note = note.replace(f"\n{size}\n", f"\n{size + 1}\n", 1)
        case 3:
            note = site.rng.choice(site.other.checkpoints)[1]
        case 4:
            note = _edited(note, site.rng)
        case 5:
            note = note.partition("\n\n")[0] + "\n\n"
        case 6:
            size = site.rng.choice((size + 1, 2**40, -5))
        case _:
            note = note + site.rng.choice(("x\n", "\n", "— a b\n", "\0"))
    site.run("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", size, note)


def _edited(note: str, rng: random.Random) -> str:
    at = rng.randrange(len(note))
    return note[:at] + rng.choice(("A", "=", " ", "\n", "")) + note[at + 1 :]


def edit_sources(site: Site) -> None:
    """The table of sources: numbers lowered, raised or gone, rows removed or added."""
    site.run(
        site.rng.choice(
            (
                "DELETE FROM source",
                "UPDATE source SET last_n = last_n - 1",
                "UPDATE source SET last_n = last_n + 3",
                "UPDATE source SET last_n = NULL",
                "UPDATE source SET last_n = 'many'",
                "UPDATE source SET last_n = 0",
                "DELETE FROM source WHERE id = (SELECT max(id) FROM source)",
                "UPDATE source SET id = 'x' || id",
                "INSERT INTO source VALUES ('nobody', 5, NULL)",
                "UPDATE source SET running = 'x'",
            )
        )
    )


def claim_pruned(site: Site) -> None:
    """A full tile of entries is removed, and called pruned as retention would have left it."""
    telling = Telling()
    for seq in range(256):
        telling.see(seq, site.clean.events[seq][0] or b"")
    site.run("DELETE FROM event WHERE seq < 256")
    site.run("DELETE FROM tile WHERE level = 0 AND idx = 0")
    site.run(
        "INSERT INTO archived (first, last, state, place, file, draft, first_ts, last_ts, told)"
        " VALUES (0, 255, 'pruned', '', '', '', 1, 2, ?)",
        telling.text(),
    )


def hostile_schema(site: Site) -> None:
    """Views, triggers, indices and columns that are not ours."""
    site.db.executescript(
        site.rng.choice(
            (
                "ALTER TABLE event RENAME TO e2; CREATE VIEW event AS SELECT * FROM e2",
                "ALTER TABLE tile RENAME TO t2; CREATE VIEW tile AS SELECT * FROM t2",
                "ALTER TABLE head RENAME TO h2; CREATE VIEW head AS SELECT * FROM h2",
                "CREATE TRIGGER gone AFTER INSERT ON event BEGIN DELETE FROM event; END",
                "CREATE INDEX covering ON event (seq, core, personal, salt, sealed)",
                "ALTER TABLE event RENAME TO e2; CREATE VIEW event AS WITH RECURSIVE r(seq) AS"
                " (SELECT 0 UNION ALL SELECT seq + 1 FROM r) SELECT seq, '' AS core,"
                " NULL AS personal, NULL AS salt, NULL AS sealed FROM r",
                "ALTER TABLE event ADD COLUMN more TEXT DEFAULT 'x'",
                "ALTER TABLE checkpoint RENAME TO c2",
                "DROP TABLE source",
            )
        )
    )


BY_SQL: Final[dict[str, tuple[Mutation, int]]] = {
    "bits of columns": (flip_column, 30),
    "fields of events": (change_field, 4),
    "entries deleted": (delete_rows, 5),
    "entries duplicated": (duplicate_row, 5),
    "entries swapped": (swap_rows, 5),
    "entries rotated": (rotate_rows, 4),
    "entries moved": (shift_rows, 4),
    "salts, personal parts, cores exchanged": (swap_columns, 5),
    "two people's tokens swapped in events": (swap_people, 3),
    "events of another trail put in": (take_from_other_trail, 4),
    "personal parts taken without an erasure": (seal_rows, 4),
    "sealed entries added": (add_sealed_row, 3),
    "erasure events dropped": (drop_erasure, 3),
    "personal parts put back": (unerase, 3),
    "tiles edited": (edit_tiles, 3),
    "an entry and its hash changed": (change_row_and_tile, 3),
    "history rewritten, checkpoints kept": (rewrite_history, 3),
    "tail cut": (cut_tail, 4),
    "an old head put back": (replay_head, 3),
    "checkpoints forged": (forge_checkpoint, 6),
    "table of sources edited": (edit_sources, 3),
    "entries called pruned": (claim_pruned, 1),
    "schema changed": (hostile_schema, 1),
}
"""Name: what is done, and how often beside the others."""


def by_bytes(data: bytearray, rng: random.Random) -> None:
    """A bit, byte, block or page of a file changed, swapped or zeroed, or the file cut."""
    at = rng.randrange(len(data))
    match rng.randrange(8):
        case 0 | 1 | 2:
            data[at] ^= 1 << rng.randrange(8)
        case 3 | 4:
            data[at] = rng.randrange(256)
        case 5:
            data[at : at + 64] = rng.randbytes(len(data[at : at + 64]))
        case 6:
            page = 16_384 if len(data) > 65_536 else len(data) // 4
            pages = len(data) // page
            one, two = rng.randrange(pages), rng.randrange(pages)
            a, b = slice(one * page, one * page + page), slice(two * page, two * page + page)
            data[a], data[b] = data[b], data[a]
        case _:
            del data[at:]


BY_BYTES: Final = {".db": 20, ".vault": 3, ".pub": 2}
"""Ends of the files whose bytes are changed, and how often beside the others."""


def _tree(state: State, size: int) -> Tree:
    tree = Tree()
    hashes = b"".join(state.tiles[0, idx] for idx in range(-(-size // 256)))
    tree.extend(split_hashes(hashes)[:size])
    return tree


def rebuild(db: sqlite3.Connection, size: int) -> bytes:
    """Tiles and head made anew for the rows that are there; gives the root."""
    tree, state = Tree(), state_of(db)
    leaves = []
    for seq in range(size):
        core, personal, salt, sealed = state.events.get(seq, (b"", None, None, None))
        if personal is not None and salt is not None:
            sealed = seal(salt, personal) if len(salt) == SALT_BYTES else bytes(32)
        leaves.append(leaf_hash(core or b"", (sealed or bytes(32)).ljust(32)[:32]))
    tree.extend(leaves)
    db.execute("DELETE FROM tile")
    db.executemany("INSERT INTO tile VALUES (?, ?, ?)", tree.take_tiles())
    db.execute("UPDATE head SET size = ?, frontier = ?", (tree.size, b"".join(tree.frontier)))
    return frontier_root(tree.frontier)
