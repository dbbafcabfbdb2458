"""Taking turns in a database: nobody is passed over, and what one holds up the others is short."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from flowaudit.event import Core, Personal, encode_core
from flowaudit.recording.recorder import Recorder
from flowaudit.trail.opening import open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.postgres_setup import set_up
from flowaudit.vault.place import DatabaseUrl
from flowaudit.verification.trail import verify_trail
from tests.postgres import Server

WORKERS = 8
RESTART_S = 2.0
"""Seconds in which all workers have ended; 0.3 on two cores that do nothing else."""


@pytest.fixture
def paths(postgres: Server, tmp_path: Path) -> Iterator[TrailPaths]:
    database = postgres.new_trail()
    yield TrailPaths.of(postgres.url(database), key=tmp_path / "key", spool=tmp_path / "spool")
    postgres.drop(database)


def url_of(paths: TrailPaths) -> DatabaseUrl:
    assert isinstance(paths.trail, DatabaseUrl)
    return paths.trail


def record(source: str) -> tuple[bytes, bytes]:
    return encode_core(Core(v=1, source=source, n=1, ts=1, kind="note")), b""


def test_who_waits_for_a_turn_is_not_passed_over(paths: TrailPaths) -> None:
    """Whoever commits and wants the next turn at once stands behind those who wait."""
    source = "s" * 26
    with psycopg.connect(url_of(paths).uri, autocommit=True) as greedy, open_trail(paths) as trail:
        for before in range(10):
            greedy.execute("BEGIN; SELECT flowaudit.take_turn()")
            waiter = threading.Thread(target=trail.append, args=([record(source)], source, 1))
            waiter.start()
            wait_until(lambda: is_waited_for(paths, greedy.info.backend_pid))
            found = greedy.execute(
                "COMMIT; BEGIN; SELECT flowaudit.take_turn(); SELECT size FROM flowaudit.head"
            )
            while found.nextset():
                pass
            assert found.fetchone() == (before + 1,), "the one that waited was passed over"
            greedy.execute("ROLLBACK")
            waiter.join(30)


def is_waited_for(paths: TrailPaths, pid: int) -> bool:
    with psycopg.connect(url_of(paths).uri) as db:
        rows = db.execute(
            "SELECT FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))", (pid,)
        ).fetchall()
    return bool(rows)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_is_asked_in_a_turn_is_not_compiled_first(paths: TrailPaths) -> None:
    """To compile takes 0.1 s and more of the turn, for a statement that takes a millisecond."""
    with open_trail(paths) as trail, trail._transaction() as db:  # type: ignore[attr-defined]
        assert db.execute("SHOW jit").fetchone() == ("off",)


def work(recorder: Recorder, every_s: float) -> None:
    """What a worker does until it is told to end."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(1))
    i = 0
    while not told:
        recorder.append(Core(ts=i, kind="request", status=200), Personal(path="/"))
        i += 1
        time.sleep(every_s)
    recorder.close()


def start_worker(recorder: Recorder, every_s: float) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work(recorder, every_s)
        finally:
            os._exit(1 if list(recorder._paths.spool.glob(f"{recorder.source or '-'}.ring")) else 0)
    return pid


def end(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * len(pids)


def test_a_restart_of_many_workers_takes_no_time(paths: TrailPaths) -> None:
    """All of a server's workers at once, while another one goes on writing; three times."""
    recorder = Recorder(
        paths,
        process_facts={},
        clock_us=lambda: time.time_ns() // 1_000,
        queue_size=10_000,
        group_ms=10,
    )
    others = [start_worker(recorder, 0.0001)]
    took = []
    for _ in range(3):
        workers = [start_worker(recorder, 0.005) for _ in range(WORKERS)]
        time.sleep(1.0)
        start = time.monotonic()
        end(workers)
        took.append(time.monotonic() - start)
    end(others)
    assert max(took) < RESTART_S, took
    assert list(paths.spool.iterdir()) == []
    found = verify_trail(paths)
    assert found.ok, found.problems


def test_setup_runs_again_while_others_write(paths: TrailPaths) -> None:
    is_over = threading.Event()
    written = []

    def write(source: str) -> None:
        with open_trail(paths) as trail:
            while not is_over.is_set():
                written.append(trail.append([record(source)], source, 1))

    writers = [threading.Thread(target=write, args=(letter * 26,)) for letter in "ab"]
    for writer in writers:
        writer.start()
    try:
        for _ in range(5):
            goal = len(written) + 20
            wait_until(lambda: len(written) > goal)  # noqa: B023
            set_up(url_of(paths), "trail")
    finally:
        is_over.set()
        for writer in writers:
            writer.join(60)
    assert sorted(written) == list(range(len(written)))
