"""The recorder: every event once, in order, across threads, forks, kills and full disks."""

import math
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowaudit.event import Core, Personal, cut
from flowaudit.recording.adoption import Loss, adopt_dead_sources
from flowaudit.recording.recorder import Recorder
from flowaudit.recording.source import LiveSource
from flowaudit.trail.locks import file_lock
from flowaudit.trail.opening import open_trail, trail_exists
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.place import DatabaseUrl
from flowaudit.verification.trail import verify_trail
from tests.trail.stores import only_sqlite

Events = Callable[..., list[dict[str, Any]]]


def request(i: int) -> tuple[Core, Personal]:
    return Core(ts=i, kind="request", status=200), Personal(path=f"/{i}")


@pytest.fixture
def make_recorder(trail: Path) -> Iterator[Callable[..., Recorder]]:
    made = []

    def make(queue_size: int = 1_000, group_ms: int = 10) -> Recorder:
        recorder = Recorder(
            TrailPaths.of(trail),
            process_facts={"service": "test"},
            clock_us=lambda: time.time_ns() // 1_000,
            queue_size=queue_size,
            group_ms=group_ms,
        )
        made.append(recorder)
        return recorder

    yield make
    for recorder in made:
        recorder.close()


def test_events_are_numbered_and_durable_after_flush(
    make_recorder: Callable[..., Recorder], events: Events, holds: Callable[[], None]
) -> None:
    recorder = make_recorder()
    numbers = []
    for i in range(500):
        recorder.count_received()
        numbers.append(recorder.append(*request(i), finishes=True))
    assert recorder.flush()
    assert numbers == list(range(2, 502))
    assert [event["n"] for event in events("request")] == numbers
    assert [event["ts"] for event in events("request")] == list(range(500))
    holds()
    recorder.close()
    [start, stop] = [event for event in events("process") if event["action"] != "key"]
    assert (start["action"], stop["action"]) == ("start", "stop")
    assert start["facts"]["spool"] == "file"
    holds()


def test_many_threads_lose_and_repeat_nothing(
    make_recorder: Callable[..., Recorder], events: Events, holds: Callable[[], None]
) -> None:
    recorder = make_recorder(queue_size=100_000)

    def work(k: int) -> None:
        for i in range(400):
            recorder.append(*request(k * 1_000 + i))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    recorder.close()
    assert sorted(event["ts"] for event in events("request")) == sorted(
        k * 1_000 + i for k in range(8) for i in range(400)
    )
    holds()


@pytest.mark.parametrize("underway", [0, 100], ids=["all wait", "more are under way"])
def test_whoever_waits_is_told_and_nobody_is_forgotten(
    make_recorder: Callable[..., Recorder], holds: Callable[[], None], underway: int
) -> None:
    """Each thread waits for its event before the next: one that nobody tells stops it for good."""
    recorder = make_recorder(group_ms=60_000)
    for _ in range(underway):
        recorder.count_received()
    done = [0] * 8

    def work(k: int) -> None:
        told = threading.Semaphore(0)
        for i in range(60):
            n = recorder.append(*request(i))
            recorder.when_durable(n, lambda is_durable: is_durable and told.release())
            if not told.acquire(timeout=10):
                return
            done[k] += 1

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == [60] * 8
    recorder.close()
    holds()


def test_an_event_after_closing_begins_a_new_source(
    make_recorder: Callable[..., Recorder], events: Events, holds: Callable[[], None]
) -> None:
    recorder = make_recorder()
    recorder.append(*request(1))
    recorder.close()
    recorder.close()
    recorder.append(*request(2))
    recorder.close()
    assert sum(event["action"] == "start" for event in events("process")) == 2
    assert [event["ts"] for event in events("request")] == [1, 2]
    holds()


@only_sqlite
def test_an_overflow_is_told_as_one_gap_and_nothing_else_is_lost(
    trail: Path, make_recorder: Callable[..., Recorder], events: Events, holds: Callable[[], None]
) -> None:
    recorder = make_recorder(queue_size=50)
    with file_lock(TrailPaths.of(trail).lock).held():
        kept = [i for i in range(200) if recorder.append(*request(i))]
        assert len(kept) < 60
        assert recorder.counters["lost"] == 200 - len(kept)
    assert recorder.flush()
    assert recorder.append(*request(999))
    recorder.close()
    assert [event["ts"] for event in events("request")] == [*kept, 999]
    [gap] = events("gap")
    assert gap["facts"]["count"] == 200 - len(kept)
    assert gap["facts"]["last"] - gap["facts"]["first"] + 1 == gap["facts"]["count"]
    holds()


