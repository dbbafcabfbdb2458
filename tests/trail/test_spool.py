"""The spool: nothing published is lost, nothing torn is taken, nothing committed stays."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowaudit.spool.dead import DeadSpool, spool_files, waiting_records
from flowaudit.spool.live import Spool
from flowaudit.spool.ring import HEADER_BYTES, boot_id

SOURCE = "a" * 26


def make(folder: Path, ring_bytes: int = 256 * 1024) -> Spool:
    return Spool(folder, SOURCE, ring_bytes)


def leave(spool: Spool) -> Path:
    """As a killed process does: the file stays, the lock goes."""
    assert spool.path is not None
    path = spool.path
    spool.abandon()
    return path


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9_000), st.integers(0, 9_000), st.integers(0, 3)), max_size=60
    )
)
def test_what_is_put_is_taken_in_order_over_many_laps(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int]]
) -> None:
    spool = make(tmp_path_factory.mktemp("s"))
    waiting: list[tuple[int, bytes, bytes]] = []
    n = 0
    for core_size, personal_size, releases in steps:
        core, personal = os.urandom(core_size), os.urandom(personal_size)
        if spool.put(n + 1, core, personal, True):
            n += 1
            waiting.append((n, core, personal))
        if releases:
            taken = spool.take(releases)
            assert taken.pairs == [record[1:] for record in waiting[:releases]]
            if taken.pairs:
                assert taken.last_n == waiting[len(taken.pairs) - 1][0]
                spool.release(len(taken.pairs), taken.end)
                del waiting[: len(taken.pairs)]
    dead = DeadSpool.adopt(leave(spool))
    assert dead is not None
    assert [tuple(record) for record in dead.records] == waiting
    assert dead.finished == n
    dead.close(remove=True)


def test_a_full_ring_takes_nothing_and_overwrites_nothing(tmp_path: Path) -> None:
    spool = make(tmp_path)
    n = 0
    while spool.put(n + 1, b"c" * 5_000, b"p" * 3_000, False):
        n += 1
    assert n > 20
    assert not spool.put(n + 1, b"c" * 5_000, b"p" * 3_000, False)
    assert len(spool.take(1_000).pairs) == n
    leave(spool)


@pytest.mark.parametrize("short", [0, 8, 16, 24, 32, 40])
def test_the_ring_goes_on_at_its_start_wherever_its_end_is_met(tmp_path: Path, short: int) -> None:
    spool = make(tmp_path)
    overhead = 32
    size = 1_024 - overhead
    records = spool.ring_bytes // 1_024
    for n in range(1, records):
        assert spool.put(n, b"c" * size, b"", False)
    # the last one ends `short` bytes before the ring does
    assert spool.put(records, b"l" * (size - short), b"", False)
    first = spool.take(3)
    spool.release(len(first.pairs), first.end)
    assert spool.put(records + 1, b"w" * 100, b"p", True)
    rest = spool.take(10_000)
    assert [len(core) for core, _ in rest.pairs[-2:]] == [size - short, 100]
    assert rest.last_n == records + 1
    dead = DeadSpool.adopt(leave(spool))
    assert dead is not None
    assert [record.n for record in dead.records] == list(range(4, records + 2))
    dead.close(remove=True)


def test_what_is_committed_is_zeroed(tmp_path: Path) -> None:
    spool = make(tmp_path)
    secret = b"who it was"
    for n in range(1, 200):
        assert spool.put(n, b"core", secret * 20, False)
        taken = spool.take(10)
        spool.release(len(taken.pairs), taken.end)
    path = leave(spool)
    data = path.read_bytes()[HEADER_BYTES:]
    assert secret not in data
    assert not any(data)


@pytest.mark.parametrize("torn", ["payload", "crc", "length", "cut"])
def test_a_torn_record_is_none_and_those_before_it_stay(tmp_path: Path, torn: str) -> None:
    spool = make(tmp_path)
    for n in (1, 2, 3):
        spool.put(n, b"core%d" % n, b"personal", False)
    path = leave(spool)
    data = bytearray(path.read_bytes())
    at = HEADER_BYTES + 2 * ((8 + 24 + 5 + 8 + 7) & ~7)
    if torn == "cut":
        data = data[: at + 12]
    else:
        data[at + {"payload": 36, "crc": 5, "length": 0}[torn]] ^= 0xFF
    path.write_bytes(data)
    dead = DeadSpool.adopt(path)
    assert dead is not None
    assert [record.n for record in dead.records] == [1, 2]
    dead.close(remove=True)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=6_000), st.integers(0, 4_200))
def test_any_bytes_are_read_without_a_crash(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    folder = tmp_path_factory.mktemp("n")
    spool = make(folder)
    spool.put(1, b"core", b"personal", True)
    path = leave(spool)
    data = bytearray(path.read_bytes())
    data[at : at + len(noise)] = noise
    path.write_bytes(data)
    dead = DeadSpool.adopt(path)
    assert dead is not None
    dead.close(remove=True)
    path.write_bytes(noise)
    assert waiting_records(folder) == 0


def test_a_living_source_is_not_adopted(tmp_path: Path) -> None:
    code = f"""
        import sys, time
        from pathlib import Path
        from flowaudit.spool.live import Spool
        spool = Spool(Path({str(tmp_path)!r}), {SOURCE!r}, 1 << 18)
        spool.put(1, b"core", b"personal", False)
        print("ready", flush=True)
        sys.stdin.read()
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == b"ready\n"
        [path] = spool_files(tmp_path)
        assert DeadSpool.adopt(path) is None
        assert waiting_records(tmp_path) == 1
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        dead = DeadSpool.adopt(path)
        assert dead is not None
        assert [tuple(record) for record in dead.records] == [(1, b"core", b"personal")]
        assert (dead.source, dead.boot) == (SOURCE, boot_id())
        dead.close(remove=True)
        assert not path.exists()
    finally:
        child.kill()
        child.wait(10)
        child.stdin.close()
        child.stdout.close()


def test_a_process_does_not_look_at_its_own_spool(tmp_path: Path) -> None:
    spool = make(tmp_path)
    assert spool_files(tmp_path) == []
    assert waiting_records(tmp_path) == 0
    leave(spool)
    assert len(spool_files(tmp_path)) == 1


def test_without_a_place_for_files_the_ring_is_in_memory(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    spool = make(blocked)
    assert spool.kind == "memory"
    assert spool.put(1, b"core", b"personal", False)
    assert spool.take(5).pairs == [(b"core", b"personal")]
    spool.close(remove=True)
