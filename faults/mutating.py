"""Mutations of a trail: each is found, the first bad entry is named, and no clean trail accused."""

import contextlib
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from flowaudit.errors import FlowauditError
from flowaudit.event import Core, encode_core
from flowaudit.proofs.checkpoint import sign_checkpoint
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.found import Verification
from flowaudit.verification.trail import verify_trail
from flowaudit.witnesses.publishing import Kept

from .comparing import Difference, difference, persons_of, state_of
from .figures import Figure
from .mutations import BY_BYTES, BY_SQL, Site, by_bytes, rebuild
from .trails import build_base, build_clean

__all__ = ["clean_trails", "mutate", "run", "stolen"]

SHARE_OF_BYTES: Final = 0.25
"""Share of the mutations that change the bytes of files."""

CHANGE: Final = "UPDATE event SET core = replace(core, '\"v\":1', '\"v\":2') WHERE seq = ?"

MUTATIONS: Final = 100_000
CLEAN: Final = 1_000
STOLEN: Final = 1_000


class _Bench:
    """A place for one worker: a base, another trail, and a copy that is damaged again and again."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.base = build_base(folder / "base")
        self.other = build_base(folder / "other", 150)
        self.target = folder / "target" / "t.db"
        self.target.parent.mkdir()
        self.files = {
            suffix: self.base.trail.with_name(f"t.db{suffix}").read_bytes()
            for suffix in ("", ".vault", ".pub", ".key")
        }
        with _opened(self.base.trail) as db, _opened(self.base.trail, ".vault") as vault:
            self.clean = state_of(db)
            self.clean.persons = persons_of(vault)
        with _opened(self.other.trail) as db:
            self.other_state = state_of(db)
        self.restore(*self.files)
        found = verify_trail(self.target, witnessed=[Kept("a witness", tuple(self.base.witnessed))])
        if not found.ok:
            raise RuntimeError(f"the base does not hold: {found.problems[:5]}")

    def restore(self, *suffixes: str) -> None:
        """Put files back as they were."""
        for suffix in suffixes:
            self.target.with_name(f"t.db{suffix}").write_bytes(self.files[suffix])

    @contextlib.contextmanager
    def site(self) -> Iterator[Site]:
        """The copy's file, open to be changed."""
        with _opened(self.target) as db:
            yield Site(db, self.rng, self.base, self.clean, self.other_state)

    def compare(self) -> Difference | None:
        """What is different now; `None` if that can't even be read."""
        try:
            with _opened(self.target) as db, _opened(self.target, ".vault") as vault:
                now = state_of(db)
                now.persons = persons_of(vault)
                return difference(self.clean, now)
        except (sqlite3.Error, UnicodeError, AssertionError, TypeError):
            return None


@contextlib.contextmanager
def _opened(trail: Path, suffix: str = "") -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(f"{trail}{suffix}", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA journal_mode = OFF")
        yield db


def _verified(trail: Path, witnessed: list[str]) -> Verification | None:
    """What verification says; `None` if it refuses. Anything else that it raises is a fault."""
    try:
        return verify_trail(trail, witnessed=[Kept("a witness", tuple(witnessed))])
    except FlowauditError:
        return None


def mutate(count: int, seed: int) -> list[Figure]:
    """Damage a copy of a trail with every feature `count` times, each time in another way."""
    found = Figure("mutations that say something", "found")
    named = Figure("… of them with a first bad entry", "that entry named")
    idle = Figure("mutations that say nothing", "nothing else is different, and nobody accused")
    kinds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=_fast()) as folder:
        bench = _Bench(Path(folder), seed)
        for _ in range(count):
            what = _damage(bench)
            kinds[what] += 1
            _judge(bench, what, found, named, idle)
            bench.restore(*(bench.files if "bytes of" in what else ("",)))
    found.note = f"{len(kinds)} kinds"
    return [found, named, idle]


def _damage(bench: _Bench) -> str:
    rng = bench.rng
    if rng.random() < SHARE_OF_BYTES:
        [end] = rng.choices(list(BY_BYTES), list(BY_BYTES.values()))
        suffix = "" if end == ".db" else end
        data = bytearray(bench.files[suffix])
        by_bytes(data, rng)
        bench.target.with_name(f"t.db{suffix}").write_bytes(data)
        return f"bytes of *{end}"
    names = list(BY_SQL)
    while True:
        [name] = rng.choices(names, [BY_SQL[n][1] for n in names])
        try:
            with bench.site() as site:
                BY_SQL[name][0](site)
            return name
        except sqlite3.IntegrityError:  # SQLite itself refuses that: another one
            bench.restore("")


def _judge(bench: _Bench, what: str, found: Figure, named: Figure, idle: Figure) -> None:
    try:
        said = _verified(bench.target, [])
    except Exception as error:  # a crash of the verifier is what is looked for
        found.count(False, f"{what}: it crashed: {error!r}")
        return
    differs = None if what == "schema changed" else bench.compare()
    if differs is None:
        found.count(said is None or not said.ok, f"{what}: unreadable, and it said yes")
        return
    if not differs.is_meant:
        if said is None or not said.ok:
            found.count(True)
        else:
            idle.count(True)
        return
    if not found.count(said is None or not said.ok, f"{what}: {differs}, and it said yes"):
        return
    if differs.first is not None and said is not None:
        first = said.first_bad
        low, high = differs.first
        named.count(
            first is not None and low <= first <= high,
            f"{what}: {differs.first}, and it named {first}: {said.problems[:3]}",
        )


