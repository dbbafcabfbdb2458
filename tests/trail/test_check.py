"""Verification names what was done to a trail, and accuses no clean one."""

import base64
import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flowaudit.errors import NotATrailError
from flowaudit.event import Core, Personal, encode_core, encode_personal
from flowaudit.proofs.checkpoint import sign_checkpoint
from flowaudit.proofs.merkle import Tree
from flowaudit.proofs.note import VerifierKey
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.verification.trail import verify_trail
from tests.trail.stores import only_sqlite

Sql = Callable[..., list[tuple[Any, ...]]]
SIZE = 700
ANN = "t" * 52


def records(count: int, source: str = "s" * 26, first: int = 1) -> list[tuple[bytes, bytes]]:
    made = []
    for n in range(first, first + count):
        core = Core(v=1, source=source, n=n, ts=n * 1000, kind="request", method="GET", actor=ANN)
        personal = Personal(client="10.0.0.1", path=f"/p/{n}") if n % 3 else Personal()
        made.append((encode_core(core), encode_personal(personal)))
    return made


@pytest.fixture
def grown(trail: Path) -> Path:
    with open_trail(trail) as writer:
        for start in range(0, SIZE, 50):
            writer.append(records(50, first=start + 1), "s" * 26, start + 50)
            if start in (100, 400):
                writer.checkpoint()
    return trail


def problems(trail: Path) -> list[tuple[int | None, str]]:
    return [(problem.seq, problem.what) for problem in verify_trail(trail).problems]


def test_a_clean_trail_holds(grown: Path) -> None:
    found = verify_trail(grown)
    assert (found.ok, found.size, found.problems) == (True, SIZE, ())
    assert found.witnesses == 0
    assert found.signed_by is not None
    assert found.signed_by.startswith("flowaudit/")
    assert found.checkpoint_size == SIZE
    with open_reader(grown) as reader:
        tree = Tree(0)
        from flowaudit.proofs.verify import entry_leaf

        tree.extend(entry_leaf(entry) for entry in reader.entries())
    assert found.root == base64.b64encode(tree.root()).decode()


def test_an_empty_trail_holds(trail: Path) -> None:
    with open_trail(trail) as writer:
        writer.append([], "s" * 26, 0)
    assert verify_trail(trail).ok


@only_sqlite
def test_verifying_writes_nothing(grown: Path) -> None:
    before = {p.name: p.read_bytes() for p in grown.parent.iterdir() if p.is_file()}
    verify_trail(grown)
    after = {p.name: p.read_bytes() for p in grown.parent.iterdir() if p.is_file()}
    assert not after.pop("t.db-wal", b"")
    assert {n: d for n, d in after.items() if not n.endswith("-shm")} == {
        n: d for n, d in before.items() if not n.endswith("-shm")
    }


@pytest.mark.parametrize("seq", [0, 1, 255, 256, 300, 511, 512, 699])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET core = replace(core, 'GET', 'PUT') WHERE seq = ?",
        "UPDATE event SET core = CAST(replace(core, 'GET', 'PUT') AS BLOB) WHERE seq = ?",
        "UPDATE event SET core = NULL WHERE seq = ?",
        "UPDATE event SET core = x'ff00' WHERE seq = ?",
        "UPDATE event SET sealed = zeroblob(32) WHERE seq = ?",
        'UPDATE event SET personal = \'{"path":"/x"}\', salt = zeroblob(16) WHERE seq = ?',
        "UPDATE event SET seq = seq + 100000 WHERE seq = ?",
        "DELETE FROM event WHERE seq = ?",
    ],
    ids=["byte", "byte-blob", "core-null", "garbage", "sealed", "personal", "moved", "deleted"],
)
def test_a_changed_row_is_named(grown: Path, sql: Sql, statement: str, seq: int) -> None:
    sql(statement, seq)
    found = problems(grown)
    assert found
    assert min(at for at, _ in found if at is not None) == seq


@pytest.mark.parametrize("column", ["personal", "salt"])
def test_one_half_of_a_personal_part_is_named(grown: Path, sql: Sql, column: str) -> None:
    sql(f"UPDATE event SET {column} = NULL WHERE seq = 300")
    assert problems(grown)[0][0] == 300


def test_the_same_bytes_in_another_type_still_hold(grown: Path, sql: Sql) -> None:
    sql("UPDATE event SET core = CAST(core AS BLOB), personal = CAST(personal AS BLOB)")
    assert verify_trail(grown).ok


