"""Erasing a person from the vault, and the legal holds that forbid it.

Erasing has three steps, so that it can be broken off anywhere and run again: the mapping goes and
the token is called erased, which every writer of events heeds from then on (`begin_erasure`); the
trail is cleaned; the name that was kept to find the token by is dropped (`end_erasure`).
"""

from dataclasses import dataclass

from ..errors import VaultError
from .base import AnyVault, Database, is_token, spelled

__all__ = [
    "Hold",
    "Person",
    "begin_erasure",
    "end_erasure",
    "find_person",
    "held_tokens",
    "hold_of",
    "place_hold",
    "release_hold",
]


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: while it stands, its person is not erased."""

    since: int
    """µs since 1970 UTC."""
    why: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the vault knows, or knew."""

    identity: str | None
    """`None` once it is erased."""
    live: str | None
    """The token that their events get now; `None` if there is none."""
    erasing: tuple[str, ...] = ()
    """Tokens whose erasure has begun and was broken off."""
    erased: str | None = None
    """A token asked for that is erased for good."""
    erased_at: int = 0
    """When that was, µs since 1970 UTC."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every token that leads to them."""
        return tuple(t for t in (self.live, *self.erasing, self.erased) if t is not None)


def find_person(vault: AnyVault, asked: str) -> Person | None:
    """Whom an identity or a token means; `None` if the vault has never met them."""
    return vault.ask(lambda db: _find(vault, db, asked))


def begin_erasure(vault: AnyVault, person: Person, ts: int) -> None:
    """The mapping and its salt are gone and the token is erased, durably when this returns.

    Raises `VaultError`, and changes nothing, while a legal hold stands.
    """

    def step(db: Database) -> None:
        for token in person.tokens:
            hold = _hold(db, token)
            if hold is not None:
                raise VaultError(f"a legal hold forbids to erase {token}: {hold.why}")
        for token in person.tokens:
            db.execute(
                "INSERT INTO erasing SELECT token, identity FROM person WHERE token = ?"
                " ON CONFLICT DO NOTHING",
                (token,),
            )
            db.execute("DELETE FROM person WHERE token = ?", (token,))
            db.execute("INSERT INTO erased VALUES (?, ?) ON CONFLICT DO NOTHING", (token, ts))
        db.execute("UPDATE generation SET number = number + 1")

    vault.change(step)
    vault.forget()


def end_erasure(vault: AnyVault, person: Person) -> None:
    """The trail holds nothing personal of them any more: their name is dropped too."""

    def step(db: Database) -> None:
        for token in person.tokens:
            db.execute("DELETE FROM erasing WHERE token = ?", (token,))

    vault.change(step)


def hold_of(vault: AnyVault, token: str) -> Hold | None:
    """The legal hold that stands on a token; `None` if there is none."""
    return vault.ask(lambda db: _hold(db, token))


def held_tokens(vault: AnyVault) -> list[str]:
    """The tokens of everybody on whom a legal hold stands."""
    return vault.ask(
        lambda db: [token for (token,) in db.execute("SELECT token FROM hold ORDER BY token")]
    )


def place_hold(vault: AnyVault, token: str, hold: Hold) -> None:
    """Forbid to erase a person; a hold that stands already keeps its day and gets the new reason.

    Raises `VaultError` if the token is not a living person's.
    """

    def step(db: Database) -> None:
        if db.execute("SELECT 1 FROM person WHERE token = ?", (token,)).fetchone() is None:
            raise VaultError(f"nothing is left to hold: the erasure of {token} has begun")
        db.execute(
            "INSERT INTO hold VALUES (?, ?, ?)"
            " ON CONFLICT (token) DO UPDATE SET why = excluded.why",
            (token, hold.since, hold.why),
        )

    vault.change(step)


def release_hold(vault: AnyVault, token: str) -> None:
    """Allow again to erase a person."""
    vault.change(lambda db: db.execute("DELETE FROM hold WHERE token = ?", (token,)) and None)


def _find(vault: AnyVault, db: Database, asked: str) -> Person | None:
    identity = spelled(asked)
    if is_token(asked):
        row = db.execute("SELECT identity FROM erasing WHERE token = ?", (asked,)).fetchone()
        gone = db.execute("SELECT ts FROM erased WHERE token = ?", (asked,)).fetchone()
        _, living = vault.row_of(db, "token", asked)
        if living is not None:
            identity = living
        elif row is not None:
            identity = row[0]
        elif gone is not None:
            return Person(None, None, erased=asked, erased_at=int(gone[0]))
    live, _ = vault.row_of(db, "identity", identity)
    begun = db.execute("SELECT token FROM erasing WHERE identity = ? ORDER BY token", (identity,))
    erasing = tuple(token for (token,) in begun)
    if live is None and not erasing:
        return None
    return Person(identity, live, erasing)


def _hold(db: Database, token: str) -> Hold | None:
    row = db.execute("SELECT ts, why FROM hold WHERE token = ?", (token,)).fetchone()
    return Hold(int(row[0]), str(row[1])) if row else None
