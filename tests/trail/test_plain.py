"""Tiles that are taken in one go say what their entries say one by one."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.trails import build_base, build_clean, plain_copy
from flowaudit.event import Core, encode_core
from flowaudit.proofs.merkle import NOT_SEALED, TILE_WIDTH
from flowaudit.trail.plain import StoredRow, plain_tile
from flowaudit.trail.reader import TrailReader
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_base(tmp_path_factory.mktemp("base"), 260).trail


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[StoredRow], bytes]:
    """Rows and hashes of the second tile of an even trail."""
    trail = tmp_path_factory.mktemp("even") / "t.db"
    cores = [encode_core(Core(v=1, source="s" * 26, n=n, ts=n, kind="note")) for n in range(1, 601)]
    with Trail(trail) as writer:
        for at in range(0, 600, 100):
            pairs = [(core, b'{"path":"/x"}' if i % 3 else b"") for i, core in enumerate(cores)]
            writer.append(pairs[at : at + 100], "s" * 26, at + 100, running="boot")
    with TrailReader(trail) as reader:
        found, tile = reader._tile_rows(1), reader.tile(0, 1)
    assert found is not None
    assert tile is not None
    return found, tile


def test_an_even_tile_is_plain(second: tuple[list[StoredRow], bytes]) -> None:
    found = plain_tile(*second, TILE_WIDTH)
    assert found is not None
    [(first, last, seq)] = found.runs.values()
    assert (last - first + 1, seq) == (TILE_WIDTH, 2 * TILE_WIDTH - 1)


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_say_the_same(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    trail = tmp_path / "t.db"
    if seed % 2:
        build_clean(trail, rng)
    else:
        plain_copy(base, trail)
        with Trail(trail) as writer:
            writer.change(
                lambda db: db.execute(
                    rng.choice(
                        (
                            "UPDATE event SET core = replace(core, 'GET', 'PUT') WHERE seq = 300",
                            "DELETE FROM event WHERE seq BETWEEN 290 AND 310",
                            "UPDATE event SET personal = NULL, salt = NULL WHERE seq > 270",
                            "UPDATE event SET seq = seq + 100000 WHERE seq > 400",
                            "UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND idx = 1",
                        )
                    )
                )
            )
    quick = verify_trail(trail)
    monkeypatch.setattr(TrailReader, "plain_tile", lambda *_: None)
    assert verify_trail(trail) == quick


CHANGES: dict[str, Callable[[list[object]], object]] = {
    "seq": lambda row: row.__setitem__(0, 7),
    "core": lambda row: row.__setitem__(1, str(row[1])),
    "salt of 15 bytes": lambda row: row.__setitem__(3, b"x" * 15),
    "salt as text": lambda row: row.__setitem__(3, "x" * 16),
    "salt alone": lambda row: row.__setitem__(2, None),
    "personal alone": lambda row: row.__setitem__(3, None),
    "sealed beside": lambda row: row.__setitem__(4, b"x" * 32),
    "never sealed": lambda row: row.__setitem__(slice(2, 5), [None, None, NOT_SEALED]),
    "a number": lambda row: row.__setitem__(2, 5),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_what_is_not_plain_is_left_to_care(
    second: tuple[list[StoredRow], bytes], change: Callable[[list[object]], object]
) -> None:
    found, tile = second
    at = next(i for i, row in enumerate(found) if row[2] is not None)
    assert plain_tile(found, tile, TILE_WIDTH) is not None
    row = list(found[at])
    change(row)
    changed = (row[0], row[1], row[2], row[3], row[4])
    assert plain_tile([*found[:at], changed, *found[at + 1 :]], tile, TILE_WIDTH) is None
    assert plain_tile(found[:-1], tile, TILE_WIDTH) is None
