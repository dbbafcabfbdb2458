"""Many hosts, one database: killed, hung, away or locked, it has every event once."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import flowaudit
from flowaudit import FlowAudit
from flowaudit.cli import main
from flowaudit.errors import TrailBusyError, TrailError, VaultError
from flowaudit.event import Core, encode_core
from flowaudit.proofs.checkpoint import sign_checkpoint
from flowaudit.recording.adoption import Loss, adopt_dead_sources
from flowaudit.trail.homes import home_of
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.opening import open_vault
from flowaudit.vault.place import DatabaseUrl
from flowaudit.verification.trail import verify_trail
from tests.postgres import Server, running

SOAK = bool(os.environ.get("FLOWAUDIT_SOAK"))

BACK_S = 7.0
"""Seconds after the return of a server until each host's events come in: the longest pause between
two tries is 5 s.
"""


@pytest.fixture(scope="module")
def fragile(postgres: Server) -> Iterator[Server]:
    """A server for these tests alone, which may be killed; it writes durably."""
    with running(is_durable=True) as server:
        yield server


@pytest.fixture
def url(fragile: Server) -> Iterator[DatabaseUrl]:
    if not fragile.is_up:
        fragile.start()
    database = fragile.new_trail()
    yield DatabaseUrl(fragile.url(database))
    fragile.drop(database)


HOST = """
    import os, sys, time
    from flowaudit.event import Core, Personal
    from flowaudit.trail.paths import TrailPaths
    from flowaudit.recording.recorder import Recorder

    url, key, spool, stop = sys.argv[1:]
    recorder = Recorder(
        TrailPaths.of(url, key=key, spool=spool), process_facts={},
        clock_us=lambda: time.time_ns() // 1000, queue_size=100_000, group_ms=5,
    )
    i = 0
    print("up", flush=True)
    while not os.path.exists(stop):
        i += 1
        start = time.perf_counter()
        recorder.append(Core(ts=i, kind="request", status=200), Personal(path=f"/{i}"))
        took = time.perf_counter() - start
        slowest = max(took, slowest) if i > 1 else 0.0
        time.sleep(0.0005)
    recorder.close(timeout_s=30)
    print(recorder.counters["lost"], i, slowest, flush=True)