def test_swapped_rows_are_named(grown: Path, sql: Sql) -> None:
    sql("UPDATE event SET seq = -1 WHERE seq = 10")
    sql("UPDATE event SET seq = 10 WHERE seq = 600")
    sql("UPDATE event SET seq = 600 WHERE seq = -1")
    found = [seq for seq, what in problems(grown) if "changed" in what]
    assert found == [10, 600]


def test_a_cut_tail_is_named(grown: Path, sql: Sql) -> None:
    sql("DELETE FROM event WHERE seq >= 650")
    assert (650, "the entries 650 to 699 are missing") in problems(grown)


def rebuild(trail: Path, sql: Sql, size: int) -> None:
    """Tiles and head anew for the rows that are there, as a forger with the source code would."""
    from flowaudit.proofs.verify import entry_leaf

    tree = Tree()
    with open_reader(trail) as reader:
        tree.extend(entry_leaf(entry) for entry in reader.entries(0, size - 1))
    sql("DELETE FROM tile")
    for level, idx, hashes in tree.take_tiles():
        sql("INSERT INTO tile VALUES (?, ?, ?)", level, idx, hashes)
    sql("UPDATE head SET size = ?, frontier = ?", tree.size, b"".join(tree.frontier))


def test_a_tail_cut_with_tiles_and_head_is_found_by_the_checkpoint(grown: Path, sql: Sql) -> None:
    sql("DELETE FROM event WHERE seq >= 650")
    rebuild(grown, sql, 650)
    found = problems(grown)
    assert found[0][0] == 650
    assert any("tail was cut" in what for _, what in found)


def test_a_tail_cut_with_everything_is_found_by_the_source(grown: Path, sql: Sql) -> None:
    sql("DELETE FROM event WHERE seq >= 650")
    rebuild(grown, sql, 650)
    sql("DELETE FROM checkpoint WHERE size > 650")
    assert any("were committed and are gone" in what for _, what in problems(grown))


def test_a_row_and_its_tile_rewritten_together_are_named(grown: Path, sql: Sql) -> None:
    sql("UPDATE event SET core = replace(core, 'GET', 'PUT') WHERE seq = 301")
    [(core,)] = sql("SELECT core FROM event WHERE seq = 301")
    [(personal, salt)] = sql("SELECT personal, salt FROM event WHERE seq = 301")
    sealed = hashlib.sha256(b"\x02" + salt + as_bytes(personal)).digest() if salt else bytes(32)
    leaf = hashlib.sha256(b"\x00" + as_bytes(core) + sealed).digest()
    [(hashes,)] = sql("SELECT hashes FROM tile WHERE level = 0 AND idx = 1")
    at = (301 - 256) * 32
    sql(
        "UPDATE tile SET hashes = ? WHERE level = 0 AND idx = 1",
        hashes[:at] + leaf + hashes[at + 32 :],
    )
    found = problems(grown)
    assert found[0][0] == 256
    assert "one level up" in found[0][1]


def test_a_whole_rewrite_is_found_by_the_last_checkpoint_before(grown: Path, sql: Sql) -> None:
    sql("UPDATE event SET core = replace(core, 'GET', 'PUT') WHERE seq = 301")
    rebuild(grown, sql, SIZE)
    found = problems(grown)
    assert found[0] == (
        150,
        "the signed checkpoint of size 450 does not agree: an entry from 150 to 449 was changed",
    )


def test_a_forged_checkpoint_is_found(grown: Path, sql: Sql) -> None:
    sql("UPDATE event SET core = replace(core, 'GET', 'PUT') WHERE seq = 301")
    rebuild(grown, sql, SIZE)
    with open_reader(grown) as reader:
        origin = reader.origin
        from flowaudit.proofs.merkle import frontier_root, split_hashes

        root = frontier_root(split_hashes(reader.frontier))
    sql("DELETE FROM checkpoint")
    sql(
        "INSERT INTO checkpoint VALUES (?, ?)",
        SIZE,
        sign_checkpoint((Ed25519PrivateKey.generate(),), origin, SIZE, root),
    )
    assert any("is not signed by" in what for _, what in problems(grown))


def test_a_salt_and_personal_part_taken_away_is_found(grown: Path, sql: Sql) -> None:
    sql("UPDATE event SET personal = NULL, salt = NULL WHERE seq = 300")
    found = problems(grown)
    assert found[0][0] == 300
    assert "changed" in found[0][1]