def test_an_event_over_the_bounds_is_refused_and_told(
    make_recorder: Callable[..., Recorder], events: Events, holds: Callable[[], None]
) -> None:
    recorder = make_recorder()
    assert recorder.append(Core(ts=1, kind="note"), Personal(data={"x": "y" * 200_000})) == 0
    recorder.flush()
    assert recorder.append(*request(2))
    recorder.close()
    assert len(events("gap")) == 1
    holds()


@only_sqlite
def test_a_program_that_locks_the_trail_delays_and_loses_nothing(
    trail: Path, make_recorder: Callable[..., Recorder], events: Events, holds: Callable[[], None]
) -> None:
    recorder = make_recorder()
    recorder.append(*request(0))
    assert recorder.flush()
    holder = sqlite3.connect(trail, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    start = time.monotonic()
    for i in range(1, 50):
        assert recorder.append(*request(i))
    assert time.monotonic() - start < 1.0
    assert not recorder.flush(timeout_s=0.3)
    holder.execute("ROLLBACK")
    holder.close()
    assert recorder.flush(timeout_s=20)
    recorder.close()
    assert [event["ts"] for event in events("request")] == list(range(50))
    holds()


@only_sqlite
def test_a_full_disk_delays_and_loses_nothing(
    trail: Path,
    make_recorder: Callable[..., Recorder],
    events: Events,
    holds: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, is_full = sqlite3.connect, threading.Event()

    class FullDisk(sqlite3.Connection):
        def executemany(self, *args: Any) -> sqlite3.Cursor:
            if is_full.is_set():
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
            return super().executemany(*args)

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **k, factory=FullDisk))
    recorder = make_recorder()
    recorder.append(*request(0))
    assert recorder.flush()
    is_full.set()
    for i in range(1, 30):
        assert recorder.append(*request(i))
    assert not recorder.flush(timeout_s=0.3)
    assert recorder.counters["commit_failed"] > 0
    is_full.clear()
    assert recorder.flush(timeout_s=20)
    recorder.close()
    assert [event["ts"] for event in events("request")] == list(range(30))
    holds()