def clean_trails(count: int, seed: int) -> list[Figure]:
    """Verify clean trails of random shape."""
    figure = Figure("clean trails of random shape", "nobody accused")
    for i in range(count):
        with tempfile.TemporaryDirectory(dir=_fast()) as folder:
            trail = Path(folder) / "t.db"
            build_clean(trail, random.Random(seed * 100_003 + i))
            said = verify_trail(trail)
            figure.count(said.ok, f"seed {seed * 100_003 + i}: {said.problems[:3]}")
    return [figure]


def stolen(count: int, seed: int) -> list[Figure]:
    """What no trail can tell by itself, and a witness can."""
    figure = Figure("rolled back, cut or signed anew with the stolen key", "seen by a witness")
    seen_alone = 0
    with tempfile.TemporaryDirectory(dir=_fast()) as folder:
        bench = _Bench(Path(folder), seed)
        for turn in range(count):
            what = STOLEN_WAYS[turn % len(STOLEN_WAYS)]
            what(bench)
            by_itself = _verified(bench.target, [])
            against = _verified(bench.target, bench.base.witnessed)
            seen_alone += by_itself is None or not by_itself.ok
            figure.count(against is None or not against.ok, what.__name__)
            for part in bench.target.parent.glob("t.db*"):
                if part.is_file():
                    part.unlink()
            bench.restore(*bench.files)
    figure.note = f"{count - seen_alone:,} of them by nobody else"
    return [figure]


def _roll_back(bench: _Bench) -> None:
    """The whole file of an earlier moment."""
    old = bench.rng.choice(bench.base.older)
    for suffix in ("", ".vault"):
        shutil.copy(f"{old}{suffix}", f"{bench.target}{suffix}")


def _roll_back_and_go_on(bench: _Bench) -> None:
    """The file of an earlier moment, which then grows again, longer than it was."""
    _roll_back(bench)
    with Trail(bench.target) as trail:
        size = trail.size()
        more = len(bench.clean.events) - size + bench.rng.randrange(1, 9)
        records = [
            (encode_core(Core(v=1, source="z" * 26, n=n, ts=n, kind="note")), b"")
            for n in range(1, more + 1)
        ]
        trail.append(records, "z" * 26, more)


def _sign_anew(bench: _Bench) -> None:
    """An entry changed, all hashes made anew, every checkpoint signed with the stolen key."""
    with bench.site() as site:
        site.run(CHANGE, site.seq())
        _sign_all(site)


def _sign_shorter(bench: _Bench) -> None:
    """The tail cut everywhere: rows, tiles, head, checkpoints and the table of sources."""
    with bench.site() as site:
        size = site.rng.randrange(1, len(site.clean.events))
        site.run("DELETE FROM event WHERE seq >= ?", size)
        rebuild(site.db, size)
        site.run("DELETE FROM checkpoint WHERE size > ?", size)
        _settle_sources(site)
        _sign_all(site)


def _sign_all(site: Site) -> None:
    state = state_of(site.db)
    origin, key = f"flowaudit/{site.clean.name}", site.key()
    top = len(state.events)
    for size in {*(size for size, _ in site.clean.checkpoints if size < top), top}:
        root = rebuild(site.db, size)
        note = sign_checkpoint((key,), origin, size, root)
        site.run("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", size, note)
    rebuild(site.db, top)


def _settle_sources(site: Site) -> None:
    """Numbers of the table lowered to those of the entries that are left."""
    site.run(
        "UPDATE source SET last_n = coalesce((SELECT max(json_extract(core, '$.n')) FROM event"
        " WHERE json_extract(CAST(core AS TEXT), '$.source') = CAST(source.id AS TEXT)), 0)"
    )


def _leave_tail_unsigned(bench: _Bench) -> None:
    """The newest checkpoints removed, and what they alone covered changed with its hashes."""
    with bench.site() as site:
        sizes = [size for size, _ in site.clean.checkpoints]
        at = site.rng.randrange(1, len(sizes))
        site.run("DELETE FROM checkpoint WHERE size > ?", sizes[at - 1])
        seq = site.rng.randrange(sizes[at - 1], len(site.clean.events))
        site.run(CHANGE, seq)
        rebuild(site.db, len(site.clean.events))


STOLEN_WAYS: Final[tuple[Callable[[_Bench], None], ...]] = (
    _roll_back,
    _roll_back_and_go_on,
    _sign_anew,
    _sign_shorter,
    _leave_tail_unsigned,
)


def _fast() -> str | None:
    """Where files cost no disk."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None


def _in_parts(work: Callable[[int, int], list[Figure]], count: int, seed: int) -> list[Figure]:
    """The same work in two processes, its figures added up."""
    parts = 2
    with ProcessPoolExecutor(parts, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(work, count // parts, seed + part) for part in range(parts)]
        made = [future.result() for future in futures]
    whole = made[0]
    for other in made[1:]:
        for figure, more in zip(whole, other, strict=True):
            figure.add(more)
    return whole


def run(scale: float = 1.0, seed: int = 1) -> list[Figure]:
    """All mutations."""
    return [
        *_in_parts(mutate, int(MUTATIONS * scale), seed),
        *_in_parts(stolen, int(STOLEN * scale), seed),
        *_in_parts(clean_trails, int(CLEAN * scale), seed),
    ]