def as_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def seal_row(sql: Sql, seq: int) -> None:
    [(personal, salt)] = sql("SELECT personal, salt FROM event WHERE seq = ?", seq)
    sealed = hashlib.sha256(b"\x02" + salt + as_bytes(personal)).digest()
    sql("UPDATE event SET personal = NULL, salt = NULL, sealed = ? WHERE seq = ?", sealed, seq)


def test_an_erasure_that_no_event_tells_is_found(grown: Path, sql: Sql) -> None:
    seal_row(sql, 300)
    assert problems(grown) == [(300, "personal part missing, no erasure")]


def test_an_erasure_that_an_event_tells_holds(grown: Path, sql: Sql) -> None:
    facts = {"erases": {"tokens": [ANN], "seqs": [[300, 301]]}}
    core = Core(v=1, source="e" * 26, n=1, ts=1, kind="ops", action="erase", facts=facts)
    with open_trail(grown) as writer:
        writer.append([(encode_core(core), b"")], "e" * 26, 1)
    for seq in (300, 301):
        if seq % 3 != 2:
            seal_row(sql, seq)
    found = verify_trail(grown)
    assert found.ok, found.problems
    assert found.erased == 2
    seal_row(sql, 303)
    assert problems(grown) == [(303, "personal part missing, no erasure")]


@pytest.mark.parametrize("count", [3, 256], ids=["a few", "a full tile"])
@pytest.mark.parametrize("kind", ["process", "ops"])
@pytest.mark.parametrize(
    "action", [b"5", b"[]", b"{}", b"null"], ids=["number", "list", "map", "none"]
)
def test_an_action_that_is_no_text_says_nothing_wherever_it_stands(
    trail: Path, count: int, kind: str, action: bytes
) -> None:
    said = b'"kind":"%b","action":%b' % (kind.encode(), action)
    made = [(core.replace(b'"kind":"request"', said), p) for core, p in records(count)]
    with open_trail(trail) as writer:
        writer.append(made, "s" * 26, count)
    assert verify_trail(trail).problems == ()


@pytest.mark.parametrize(
    ("kind", "names", "tokens", "holds"),
    [
        ("request", {"actor": ANN}, [ANN], True),
        ("request", {"via": ANN}, ["x", ANN], True),
        ("request", {"actor": ANN}, ["b" * 52], False),
        ("request", {"actor": ANN}, [], False),
        ("request", {"actor": ANN}, ANN, False),
        ("request", {}, [ANN], False),
        ("request", {"visitor": ANN}, [ANN], False),
        ("auth", {}, [ANN], True),
    ],
    ids=[
        "theirs", "acting for them", "somebody else's", "nobody's", "a text", "names nobody",
        "a visitor", "about an account",
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_an_erasure_takes_what_is_theirs_and_was_there(
    trail: Path, sql: Sql, kind: Any, names: dict[str, str], tokens: Any, holds: bool, is_late: bool
) -> None:
    core = Core(v=1, source="s" * 26, n=1, ts=1, kind=kind, **names)
    entry = (encode_core(core), encode_personal(Personal(client="10.0.0.1")))
    facts = {"erases": {"tokens": tokens, "seqs": [[int(is_late), 300]]}}
    told = Core(v=1, source="e" * 26, n=1, ts=1, kind="ops", action="erase", facts=facts)
    both = [(entry, "s" * 26), ((encode_core(told), b""), "e" * 26)]
    with open_trail(trail) as writer:
        for made, source in reversed(both) if is_late else both:
            writer.append([made], source, 1)
    seal_row(sql, int(is_late))
    problem = (int(is_late), "personal part missing, no erasure")
    assert problems(trail) == ([] if holds and not is_late else [problem])


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM checkpoint", "no checkpoint"),
        ("UPDATE checkpoint SET note = 'x'", "not valid"),
        ("UPDATE checkpoint SET size = size + 1", "not valid"),
        ("DELETE FROM tile WHERE level = 0 AND idx = 1", "missing"),
        ("DELETE FROM tile WHERE level = 1", "missing"),
        ("UPDATE tile SET hashes = x'00'", "bytes"),
        ("UPDATE head SET frontier = x'00'", "frontier"),
        ("UPDATE head SET size = size + 1", "missing"),
        ("UPDATE head SET size = size - 1", "does not cover"),
        ("UPDATE head SET size = 0, frontier = x''", "does not cover"),
        ("DELETE FROM source", "not in the table of sources"),
        ("UPDATE source SET last_n = last_n + 5", "are gone"),
        ("UPDATE trail SET id = 'other'", "another trail"),
        ("INSERT INTO event VALUES (700, '{}', NULL, NULL, NULL)", "does not cover"),
        ("INSERT INTO event VALUES (-5, '{}', NULL, NULL, NULL)", "does not cover"),
    ],
)
def test_other_damage_is_said(grown: Path, sql: Sql, statement: str, says: str) -> None:
    sql(statement)
    assert any(says in what for _, what in problems(grown)), problems(grown)


