"""Spools with damage in the middle, and files that are none: what is whole comes in, no more."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowaudit.cli import main
from flowaudit.event import Core, encode_core, flat_event
from flowaudit.spool import records as spool_records
from flowaudit.spool.dead import DeadSpool, waiting_records
from flowaudit.spool.live import Spool
from flowaudit.spool.records import scan
from flowaudit.spool.ring import AT_TAIL, HEADER_BYTES, MAGIC, META, PREFIX, U64, boot_id
from flowaudit.trail.reader import TrailReader
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail

SOURCE = "a" * 26


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    with Trail(tmp_path / "t.db") as writer:
        writer.size()
    (tmp_path / "t.db.spool").mkdir()
    return tmp_path / "t.db"


def core_of(n: int, source: str = SOURCE) -> bytes:
    return encode_core(Core(v=1, source=source, n=n, ts=n, kind="note", route=f"/{n}"))


def left(
    trail: Path, cores: list[tuple[int, bytes, bytes]], laps: int = 0, source: str = SOURCE
) -> Path:
    """The spool of a killed source with these records; `laps` were committed before."""
    spool = Spool(trail.with_name("t.db.spool"), source, 256 * 1024)
    for n in range(1, laps + 1):
        assert spool.put(n, core_of(n), b"", False)
        taken = spool.take(1)
        spool.release(1, taken.end)
        spool._head = spool._tail = taken.end  # as under load, where it is never empty
        U64.pack_into(spool._map, AT_TAIL, taken.end)
    for n, core, personal in cores:
        assert spool.put(n, core, personal, False)
    assert spool.path is not None
    spool.abandon()
    return spool.path


def recovered(trail: Path) -> tuple[list[int], list[dict[str, Any]]]:
    """Numbers of the source that came into the trail, and the losses that were told."""
    assert main(["recover", "--trail", str(trail)]) == 0
    found = verify_trail(trail)
    assert found.ok, found.problems
    with TrailReader(trail) as reader:
        events = [flat_event(entry) for entry in reader.entries()]
    losses = [event["facts"] for event in events if event["kind"] == "gap"]
    return [event["n"] for event in events if event["source"] == SOURCE], losses


def offsets(data: bytes) -> list[int]:
    """Where the records stand, of a ring that has not wrapped."""
    found, at = [], HEADER_BYTES
    while (length := PREFIX.unpack_from(data, at)[0]) > 0:
        found.append(at)
        at += PREFIX.size + length + 7 & ~7
    return found


@pytest.mark.parametrize("damage", ["length", "crc", "body", "zeroed body", "block"])
@pytest.mark.parametrize("at", [0, 7, 18])
def test_one_damaged_record_costs_that_one(trail: Path, damage: str, at: int) -> None:
    path = left(trail, [(n, core_of(n), b'{"path":"/x"}') for n in range(1, 21)])
    data = bytearray(path.read_bytes())
    start = offsets(data)[at]
    match damage:
        case "length":
            data[start + 1] ^= 0x7F
        case "crc":
            data[start + 5] ^= 1
        case "body":
            data[start + 40] ^= 1
        case "zeroed body":
            data[start + 8 : start + 60] = bytes(52)
        case _:
            data[start : start + 16] = os.urandom(16)
    path.write_bytes(data)
    numbers, losses = recovered(trail)
    assert numbers == [n for n in range(1, 21) if n != at + 1]
    assert [(loss["first"], loss["last"], loss["why"]) for loss in losses] == [
        (at + 1, at + 1, "damaged in the spool")
    ]
    assert not path.exists()


def test_damage_before_the_ring_goes_on_at_its_start_hides_nothing_behind_it(trail: Path) -> None:
    laps = (256 * 1024) // 128 - 6
    path = left(trail, [(n, core_of(n), b"") for n in range(laps + 1, laps + 40)], laps=laps)
    data = bytearray(path.read_bytes())
    tail = HEADER_BYTES + U64.unpack_from(data, AT_TAIL)[0]
    data[tail + 9] ^= 0xFF
    path.write_bytes(data)
    dead = DeadSpool.adopt(path)
    assert dead is not None
    dead.close(remove=False)
    assert [record.n for record in dead.records] == list(range(laps + 2, laps + 40))


NOT_EVENTS: dict[str, Callable[[int], tuple[bytes, bytes]]] = {
    "no text": lambda n: (b"\xff\xfe\x00", b""),
    "no core": lambda n: (b'{"n":[1]}', b""),
    "empty": lambda n: (b"", b""),
    "of another source": lambda n: (core_of(n, "b" * 26), b""),
    "of another number": lambda n: (core_of(n + 100), b""),
    "personal part is none": lambda n: (core_of(n), b"\xff"),
    "deep": lambda n: (b"[" * 20_000, b""),
    "a number beyond": lambda n: (b'{"n":1e400,"source":"a"}', b""),
}


@pytest.mark.parametrize("make", NOT_EVENTS.values(), ids=list(NOT_EVENTS))
def test_what_is_no_event_of_this_source_stays_out_and_is_told(
    trail: Path, make: Callable[[int], tuple[bytes, bytes]]
) -> None:
    left(trail, [(1, core_of(1), b""), (2, *make(2)), (3, core_of(3), b"")])
    numbers, losses = recovered(trail)
    assert numbers == [1, 3]
    assert [(loss["first"], loss["last"], loss["why"]) for loss in losses] == [
        (2, 2, "damaged in the spool")
    ]


def test_a_spool_of_another_name_is_left_alone(trail: Path) -> None:
    path = left(trail, [(1, core_of(1), b"")])
    other = path.rename(path.with_name("b" * 26 + ".ring"))
    assert recovered(trail) == ([], [])
    assert other.exists()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "huge", "empty", "socket name"])
def test_what_is_no_spool_is_passed_over(trail: Path, tmp_path: Path, kind: str) -> None:
    left(trail, [(1, core_of(1), b"")])
    path = trail.with_name("t.db.spool") / "c.ring"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            (tmp_path / "secret").write_bytes(b"x" * 9_000)
            path.symlink_to(tmp_path / "secret")
        case "huge":
            path.touch()
            os.truncate(path, 2**40)
        case "empty":
            path.touch()
        case _:
            path.symlink_to("/dev/zero")
    assert waiting_records(path.parent) == 1
    numbers, losses = recovered(trail)
    assert (numbers, losses) == ([1], [])
    if kind == "link":
        assert (tmp_path / "secret").read_bytes() == b"x" * 9_000


def header(ring: int, tail: int) -> bytearray:
    data = bytearray(HEADER_BYTES)
    data[:8] = MAGIC
    U64.pack_into(data, 8, ring)
    U64.pack_into(data, AT_TAIL, tail)
    return data


@settings(max_examples=300)
@given(
    st.integers(0, 2**64 - 1) | st.integers(0, 600),
    st.integers(0, 2**64 - 1) | st.integers(0, 600),
    st.lists(
        st.tuples(st.integers(0, 2**64 - 1), st.binary(max_size=40), st.booleans(), st.booleans()),
        max_size=12,
    ),
    st.binary(max_size=64),
)
def test_any_bytes_are_scanned_to_an_end(
    ring: int, tail: int, records: list[tuple[int, bytes, bool, bool]], rest: bytes
) -> None:
    data = header(ring, tail)
    for n, content, is_whole, is_true in records:
        body = META.pack(n, 0, len(content) if is_true else 2**31, 0) + content
        crc = crc32(body) if is_whole else 7
        data += PREFIX.pack(len(body), crc) + body
        data += bytes(-len(data) % 8)
    numbers = [record.n for record, _ in scan(bytes(data + rest))]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= {n for n, *_ in records}


def test_a_spool_full_of_false_beginnings_takes_seconds_not_hours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each eighth byte claims to begin a record of 100 KiB, whose checksum would be asked for."""
    monkeypatch.setattr(spool_records, "MAX_SEARCH_BYTES", 4 * 1024 * 1024)
    claim = PREFIX.pack(100_000, 1) + META.pack(2**40, 0, 100_000 - META.size, 0)
    data = header(3_200_000, 0) + claim * 100_000
    start = time.process_time()
    assert list(scan(bytes(data))) == []
    assert time.process_time() - start < 10


def test_random_damage_brings_in_nothing_false(trail: Path) -> None:
    path = left(trail, [(n, core_of(n), b'{"path":"/x"}') for n in range(1, 60)])
    data, rng = path.read_bytes(), random.Random(4)
    true = {n: core_of(n) for n in range(1, 60)}
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(9_000)] ^= 1 << rng.randrange(8)
        for record, _ in scan(bytes(damaged)):
            assert true[record.n] == record.core


def test_a_spool_of_this_boot_says_so(trail: Path) -> None:
    """Else what these tests told as lost would be told for another reason."""
    dead = DeadSpool.adopt(left(trail, []))
    assert dead is not None
    assert dead.boot == boot_id()
    dead.close(remove=True)
