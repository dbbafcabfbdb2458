"""What of a trail is different from a clean one, found out beside verification and without it."""

import sqlite3
from dataclasses import dataclass

__all__ = ["Difference", "State", "difference", "persons_of", "state_of"]

Row = tuple[bytes | None, bytes | None, bytes | None, bytes | None]


@dataclass(slots=True)
class State:
    """All that a trail says, as bytes: the type that SQLite keeps them under says nothing."""

    events: dict[int, Row]
    tiles: dict[tuple[object, object], bytes]
    head: list[tuple[object, bytes]]
    sources: dict[bytes, object]
    checkpoints: list[tuple[int, str]]
    name: str
    persons: dict[str, tuple[object, str]]


@dataclass(slots=True)
class Difference:
    """Where two states part."""

    first: tuple[int, int] | None
    """Between which entries the first bad one lies, both included; `None` if none can be named."""
    is_meant: bool
    """Whether anything that is different says something."""
    why_not: str = ""
    """Else: why it says nothing."""


def state_of(db: sqlite3.Connection) -> State:
    """Read everything. Raises `sqlite3.Error` if that is not possible."""
    db.text_factory = bytes
    events = {
        seq: (_bytes(core), _bytes(personal), _bytes(salt), _bytes(sealed))
        for seq, core, personal, salt, sealed in db.execute(
            "SELECT seq, core, personal, salt, sealed FROM event NOT INDEXED"
        )
    }
    return State(
        events,
        {(row[0], row[1]): _bytes(row[2]) or b"" for row in db.execute("SELECT * FROM tile")},
        [(size, _bytes(frontier) or b"") for _, size, frontier in db.execute("SELECT * FROM head")],
        {_bytes(row[0]) or b"": row[1] for row in db.execute("SELECT id, last_n FROM source")},
        [
            (size, (_bytes(note) or b"").decode("utf-8", "replace"))
            for size, note in db.execute("SELECT size, note FROM checkpoint ORDER BY size")
        ],
        b" ".join(_bytes(row[0]) or b"" for row in db.execute("SELECT id FROM trail")).decode(
            "utf-8", "replace"
        ),
        {},
    )


def persons_of(db: sqlite3.Connection) -> dict[str, tuple[object, str]]:
    """Whom a vault's tokens stand for."""
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    return {
        str(token): (salt, str(identity))
        for token, salt, identity in db.execute("SELECT token, salt, identity FROM person")
    }


def difference(clean: State, now: State) -> Difference:
    """Where the states part, and whether that says anything."""
    rows, hashes = _of_events(clean, now), _of_tiles(clean, now)
    if rows is not None and hashes is not None:
        # where hashes were made anew, only the checkpoints speak: of all since the last that agrees
        agreed = max((size for size, _ in clean.checkpoints if size <= rows[0]), default=0)
        hashes = min(hashes[0], agreed), hashes[1]
    spans = [span for span in (rows, hashes) if span is not None]
    stray = set(now.tiles) - set(clean.tiles)
    other = now.name != clean.name or now.head != clean.head or now.persons != clean.persons
    if spans:
        first = min(span[0] for span in spans), min(span[1] for span in spans)
        return Difference(first, True)
    if other or stray or _sources(clean) != _sources(now):
        return Difference(None, True)
    if set(now.checkpoints) - set(clean.checkpoints) or not now.checkpoints:
        return Difference(None, True)
    if now.checkpoints != clean.checkpoints:
        return Difference(None, False, "a checkpoint less: others cover its entries")
    return Difference(None, False, "nothing that is read is different")


def _sources(state: State) -> dict[bytes, object]:
    """Sources without those that have no number: no event is claimed by them."""
    return {source: n for source, n in state.sources.items() if n != 0}


def _of_events(clean: State, now: State) -> tuple[int, int] | None:
    both = clean.events.keys() | now.events.keys()
    changed = [seq for seq in both if clean.events.get(seq) != now.events.get(seq)]
    return (min(changed), min(changed)) if changed else None


def _of_tiles(clean: State, now: State) -> tuple[int, int] | None:
    """From the first entry under a changed tile to the first under a changed hash."""
    spans = []
    for (level, idx), hashes in clean.tiles.items():
        theirs = now.tiles.get((level, idx), b"")
        if theirs != hashes:
            assert isinstance(level, int)
            assert isinstance(idx, int)
            at = next(
                (i for i in range(0, len(hashes), 32) if hashes[i : i + 32] != theirs[i : i + 32]),
                len(hashes),
            )
            first, width = idx * 256 << 8 * level, 1 << 8 * level
            spans.append((first, first + (at // 32 + 1) * width - 1))
    return min(spans) if spans else None


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()