def test_numbers_must_be_whole(trail: Path) -> None:
    with open_trail(trail) as writer:
        writer.append(records(5) + records(5, first=8), "s" * 26, 12)
        writer.append(records(2, first=8), "s" * 26, 12)
    found = problems(trail)
    assert (5, f"source {'s' * 26}: the numbers 6 to 7 are missing, no gap event") in found
    assert (10, f"source {'s' * 26} repeats number 8") in found


def test_a_gap_event_explains_missing_numbers(trail: Path) -> None:
    gap = Core(
        v=1,
        source="s" * 26,
        n=13,
        ts=1,
        kind="gap",
        facts={"source": "s" * 26, "first": 6, "last": 7},
    )
    with open_trail(trail) as writer:
        writer.append(records(5) + records(5, first=8), "s" * 26, 12)
        writer.append([(encode_core(gap), b"")], "s" * 26, 13)
    assert verify_trail(trail).ok


def test_another_key_is_not_believed(grown: Path) -> None:
    with open_reader(grown) as reader:
        name = reader.origin
    other = VerifierKey(name, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert not verify_trail(grown, key=other).ok


def test_without_a_public_key_nothing_counts_as_signed(grown: Path) -> None:
    TrailPaths.of(grown).public_key.unlink()
    found = verify_trail(grown)
    assert not found.ok
    assert found.signed_by is None


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\x00" + b"x" * 200])
def test_what_is_no_trail_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.db"
    file.write_bytes(content)
    with pytest.raises(NotATrailError):
        verify_trail(file)


@only_sqlite
def test_random_damage_to_the_file_is_never_a_yes(grown: Path, sql: Sql) -> None:
    """Any byte of the file changed: refused, found, or without any effect on what is read."""
    sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with open_reader(grown) as reader:
        whole = list(reader.entries())
    data = grown.read_bytes()
    rng = random.Random(7)
    for _ in range(60):
        damaged = bytearray(data)
        at = rng.randrange(100, len(data))
        damaged[at] ^= 1 << rng.randrange(8)
        grown.write_bytes(damaged)
        try:
            found = verify_trail(grown)
        except NotATrailError:
            continue
        if found.ok:
            with open_reader(grown) as reader:
                assert list(reader.entries()) == whole


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("INSERT INTO tile VALUES (0, 77, zeroblob(32))", "1 tiles are stored that are not of"),
        ("INSERT INTO tile VALUES (-1, 0, zeroblob(32))", "1 tiles are stored that are not of"),
        ("INSERT INTO checkpoint SELECT -5, note FROM checkpoint LIMIT 1", "size -5 is not valid"),
        ("UPDATE source SET last_n = last_n - 1", "its last number was changed to 699, below 700"),
    ],
)
def test_what_is_put_beside_is_said(grown: Path, sql: Sql, statement: str, says: str) -> None:
    sql(statement)
    assert any(says in what for _, what in problems(grown)), problems(grown)


def test_an_entry_that_never_had_a_personal_part_cannot_claim_an_erasure(
    grown: Path, sql: Sql
) -> None:
    sql("UPDATE event SET sealed = zeroblob(32) WHERE seq = 2")
    assert [seq for seq, what in problems(grown) if "never was a personal part" in what] == [2]


def test_what_is_wrong_itself_is_named_before_what_follows(grown: Path, sql: Sql) -> None:
    """The event that tells an erasure is gone: that entry, not those whose erasure it told."""
    facts = {"erases": {"tokens": ["t" * 52], "seqs": [[300, 300]]}}
    core = Core(v=1, source="e" * 26, n=1, ts=1, kind="ops", action="erase", facts=facts)
    with open_trail(grown) as writer:
        writer.append([(encode_core(core), b"")], "e" * 26, 1)
    seal_row(sql, 300)
    assert verify_trail(grown).first_bad is None
    sql("DELETE FROM event WHERE seq = 700")
    found = verify_trail(grown)
    assert found.first_bad == 700
    assert (300, "personal part missing, no erasure") in problems(grown)