"""


class Host:
    """A process that hands events over until it is told to stop: with a spool of its own."""

    def __init__(self, url: DatabaseUrl, folder: Path, key: Path) -> None:
        folder.mkdir()
        self.stop = folder / "stop"
        self.spool = folder / "spool"
        argv = [url.uri, str(key), str(self.spool), str(self.stop)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(HOST), *argv],
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "up\n"

    def end(self) -> tuple[int, float]:
        """How many events it handed over, and the longest that this took, in seconds."""
        self.stop.touch()
        said, _ = self._process.communicate(timeout=90)
        self.said = said
        lost, count, slowest = said.splitlines()[-1].split()  # behind the log's lines
        assert lost == "0"
        return int(count), float(slowest)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=30)


@pytest.fixture
def hosts(url: DatabaseUrl, tmp_path: Path) -> Iterator[list[Host]]:
    """Two of them, writing into one trail. Both have the key."""
    key = tmp_path / "shared.key"
    made = [Host(url, tmp_path / name, key) for name in ("one", "two")]
    yield made
    for host in made:
        host.kill()


def times_of(url: DatabaseUrl) -> list[Counter[int]]:
    """Of each source: how often each of its requests is in the trail, by its `ts`."""
    found: dict[str, Counter[int]] = {}
    with open_reader(url) as reader:
        for entry in reader.entries():
            core = json.loads(entry.core)
            if core["kind"] == "request":
                found.setdefault(core["source"], Counter())[core["ts"]] += 1
    return list(found.values())


def check_each_is_there_once(url: DatabaseUrl, hosts: list[Host], key: Path) -> None:
    ended = [host.end() for host in hosts]
    for host in hosts:
        assert list(host.spool.glob("*.ring")) == [], host.said
    found = times_of(url)
    assert sorted(map(len, found)) == sorted(count for count, _ in ended)
    for counts in found:
        assert set(counts.values()) == {1}
        assert set(counts) == set(range(1, len(counts) + 1))
    verified = verify_trail(TrailPaths.of(url, key=key))
    assert verified.ok, verified.problems
    # a busy machine may stop a process for a while, but nobody waits for a server
    assert max(slowest for _, slowest in ended) < 2.0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT], ids=["kill", "immediate stop"])
def test_a_server_killed_in_mid_commit_loses_and_repeats_nothing(
    fragile: Server, url: DatabaseUrl, hosts: list[Host], tmp_path: Path, how: signal.Signals
) -> None:
    for _ in range(40 if SOAK else 4):
        time.sleep(0.5)
        fragile.stop(how)
        time.sleep(0.2)
        fragile.start()
    time.sleep(0.3)
    check_each_is_there_once(url, hosts, tmp_path / "shared.key")


def test_events_come_in_again_soon_after_each_restart_of_the_server(
    fragile: Server, url: DatabaseUrl, hosts: list[Host], tmp_path: Path
) -> None:
    def committed() -> dict[str, int]:
        rows = fragile.run("SELECT id, last_n FROM flowaudit.source WHERE running > ''", url.stem)
        return dict(rows)  # type: ignore[arg-type]

    for _ in range(10 if SOAK else 3):
        time.sleep(0.3)
        fragile.stop(signal.SIGINT)
        time.sleep(0.7)
        fragile.start()
        before, deadline = committed(), time.monotonic() + BACK_S
        assert len(before) == len(hosts)
        while any(now <= before[source] for source, now in committed().items()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    check_each_is_there_once(url, hosts, tmp_path / "shared.key")


def test_connections_that_are_cut_in_mid_commit_lose_and_repeat_nothing(
    fragile: Server, url: DatabaseUrl, hosts: list[Host], tmp_path: Path
) -> None:
    sql = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{url.stem}' AND pid <> pg_backend_pid()"
    )
    cut, deadline = 0, time.monotonic() + 60
    while cut < (400 if SOAK else 30):
        assert time.monotonic() < deadline
        cut += len(fragile.run(sql))
        time.sleep(0.02)
    check_each_is_there_once(url, hosts, tmp_path / "shared.key")


def test_a_server_that_hangs_delays_no_request(
    fragile: Server, url: DatabaseUrl, hosts: list[Host], tmp_path: Path
) -> None:
    time.sleep(0.3)
    with fragile.stopped():
        time.sleep(3)
    check_each_is_there_once(url, hosts, tmp_path / "shared.key")


def test_two_with_one_source_never_bring_in_the_same_events(
    fragile: Server, url: DatabaseUrl, tmp_path: Path
) -> None:
    """A spool that was copied to another host, and both adopt it."""
    record = (encode_core(Core(v=1, source="s" * 26, n=1, ts=1, kind="note")), b"")
    with open_trail(TrailPaths.of(url, key=tmp_path / "k")) as one:
        assert one.append([record], "s" * 26, 1, after_n=0) == 0
        with pytest.raises(TrailBusyError, match="adds the same events"):
            one.append([record], "s" * 26, 1, after_n=0)


def test_what_a_host_left_is_adopted_once_the_database_is_back(
    fragile: Server, url: DatabaseUrl, tmp_path: Path
) -> None:
    host = Host(url, tmp_path / "one", tmp_path / "shared.key")
    time.sleep(0.3)
    fragile.stop(signal.SIGQUIT)
    time.sleep(0.5)
    host.kill()
    assert len(list(host.spool.glob("*.ring"))) == 1
    paths = TrailPaths.of(url, key=tmp_path / "shared.key", spool=host.spool)
    with closing(open_trail(paths)) as trail, pytest.raises(TrailError):
        adopt_dead_sources(trail, lambda loss: None)
    assert len(list(host.spool.glob("*.ring"))) == 1
    fragile.start()
    with open_trail(paths) as trail:
        adopt_dead_sources(trail, lambda loss: None)
    assert list(host.spool.glob("*.ring")) == []
    [counts] = times_of(url)
    assert set(counts.values()) == {1}
    assert set(counts) == set(range(1, len(counts) + 1))
    assert len(counts) > 500
    assert verify_trail(paths).ok


def test_a_person_not_met_yet_costs_a_request_a_second_at_most_and_the_next_ones_nothing(
    fragile: Server, url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    audit = FlowAudit(trail=url.uri)
    with audit.job("work", actor="user:known"):
        pass
    assert audit.flush()
    took = []
    with fragile.stopped():
        for name in ("known", "new-1", "new-2", "new-3", "known"):
            start = time.monotonic()
            with audit.job("work", actor=f"user:{name}"):
                pass
            took.append(time.monotonic() - start)
    assert took[1] < 2.5
    assert max(took[0], *took[2:]) < 0.5
    assert audit.flush(timeout_s=60)
    audit.close()
    with open_reader(url) as reader:
        jobs = [
            json.loads(entry.core) for entry in reader.entries() if b'"kind":"note"' in entry.core
        ]
    flags = ["identity-unavailable" in core.get("flags", []) for core in jobs]
    assert flags == [False, False, True, True, True, False]


def test_a_long_lock_holds_commits_back_and_says_so(
    fragile: Server, url: DatabaseUrl, tmp_path: Path
) -> None:
    record = (encode_core(Core(v=1, source="s" * 26, n=1, ts=1, kind="note")), b"")
    paths = TrailPaths.of(url, key=tmp_path / "k")
    with psycopg.connect(url.uri) as holder:
        holder.execute("SELECT flowaudit.take_turn()")
        with closing(open_trail(paths, lock_timeout_s=0.3)) as trail:
            start = time.monotonic()
            for call in (
                lambda: trail.append([record], "s" * 26, 1),
                lambda: trail.last_n("s" * 26),
                trail.checkpoint,
            ):
                with pytest.raises(TrailBusyError, match="too long"):
                    call()
            assert time.monotonic() - start < 5
            holder.rollback()
            assert trail.append([record], "s" * 26, 1) == 0


def test_a_host_that_stops_in_mid_commit_holds_the_others_up_for_a_while_only(
    fragile: Server, url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowaudit.vault.link.IDLE_S", 1)
    record = (encode_core(Core(v=1, source="s" * 26, n=1, ts=1, kind="note")), b"")
    with closing(open_trail(TrailPaths.of(url, key=tmp_path / "k"))) as stopped:
        turn = stopped._turn()  # type: ignore[attr-defined]
        turn.__enter__()
        with open_trail(TrailPaths.of(url, key=tmp_path / "k"), lock_timeout_s=10) as other:
            start = time.monotonic()
            assert other.append([record], "s" * 26, 1) == 0
            assert time.monotonic() - start < 8
        with pytest.raises(TrailError):
            turn.__exit__(None, None, None)
        assert stopped.append([record], "t" * 26, 1) == 1


def test_a_host_takes_no_living_source_of_another_for_dead(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    here, there = (
        TrailPaths.of(url, key=tmp_path / "k", spool=tmp_path / name / "spool") for name in "ab"
    )
    here.spool.parent.mkdir()
    there.spool.parent.mkdir()
    losses: list[Loss] = []
    with open_trail(here) as trail:
        trail.append([], "s" * 26, 0, running="an earlier boot")
        assert trail.running_sources() == {"s" * 26: "an earlier boot"}
    with open_trail(there) as trail:
        assert trail.running_sources() == {}
        assert adopt_dead_sources(trail, losses.append).sources == 0
    assert losses == []
    with open_trail(here) as trail:  # the same host, after it went down
        assert adopt_dead_sources(trail, losses.append).sources == 1
        assert trail.running_sources() == {}
    assert [loss.why for loss in losses] == ["the machine went down; no spool is left"]


def test_a_spool_has_one_home(tmp_path: Path) -> None:
    found: set[str] = set()
    threads = [
        threading.Thread(target=lambda: found.add(home_of(tmp_path / "spool"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 1
    assert home_of(tmp_path / "other") not in found
    assert len(home_of(tmp_path / "missing" / "spool")) == 26
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.home", "spool.home"]


def test_a_reader_may_take_its_time(
    fragile: Server, url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowaudit.vault.link.IDLE_S", 0.5)
    with open_reader(url) as reader:
        time.sleep(1.5)
        assert list(reader.entries()) == []


def test_a_commit_whose_answer_is_lost_is_waited_for(
    fragile: Server, url: DatabaseUrl, tmp_path: Path
) -> None:
    """The old server process may still be at the commit when the writer asks what came of it."""
    record = (encode_core(Core(v=1, source="s" * 26, n=1, ts=1, kind="note")), b"")
    paths = TrailPaths.of(url, key=tmp_path / "k")
    asked: list[int] = []
    with psycopg.connect(url.uri) as old, open_trail(paths) as writer:
        old.execute(
            "SELECT flowaudit.append('s', 7, NULL, %b::bytea[], NULL, NULL, NULL)", ([record[0]],)
        )
        thread = threading.Thread(target=lambda: asked.append(writer.last_n("s")))
        thread.start()
        time.sleep(0.3)
        assert asked == []
        old.commit()
        thread.join(20)
    assert asked == [7]


def test_a_child_uses_nothing_of_its_parents_connection(url: DatabaseUrl, tmp_path: Path) -> None:
    record = (encode_core(Core(v=1, source="s" * 26, n=1, ts=1, kind="note")), b"")
    paths = TrailPaths.of(url, key=tmp_path / "k")
    with open_trail(paths) as trail, open_vault(url) as vault:
        assert trail.append([record], "s" * 26, 1) == 0
        token = vault.token("user:ann")
        child = os.fork()
        if child == 0:
            try:
                assert trail.append([record], "t" * 26, 1) == 1
                assert vault.find("user:ann") == token
                trail.close()
                vault.close()
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert trail.append([record], "u" * 26, 1) == 2
        assert vault.find("user:ann") == token


def test_an_erasure_on_one_host_holds_on_all(
    url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = (FlowAudit(trail=url.uri, spool=tmp_path / name, group_ms=1) for name in "ab")
    for audit in (one, two):
        with audit.job("work", actor="user:ann"):
            flowaudit.note(what="before")
        assert audit.flush()
    argv = [sys.executable, "-m", "flowaudit", "erase", "user:ann", "--yes", "--trail", url.uri]
    subprocess.run(argv, check=True, timeout=60)  # elsewhere: this process remembers the token
    for audit in (one, two):
        with audit.job("work", actor="user:ann"):
            flowaudit.note(what="after")
        audit.close()
    with open_reader(url) as reader:
        notes = [entry for entry in reader.entries() if b'"kind":"note"' in entry.core]
    actors = [json.loads(entry.core)["actor"] for entry in notes]
    assert len(notes) == 4
    assert actors[0] == actors[1] == actors[2]  # one person on both hosts, and remembered
    for actor, entry in zip(actors, notes, strict=True):
        assert (entry.personal is None) == (actor == actors[0])
    verified = verify_trail(url)
    assert verified.ok, verified.problems


def test_a_host_without_the_key_writes_and_signs_nothing(url: DatabaseUrl, tmp_path: Path) -> None:
    def record(n: int) -> tuple[bytes, bytes]:
        return encode_core(Core(v=1, source="s" * 26, n=n, ts=n, kind="note")), b""

    with_key = TrailPaths.of(url, key=tmp_path / "one.key")
    others = [TrailPaths.of(url, key=tmp_path / name) for name in ("none.key", "other.key")]
    with open_trail(TrailPaths.of(tmp_path / "x.db", key=others[1].key)) as another:
        another.append([record(1)], "s" * 26, 1)  # that host has a key, of another trail
    with open_trail(with_key) as trail:
        trail.append([record(1)], "s" * 26, 1)
    for n, paths in enumerate(others, 2):
        with open_trail(paths) as trail:
            trail.append([record(n)], "s" * 26, n)
            assert trail.signed is None
            with pytest.raises(TrailError, match="is not the key that signs"):
                trail.replace_key()
    assert not others[0].key.exists()
    with open_trail(with_key) as trail:
        trail.checkpoint()
    verified = verify_trail(with_key)
    assert verified.ok, verified.problems


def test_a_worthless_signature_stops_the_signing_and_verify_tells(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    """A writer that was taken over can do that; it can't stop events, nor be overlooked."""

    def record(n: int) -> tuple[bytes, bytes]:
        return encode_core(Core(v=1, source="s" * 26, n=n, ts=n, kind="note")), b""

    paths = TrailPaths.of(url, key=tmp_path / "k")
    with open_trail(paths) as trail:
        trail.append([record(1)], "s" * 26, 1)
        trail.checkpoint()
        with psycopg.connect(url.uri) as writer:
            first = writer.execute(
                "SELECT flowaudit.append(%s, 2, NULL, ARRAY[%b::bytea], NULL, NULL, NULL)",
                ("s" * 26, record(2)[0]),
            ).fetchone()
            assert first is not None
            row = writer.execute("SELECT origin, size, root FROM flowaudit.to_sign()").fetchone()
            assert row is not None
            note = sign_checkpoint((Ed25519PrivateKey.generate(),), *row)
            writer.execute("SELECT flowaudit.keep_checkpoint(%s)", (note,))
        signed = trail.signed
        trail.append([record(3)], "s" * 26, 3)
        trail.checkpoint()
        assert trail.signed == signed
        assert verify_trail(paths).problems
        with psycopg.connect(url.uri) as owner:
            owner.execute("DELETE FROM flowaudit.checkpoint WHERE size = %s", (row[1],))
        trail.checkpoint()
        assert trail.signed != signed
    verified = verify_trail(paths)
    assert verified.ok, verified.problems


