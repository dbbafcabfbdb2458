"""Trails for tests of the archive, and what is in them."""

from pathlib import Path

from flowaudit.archive.places import ArchivePlace
from flowaudit.archive.reading import with_archives
from flowaudit.event import Core, Entry, Personal, encode_core, encode_personal
from flowaudit.proofs.note import VerifierKey
from flowaudit.trail.opening import open_reader
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.found import Verification
from flowaudit.verification.trail import verify_trail

DAY = 86_400_000_000
START = 20_000 * DAY
NOW = START + 100 * DAY
SOURCE = "s" * 26


def record(n: int, ts: int, actor: str | None = None) -> tuple[bytes, bytes]:
    core = Core(
        v=1,
        source=SOURCE,
        n=n,
        ts=ts,
        kind="request",
        method="GET",
        route="/p/{id}",
        status=200,
        actor=actor,
        roles=["nurse"] if n % 2 else None,
    )
    personal = Personal(client=f"10.0.0.{n % 7}", path=f"/p/{n}") if n % 3 else Personal()
    return encode_core(core), encode_personal(personal)


def grow(trail: Path | TrailPaths, days: list[int], *, actors: list[str] | None = None) -> None:
    """A trail with so many entries more on each day, and a checkpoint behind each."""
    with Trail(trail) as writer:
        n = writer.last_n(SOURCE)
        for day, count in enumerate(days):
            made = []
            for at in range(count):
                n += 1
                actor = actors[n % len(actors)] if actors else None
                made.append(record(n, START + day * DAY + at * 1000, actor))
            for first in range(0, count, 500):
                part = made[first : first + 500]
                writer.append(part, SOURCE, n - count + first + len(part))
            writer.checkpoint()


def contents(trail: Path) -> list[Entry]:
    with open_reader(trail) as reader:
        return list(reader.entries())


def verify_archived(
    trail: Path, places: list[ArchivePlace], key: VerifierKey | None = None
) -> Verification:
    return verify_trail(trail, beside=with_archives(places), key=key)