def test_failed_but_written_is_not_written_twice(
    trail: Path,
    make_recorder: Callable[..., Recorder],
    events: Events,
    holds: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The commit reaches the disk, then the call fails: the retry must see that it did."""
    kind = type(open_trail(trail))
    real_append, fails = kind.append, [True]

    def append(self: Any, records: Any, *args: Any, **kwargs: Any) -> int:
        first = real_append(self, records, *args, **kwargs)
        if records and fails and fails.pop():
            raise OSError("the answer was lost")
        return first

    monkeypatch.setattr(kind, "append", append)
    recorder = make_recorder()
    for i in range(20):
        recorder.append(*request(i))
    assert recorder.flush(timeout_s=20)
    recorder.close()
    assert [event["ts"] for event in events("request")] == list(range(20))
    holds()


def test_forked_children_are_sources_of_their_own(
    make_recorder: Callable[..., Recorder], events: Events, holds: Callable[[], None]
) -> None:
    recorder = make_recorder()
    for i in range(20):
        recorder.append(*request(i))
    children = []
    for k in range(1, 4):
        child = os.fork()
        if child == 0:
            for i in range(20):
                recorder.append(*request(k * 100 + i))
            recorder.close()
            os._exit(0)
        children.append(child)
    for i in range(20, 40):
        recorder.append(*request(i))
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    recorder.close()
    assert sorted(event["ts"] for event in events("request")) == sorted(
        [*range(40), *(k * 100 + i for k in range(1, 4) for i in range(20))]
    )
    assert sum(event["action"] == "start" for event in events("process")) == 4
    holds()


def test_forks_in_the_middle_of_commits_damage_nothing(
    trail: Path,
    make_recorder: Callable[..., Recorder],
    events: Events,
    holds: Callable[[], None],
    sql: Callable[..., list[tuple[Any, ...]]],
) -> None:
    """Children are born while the parent commits, and open and close the trail themselves."""
    recorder = make_recorder(queue_size=100_000, group_ms=1)
    is_over = threading.Event()
    appended = []

    def work() -> None:
        while not is_over.is_set():
            i = len(appended)
            appended.append(i)
            recorder.append(*request(i))
            if i % 50 == 0:
                time.sleep(0.001)

    worker = threading.Thread(target=work)
    worker.start()
    children = []
    for k in range(1, 25):
        child = os.fork()
        if child == 0:
            for i in range(5):
                recorder.append(*request(10**6 * k + i))
                time.sleep(0.002)
            recorder.close()
            os._exit(0)
        children.append(child)
        time.sleep(0.01)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    is_over.set()
    worker.join(30)
    recorder.close()
    if not isinstance(trail, DatabaseUrl):
        assert sql("PRAGMA integrity_check") == [("ok",)]
    assert sorted(event["ts"] for event in events("request")) == sorted(
        [*appended, *(10**6 * k + i for k in range(1, 25) for i in range(5))]
    )
    holds()


@only_sqlite
def test_reading_in_the_same_process_drops_no_lock(
    trail: Path, make_recorder: Callable[..., Recorder]
) -> None:
    """While this process has the trail open, another one must not find it unused."""
    recorder = make_recorder()
    recorder.append(*request(1))
    assert recorder.flush()
    verify_trail(trail)
    with open_trail(trail) as other:
        other.last_n("x" * 26)
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
        "db.execute('SELECT count(*) FROM event').fetchone(); db.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(trail)], check=True, timeout=30)
    assert trail.with_name("t.db-wal").exists(), "another process took itself for the last one"


CHILD = """
    import sys, time
    from flowaudit.event import Core, Personal
    from flowaudit.trail.paths import TrailPaths
    from flowaudit.recording.recorder import Recorder

    recorder = Recorder(
        TrailPaths.of(sys.argv[1]), process_facts={}, clock_us=lambda: time.time_ns() // 1000,
        queue_size=100_000, group_ms=int(sys.argv[2]),
    )
    recorder.count_received()
    i = 0
    while True:
        recorder.count_received()
        recorder.append(Core(ts=i, kind="request", status=200), Personal(path="/x"), finishes=True)
        print(i, flush=True)
        i += 1
        time.sleep(0.0002)
"""


@pytest.mark.parametrize("after_s", [0.15, 0.3, 0.6])
@pytest.mark.parametrize("group_ms", [5, 5_000])
def test_a_killed_process_loses_nothing_that_was_appended(
    trail: Path, events: Events, holds: Callable[[], None], after_s: float, group_ms: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(trail), str(group_ms)],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(after_s)
    child.send_signal(signal.SIGKILL)
    told = child.stdout.read().split()
    child.wait(10)
    child.stdout.close()
    last = int(told[-1])
    recorder = open_trail(trail)
    losses = []
    done = adopt_dead_sources(recorder, losses.append)
    recorder.close()
    assert done.sources == 1
    found = [event["ts"] for event in events("request")]
    assert found == list(range(len(found)))
    assert len(found) in (last + 1, last + 2)
    assert [(loss.count, loss.why) for loss in losses] in (
        [(1, "unfinished")],
        [(2, "unfinished")],
    )
    assert list(TrailPaths.of(trail).spool.iterdir()) == []
    again = open_trail(trail)
    assert adopt_dead_sources(again, losses.append).sources == 0
    again.close()


def test_a_new_process_adopts_what_a_killed_one_left(
    trail: Path,
    make_recorder: Callable[..., Recorder],
    events: Events,
    holds: Callable[[], None],
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(trail), "5000"], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    for _ in range(200):
        child.stdout.readline()
    child.kill()
    child.wait(10)
    child.stdout.close()
    assert verify_trail_if_there(trail) >= 0
    recorder = make_recorder()
    recorder.append(*request(10**6))
    recorder.close()
    assert {event["ts"] for event in events("request")} >= {*range(200), 10**6}
    [gap] = events("gap")
    assert gap["facts"]["why"] == "unfinished"
    holds()


def verify_trail_if_there(trail: Path) -> int:
    return verify_trail(trail).waiting if trail_exists(trail) else 0


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@only_sqlite
@pytest.mark.parametrize("comes_late", [True, False], ids=["comes late", "never comes"])
def test_of_a_spool_in_memory_what_is_lost_at_the_end_is_told_and_no_more(
    trail: Path,
    make_recorder: Callable[..., Recorder],
    events: Events,
    holds: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    comes_late: bool,
) -> None:
    """The writer that was given up may still wait for the lock, and then bring in everything."""
    monkeypatch.setattr("flowaudit.spool.live._is_network", lambda folder: True)
    recorder = make_recorder()
    recorder.append(*request(0))
    assert recorder.flush()
    lock = file_lock(TrailPaths.of(trail).lock)
    wait_until(lambda: recorder._writer is not None and recorder._writer._adopt_at == math.inf)
    with monkeypatch.context() as failing, lock.held():
        if not comes_late:
            failing.setattr(lock, "held", lambda timeout_s: (_ for _ in ()).throw(OSError(5)))
        for i in range(1, 6):
            recorder.append(*request(i))
        wait_until(lambda: recorder._writer is not None and recorder._writer._unsure is not None)
        recorder.close(timeout_s=0.5)
        assert recorder.counters["lost"] == 5
        recorder.append(*request(9))
    recorder.close()
    came = sorted(event["ts"] for event in events("request"))  # either writer may be first
    assert came == ([0, 1, 2, 3, 4, 5, 9] if comes_late else [0, 9])
    told = [(gap["facts"]["count"], gap["facts"]["why"]) for gap in events("gap")]
    assert told == ([] if comes_late else [(5, "the spool was in memory")])
    holds()


def test_a_gap_of_another_source_is_not_told_as_lost(trail: Path, events: Events) -> None:
    """It has a number of its own, which the source's own loss before it must not swallow."""
    source = LiveSource(TrailPaths.of(trail).spool, 100, lambda: 1)
    try:
        source.put_start({})
        source.lose(finishes=False)
        assert source.put_gap(Loss("d" * 26, count=1, why="unfinished"))
        assert source.put(cut(Core(ts=2, kind="note"))) == 5
        source.lose(finishes=False)
        assert source.put_stop()
        with open_trail(trail) as writer:
            writer.append(source.take(100).pairs, source.id, source.last_n)
    finally:
        source.spool.close(remove=True)
    told = [event["facts"] for event in events("gap")]
    assert [(t.get("first"), t.get("last")) for t in told] == [(2, 2), (None, None), (6, 6)]
    assert verify_trail(trail).ok


def test_dead_sources_are_looked_for_again_after_a_failure(
    trail: Path, make_recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def adopt(*_: Any) -> None:
        tried.append(1)
        if len(tried) < 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("flowaudit.recording.writer.adopt_dead_sources", adopt)
    monkeypatch.setattr("flowaudit.recording.writer.ADOPT_AGAIN_S", 0.05)
    recorder = make_recorder()
    for i in range(6):
        recorder.append(*request(i))
        assert recorder.flush()
        time.sleep(0.1)
    assert len(tried) == 3
    recorder.close()


def test_a_small_disk_gets_a_smaller_ring(
    trail: Path, make_recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.posix_fallocate

    def fallocate(descriptor: int, offset: int, size: int) -> None:
        if size > 400_000:
            raise OSError(28, "No space left on device")
        real(descriptor, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    recorder = make_recorder(queue_size=10_000)
    recorder.append(*request(1))
    source = recorder.live
    assert source is not None
    assert source.spool.kind == "file"
    assert source.spool.ring_bytes < 400_000
    assert recorder.flush()


@only_sqlite
def test_a_read_only_folder_is_survived(
    trail: Path, make_recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("flowaudit.trail.locks.make_private", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    recorder = make_recorder()
    assert recorder.append(*request(1))
    assert not recorder.flush(timeout_s=0.3)
    recorder.close(timeout_s=0.2)
    assert not trail.exists()


@only_sqlite
@pytest.mark.parametrize(
    ("gone", "left"),
    [(["t.db-wal"], [0, 1]), (["t.db", "t.db-wal", "t.db-shm"], [1])],
    ids=["log", "trail"],
)
def test_files_that_are_removed_while_in_use_are_noticed(
    trail: Path,
    make_recorder: Callable[..., Recorder],
    events: Events,
    gone: list[str],
    left: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is committed into a file without a name would be lost, and nobody would know."""
    monkeypatch.setattr("flowaudit.vault.guard.LOOK_S", 0.0)
    recorder = make_recorder()
    recorder.append(*request(0))
    assert recorder.flush()
    for name in gone:
        trail.with_name(name).unlink()
    recorder.append(*request(1))
    assert recorder.flush(timeout_s=20)
    assert recorder.counters["commit_failed"] == 1
    recorder.close()
    assert [event["ts"] for event in events("request")] == left
    problems = [problem.what for problem in verify_trail(trail).problems]
    assert problems == [] if 0 in left else any("are missing, no gap" in what for what in problems)


@pytest.mark.parametrize("key", [b"", b"no key at all"], ids=["empty", "other"])
def test_a_key_that_cannot_be_used_stops_no_event(
    trail: Path, make_recorder: Callable[..., Recorder], events: Events, key: bytes
) -> None:
    TrailPaths.of(trail).key.write_bytes(key)
    recorder = make_recorder()
    for i in range(5):
        recorder.append(*request(i))
    assert recorder.flush()
    recorder.close()
    assert [event["ts"] for event in events("request")] == list(range(5))
    [problem] = verify_trail(trail).problems
    assert "nothing of this trail is signed" in problem.what


def test_what_the_policy_left_out_is_told_soon(
    make_recorder: Callable[..., Recorder], events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowaudit.recording.writer.LEFT_OUT_S", 0.2)
    recorder = make_recorder()
    recorder.append(Core(ts=1, kind="note"))
    for rule in ("assets", "assets", "health"):
        recorder.count_received()
        recorder.count_dropped(rule)
    deadline = time.monotonic() + 10
    told: list[Any] = []
    while not told and time.monotonic() < deadline:
        time.sleep(0.05)
        told = [one["facts"] for one in events("process") if one["action"] == "heartbeat"]
    assert told == [{"left_out": {"assets": 2, "health": 1}}]
    time.sleep(0.4)
    recorder.flush()
    assert len([one for one in events("process") if one["action"] == "heartbeat"]) == 1