def test_after_a_rotation_the_hosts_with_the_old_key_sign_nothing(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    def record(n: int) -> tuple[bytes, bytes]:
        return encode_core(Core(v=1, source="s" * 26, n=n, ts=n, kind="note")), b""

    here, there = (TrailPaths.of(url, key=tmp_path / name) for name in ("a.key", "b.key"))
    with open_trail(here) as trail:
        trail.append([record(1)], "s" * 26, 1)
    there.key.write_bytes(here.key.read_bytes())
    with open_trail(there) as trail:
        trail.append([record(2)], "s" * 26, 2)
        trail.checkpoint()
        assert trail.signed is not None
    with open_trail(here) as trail:
        trail.replace_key()
    with open_trail(there) as trail:
        trail.append([record(3)], "s" * 26, 3)
        trail.checkpoint()
        assert trail.signed is None
    with open_trail(here) as trail:
        trail.checkpoint()
        assert trail.signed is not None
    verified = verify_trail(here)
    assert verified.ok, verified.problems


def test_who_asks_a_database_that_is_away_is_told_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    uri = "postgresql://ann:s3cret@127.0.0.1:9/t"
    for command in (["verify"], ["flows"], ["recover"], ["who", "x"], ["erase", "x", "--yes"]):
        assert main([*command, "--trail", uri]) == 2
        said = capsys.readouterr()
        assert "s3cret" not in said.out + said.err
        assert said.err.count("\n") == 1
        assert "127.0.0.1" in said.err
    with pytest.raises(VaultError) as caught:
        open_vault(DatabaseUrl(uri)).token("x")
    assert "s3cret" not in str(caught.value)


def test_an_app_starts_and_records_though_the_database_is_away(
    fragile: Server, url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fragile.stop(signal.SIGINT)
    audit = FlowAudit(trail=url.uri)
    start = time.monotonic()
    for i in range(200):
        audit.record("note", number=i)
    assert time.monotonic() - start < 2
    assert not audit.flush(timeout_s=0.2)
    fragile.start()
    assert audit.flush(timeout_s=30)
    audit.close()
    with open_reader(url) as reader:
        notes = [entry for entry in reader.entries() if b'"kind":"note"' in entry.core]
    assert len(notes) == 200
    assert verify_trail(url).ok


def test_no_password_is_kept_in_the_trail_or_said(
    fragile: Server,
    url: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    fragile.run("DROP ROLE IF EXISTS shop")
    fragile.run(
        "CREATE ROLE shop LOGIN PASSWORD 's3cret' IN ROLE"
        " flowaudit_writer, flowaudit_tokens, flowaudit_auditor"
    )
    uri = f"postgresql://shop:s3cret@127.0.0.1:{fragile.port}/{url.stem}"
    audit = FlowAudit(trail=uri)
    with audit.job("work", actor="user:ann"):
        pass
    audit.close()
    for command in (["flows"], ["denied"], ["verify"], ["review"]):
        assert main([*command, "--trail", uri]) == 0
    assert main(["report", "--trail", uri, "-o", str(tmp_path / "r.html")]) == 0
    wrong = uri.replace("s3cret", "s3cret-and-wrong")
    assert main(["verify", "--trail", wrong]) == 2
    with open_reader(url) as reader:
        stored = b"".join(e.core + (e.personal or b"") for e in reader.entries())
    said = "".join(capfd.readouterr())
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert "postgresql://shop@127.0.0.1" in said
    assert "s3cret" not in said
    assert b"s3cret" not in stored + written


def test_recorder_threads_survive_a_server_that_is_only_slow(
    fragile: Server, url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer does not come in time: the connection is given up, and the commit looked up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flowaudit.trail.postgres.ANSWER_S", 0.5)
    monkeypatch.setattr("flowaudit.trail.postgres.PATIENCE_S", 0.5)
    audit = FlowAudit(trail=url.uri)
    audit.record("note", number=0)
    assert audit.flush()
    for i in range(1, 4):
        with fragile.stopped():
            audit.record("note", number=i)
            assert not audit.flush(timeout_s=2.5)
        assert audit.flush(timeout_s=30)
    audit.close()
    with open_reader(url) as reader:
        notes = [entry for entry in reader.entries() if b'"kind":"note"' in entry.core]
    assert len(notes) == 4
    assert verify_trail(url).ok
