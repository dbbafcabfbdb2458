"""Erasing: what is personal is gone to the byte, what happened and every proof stays."""

import json
import os
import random
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

import flowaudit
from flowaudit import FlowAudit
from flowaudit.cli import main
from flowaudit.errors import TrailBusyError
from flowaudit.event import Core, Personal, encode_core, encode_personal
from flowaudit.proofs.merkle import seal
from flowaudit.trail.erasing import erase_tokens
from flowaudit.trail.forgetting import RANGES_AT_ONCE, ErasureNote, Forgetting, names_any, ranges_of
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.erasure import begin_erasure, find_person
from flowaudit.vault.opening import open_vault
from flowaudit.vault.tokens import Token, Vault
from flowaudit.verification.trail import verify_trail
from tests.trail.stores import bytes_of, folder_of, only_sqlite

Events = Callable[..., list[dict[str, Any]]]
ANN, BOB = "user:ann-secret", "user:bob-secret"


def act(audit: FlowAudit, who: str, what: str, via: str | None = None) -> None:
    with audit.job("work", actor=flowaudit.Actor(who, via=via)):
        flowaudit.note(what=what)


def erase(trail: Path, who: str, *more: str) -> int:
    return main(["erase", who, "--trail", str(trail), "--yes", *more])


def erase_events(trail: Path) -> list[dict[str, Any]]:
    with open_reader(trail) as reader:
        cores = [json.loads(entry.core) for entry in reader.entries()]
    return [core for core in cores if core.get("action") == "erase"]


@pytest.fixture
def two(make_audit: Callable[..., FlowAudit], trail: Path) -> tuple[str, str]:
    """A closed trail of two persons' events in turn; their tokens."""
    audit = make_audit()
    for i in range(300):
        act(audit, ANN, f"ann-notes-{i}")
        act(audit, BOB, f"bob-notes-{i}")
    act(audit, "user:root", "by-hand-for-ann", via=ANN)
    act(audit, ANN, "ann-through-bob", via=BOB)
    audit.record("auth", "grant", target=ANN, role="ann-role")
    audit.record("auth", "grant", target=BOB, role="bob-role")
    audit.close()
    with open_vault(TrailPaths.of(trail).vault) as vault:
        return vault.token(ANN), vault.token(BOB)


def test_a_persons_part_is_gone_to_the_byte_and_the_trail_holds(
    two: tuple[str, str], trail: Path
) -> None:
    for text in (b"ann-notes-7", b"ann-secret", b"by-hand-for-ann", b"ann-role"):
        assert text in bytes_of(trail)
    with open_reader(trail) as reader:
        before = {e.seq: (e.core, e.personal) for e in reader.entries()}
        ann_salts = [e.salt for e in reader.entries() if e.salt and two[0].encode() in e.core]
    checked = verify_trail(trail)
    assert erase(trail, ANN) == 0
    left = bytes_of(trail)
    gone = (b"ann-notes", b"ann-secret", b"by-hand-for-ann", b"ann-through", b"ann-role")
    assert [text for text in gone if text in left] == []
    assert [salt for salt in ann_salts if salt in left] == []
    assert b"bob-notes-299" in left
    assert b"bob-secret" in left
    found = verify_trail(trail)
    assert found.ok, found.problems
    assert found.erased == 303
    with open_reader(trail) as reader:
        after = {e.seq: e for e in reader.entries()}
    for seq, (core, personal) in before.items():
        assert after[seq].core == core
        assert after[seq].personal in (personal, None)
    assert checked.size < found.size
    events = erase_events(trail)
    assert len(events) == 1
    assert events[0]["facts"]["erases"]["tokens"] == [two[0]]
    told = events[0]["facts"]["erases"]["seqs"]
    assert sum(last - first + 1 for first, last in told) == 303


def test_the_same_person_gets_a_new_token_in_a_process_that_goes_on(
    make_audit: Callable[..., FlowAudit], trail: Path, events: Events
) -> None:
    audit = make_audit(group_ms=1)
    act(audit, ANN, "before")
    assert audit.flush()
    argv = [sys.executable, "-m", "flowaudit", "erase", ANN, "--trail", str(trail), "--yes"]
    subprocess.run(argv, check=True, timeout=60)
    act(audit, ANN, "at-once-after")  # by the old token, which this process still remembers
    assert audit.flush()
    act(audit, ANN, "later")
    audit.close()
    old, late, new = events("note")
    assert old["actor"] == late["actor"] != new["actor"]
    assert ("data" in old, "data" in late) == (False, False)
    assert new["data"]["what"] == "later"
    assert b"at-once-after" not in bytes_of(trail)
    assert [len(event["facts"]["erases"]["seqs"]) for event in erase_events(trail)] == [1, 1]
    assert verify_trail(trail).ok


APP = """
    import os, sys, time, flowaudit
    from flowaudit import FlowAudit, Actor
    audit = FlowAudit(trail=sys.argv[1], group_ms=int(sys.argv[3]))
    print("up", flush=True)
    end, i = time.monotonic() + 60, 0
    while time.monotonic() < end and not os.path.exists(sys.argv[2]):
        i += 1
        with audit.job("work", actor="user:ann-secret"):
            flowaudit.note(what=f"ann-notes-{os.getpid()}-{i}")
        if i == 50:
            audit.flush()
            print("busy", flush=True)
        # before a kill slowly: 500 events would be a commit, and lead to a new token
        time.sleep(0.05 if sys.argv[4] == "kill" and i >= 50 else 0.0005)
    if sys.argv[4] == "kill":
        for i in range(5):
            with audit.job("work", actor="user:ann-secret"):
                flowaudit.note(what=f"ann-notes-last-{i}")
        os.kill(os.getpid(), 9)
    audit.close()
"""


@pytest.fixture
def start(trail: Path, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a process that writes Ann's events until `stop` is there."""
    made: list[subprocess.Popen[str]] = []

    def run(group_ms: int = 5, end: str = "close") -> "subprocess.Popen[str]":
        argv = [str(trail), str(tmp_path / "stop"), str(group_ms), end]
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(APP), *argv], stdout=subprocess.PIPE, text=True
        )
        made.append(process)
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["up\n", "busy\n"]
        return process

    yield run
    for process in made:
        process.kill()
        process.communicate(timeout=30)


def test_erased_while_other_processes_write_that_persons_events(
    start: Callable[..., "subprocess.Popen[str]"], trail: Path, tmp_path: Path, events: Events
) -> None:
    apps = [start(), start()]
    with open_vault(TrailPaths.of(trail).vault) as vault:
        old = vault.token(ANN)
    assert erase(trail, ANN) == 0
    time.sleep(0.5)
    (tmp_path / "stop").touch()
    assert [app.wait(30) for app in apps] == [0, 0]
    by_token: dict[str, list[bool]] = {}
    for event in events("note"):
        by_token.setdefault(event["actor"], []).append("data" in event)
    assert len(by_token) == 2
    assert not any(by_token.pop(old))
    [(_, new)] = by_token.items()
    assert all(new)
    assert len(new) > 50
    found = verify_trail(trail)
    assert found.ok, found.problems


@pytest.mark.parametrize("who_adopts", ["erase", "recover", "app"])
def test_what_a_killed_process_left_in_its_spool_comes_without_it(
    start: Callable[..., "subprocess.Popen[str]"],
    make_audit: Callable[..., FlowAudit],
    trail: Path,
    tmp_path: Path,
    who_adopts: str,
) -> None:
    app = start(group_ms=10_000, end="kill")
    if who_adopts != "erase":
        assert erase(trail, ANN) == 0  # while it still lives, and spools
    time.sleep(0.1)
    (tmp_path / "stop").touch()
    assert app.wait(30) == -signal.SIGKILL
    assert b"ann-notes" in bytes_of(trail)
    if who_adopts == "app":
        audit = make_audit()
        audit.record("note", x=1)
        audit.close()
    else:
        argv = ["--yes"] if who_adopts == "erase" else []
        person = [ANN] if who_adopts == "erase" else []
        assert main([who_adopts, *person, "--trail", str(trail), *argv]) == 0
    assert not list(folder_of(trail).rglob("*.ring"))
    assert b"ann-notes" not in bytes_of(trail)
    found = verify_trail(trail)
    assert found.ok, found.problems


@only_sqlite
def test_an_erasure_waits_for_the_lock_and_leaves_nothing_half_done(
    two: tuple[str, str],
    trail: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("flowaudit.cli.erase.LOCK_TIMEOUT_S", 0.2)
    code = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX);"
        "print('held', flush=True); time.sleep(60)"
    )
    lock = str(TrailPaths.of(trail).lock)
    holder = subprocess.Popen([sys.executable, "-c", code, lock], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert erase(trail, ANN) == 2
        assert "has held it for" in capsys.readouterr().err
        assert main(["who", two[0], "--trail", str(trail)]) == 0  # it has not begun
    finally:
        holder.kill()
        holder.communicate(timeout=30)
    assert erase(trail, ANN) == 0
    assert b"ann-" not in bytes_of(trail)
    assert verify_trail(trail).ok


@pytest.mark.parametrize(
    "step", ["adopt", "erase_tokens", "end_erasure", "_truncate"], ids=lambda step: f"at {step}"
)
@pytest.mark.parametrize("by", ["identity", "token"])
def test_broken_off_anywhere_a_second_run_completes_it(
    two: tuple[str, str], trail: Path, monkeypatch: pytest.MonkeyPatch, step: str, by: str
) -> None:
    with monkeypatch.context() as broken:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        broken.setattr(f"flowaudit.cli.erase.{step}", stop)
        assert erase(trail, ANN) == 130
    assert verify_trail(trail).ok
    with open_vault(TrailPaths.of(trail).vault) as vault:
        assert vault.find(ANN) is None
    if step == "_truncate" and by == "identity":
        assert erase(trail, ANN) == 2  # nothing is left that leads from the name to the token
        by = "token"
    assert erase(trail, ANN if by == "identity" else two[0]) == 0
    assert b"ann-" not in bytes_of(trail)
    assert verify_trail(trail).ok
    assert verify_trail(trail).erased == 303


def test_killed_in_the_middle_a_second_run_completes_it(two: tuple[str, str], trail: Path) -> None:
    code = (
        "import os, sys; import flowaudit.trail.erasing as e; from flowaudit.cli import main;"
        "from flowaudit.trail.opening import open_trail; Trail = type(open_trail(sys.argv[4]));"
        "e.AT_ONCE = 50; real = Trail.erase; calls = [];\n"
        "def erase(*a):\n"
        "    calls.append(real(*a)); len(calls) == 3 and os.kill(os.getpid(), 9)\n"
        "    return calls[-1]\n"
        "Trail.erase = erase; main(sys.argv[1:])"
    )
    argv = ["erase", ANN, "--trail", str(trail), "--yes"]
    done = subprocess.run([sys.executable, "-c", code, *argv], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    found = verify_trail(trail)
    assert (found.ok, found.erased) == (True, 150), found.problems
    assert erase(trail, ANN) == 0
    assert b"ann-" not in bytes_of(trail)
    found = verify_trail(trail)
    assert (found.ok, found.erased) == (True, 303)


def test_two_erasing_at_once_do_it_once(two: tuple[str, str], trail: Path) -> None:
    argv = [sys.executable, "-m", "flowaudit", "erase", ANN, "--trail", str(trail), "--yes"]
    both = [subprocess.Popen([*argv, "--format", "json"], stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert {process.returncode for process in both} <= {0, 2}
    told = [json.loads(output)["events"] for output in outputs if output]
    assert sum(told) == 303
    assert b"ann-" not in bytes_of(trail)
    found = verify_trail(trail)
    assert (found.ok, found.erased) == (True, 303), found.problems
    seqs = [s for event in erase_events(trail) for s in event["facts"]["erases"].get("seqs", [])]
    assert sum(last - first + 1 for first, last in seqs) == 303


@only_sqlite
def test_it_says_when_a_reader_keeps_the_log(
    two: tuple[str, str],
    trail: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flowaudit.trail.sqlite_file.BUSY_S", 0.1)
    with open_reader(trail):
        assert erase(trail, ANN) == 0
        said = capsys.readouterr().out
    assert f"A reader holds on to {trail}-wal" in said
    assert f"flowaudit erase {two[0]}" in said
    assert erase(trail, two[0]) == 0
    assert "A reader holds" not in capsys.readouterr().out
    assert b"ann-" not in bytes_of(trail)


@only_sqlite
def test_a_row_that_no_erasure_covers_is_reported(two: tuple[str, str], trail: Path) -> None:
    assert erase(trail, ANN) == 0
    with open_trail(trail) as writer, writer._transaction() as db:
        [(seq,)] = db.execute("SELECT max(seq) FROM event WHERE personal IS NOT NULL").fetchall()
        [(salt, text)] = db.execute(
            "SELECT salt, CAST(personal AS BLOB) FROM event WHERE seq = ?", (seq,)
        ).fetchall()
        db.execute(
            "UPDATE event SET personal = NULL, salt = NULL, sealed = ? WHERE seq = ?",
            (seal(salt, text), seq),
        )
    found = verify_trail(trail)
    assert [(p.seq, p.what) for p in found.problems] == [(seq, "personal part missing, no erasure")]


def test_an_erasure_in_many_places_is_told_in_several_events(trail: Path) -> None:
    token, other, source = "a" * 52, "b" * 52, "s" * 26
    size = 2 * (2 * RANGES_AT_ONCE + 10)
    records = []
    for n in range(1, size + 1):
        core = Core(v=1, source=source, n=n, ts=n, kind="note", actor=token if n % 2 else other)
        records.append((encode_core(core), encode_personal(Personal(path=f"/{n}"))))
    with open_trail(trail) as writer:
        writer.append(records, source, size)
        assert erase_tokens(writer, [token], ErasureNote([token])) == size // 2
    cores = erase_events(trail)
    assert [len(c["facts"]["erases"]["seqs"]) for c in cores] == [RANGES_AT_ONCE] * 2 + [10]
    assert max(len(json.dumps(core)) for core in cores) < 32 * 1024
    found = verify_trail(trail)
    assert (found.ok, found.erased) == (True, size // 2), found.problems


@pytest.mark.parametrize("share", [0.1, 0.9], ids=lambda share: f"{share:.0%} of all")
def test_events_of_every_size_leave_no_bytes(trail: Path, share: float) -> None:
    dice, source, paths = random.Random(8), "s" * 26, TrailPaths.of(trail)
    with open_vault(paths.vault) as vault:
        for i in range(200):
            vault.token(f"user:other-{i}")
        tokens = vault.token(ANN), vault.token(BOB)
    marks: list[bytes] = []
    n = 0
    with open_trail(trail) as writer:
        for group in (1, 500, 30, 1, 700, 250):
            records = []
            for _ in range(group):
                n += 1
                is_ann, mark = dice.random() < share, f"mark-{n:06d}"
                marks += [mark.encode()] * is_ann
                pad = "x" * dice.choice([0, 10, 400, 5_000, 40_000 if dice.random() < 0.1 else 5])
                core = Core(v=1, source=source, n=n, ts=n, kind="note", actor=tokens[not is_ann])
                personal = Personal(path=f"/{mark}", data={"pad": pad, "what": mark})
                records.append((encode_core(core), encode_personal(personal)))
            writer.append(records, source, n)
    assert erase(trail, ANN) == 0
    left = bytes_of(trail)
    assert [mark for mark in [*marks, ANN.encode()] if mark in left] == []
    found = verify_trail(trail)
    assert (found.ok, found.erased) == (True, len(marks)), found.problems


CASES: list[tuple[str, Core, Personal | None, bool]] = [
    ("actor", Core(kind="note", actor="t"), None, True),
    ("via", Core(kind="note", actor="x", via="t"), None, True),
    ("target", Core(kind="auth", actor="x"), Personal(data={"target": "t"}), True),
    ("not of a note", Core(kind="note"), Personal(data={"target": "t"}), False),
    ("only in facts", Core(kind="ops", facts={"actor": "t"}), None, False),
    ("only in a path", Core(kind="auth"), Personal(path='"target":"t"'), False),
    ("a quoted one", Core(kind="note", route='/"actor":"t"'), None, False),
    ("another actor", Core(kind="ops", actor="x", facts={"actor": "t", "via": "t"}), None, False),
    ("both", Core(kind="ops", actor="x", facts={"actor": "x", "via": "x"}, via="t"), None, True),
    ("nobody", Core(kind="note"), None, False),
]


@pytest.mark.parametrize(
    ("core", "personal", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_whose_an_event_is(
    tmp_path: Path, core: Core, personal: Personal | None, expected: bool
) -> None:
    token = "t" * 52
    data = encode_personal(personal or Personal(path="/x")).replace(b'"t"', f'"{token}"'.encode())
    raw = encode_core(core).replace(b'"t"', f'"{token}"'.encode())
    raw = raw.replace(b'\\"t\\"', f'\\"{token}\\"'.encode())
    assert names_any(raw, data, [token]) is expected
    with Vault(tmp_path / "t.vault") as vault:
        vault.change(lambda db: db.execute("INSERT INTO erased VALUES (?, 1)", (token,)))
        vault.change(lambda db: db.execute("UPDATE generation SET number = 1"))
    forgetting = Forgetting(tmp_path / "t.vault")
    forgetting.look()
    other = encode_core(Core(kind="note", actor="u" * 52))
    assert forgetting.places([(other, data), (raw, data)]) == ({1} if expected else set())
    forgetting.close()


@pytest.mark.parametrize("core", [b"", b"\xff", b"{", b"[1]", b'{"actor":1}'])
def test_a_damaged_event_is_theirs_if_the_token_stands_in_it(core: bytes) -> None:
    assert not names_any(core, None, ["token"])
    assert names_any(core + b"token", None, ["token"])


def test_ranges_cover_each_number_once() -> None:
    assert ranges_of([1, 2, 3, 7, 9, 10]) == [[1, 3], [7, 7], [9, 10]]
    assert ranges_of([]) == []


def test_entries_of_finds_each_once_in_order(two: tuple[str, str], trail: Path) -> None:
    with open_reader(trail) as reader:
        expected = [e.seq for e in reader.entries() if names_any(e.core, e.personal, [*two])]
        found = list(reader.entries_of(two))
        part = list(reader.entries_of(two, 100, 201))
    assert [entry.seq for entry in found] == expected
    assert len(found) == 604
    assert [entry.seq for entry in part] == [seq for seq in expected if 100 <= seq <= 200]


@only_sqlite
def test_a_vault_that_cannot_be_read_does_not_stop_the_trail(trail: Path) -> None:
    paths = TrailPaths.of(trail)
    paths.vault.write_bytes(b"no vault at all, but text " * 100)
    core = encode_core(Core(v=1, source="s" * 26, n=1, ts=1, kind="note", actor="a" * 52))
    with Trail(paths) as writer:
        writer.append([(core, b'{"path":"/x"}')], "s" * 26, 1)
    found = verify_trail(trail)
    assert (found.size, found.checkpoint_size) == (1, 1)
    assert [problem.what for problem in found.problems] == [
        "the vault cannot be read: file is not a database"
    ]


@only_sqlite
def test_a_vault_that_is_locked_holds_the_commit_back(
    trail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowaudit.trail.forgetting.VAULT_TIMEOUT_S", 0.1)
    paths = TrailPaths.of(trail)
    with Vault(paths.vault) as vault:
        vault.token(ANN)
    holder = sqlite3.connect(paths.vault, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    core = encode_core(Core(v=1, source="s" * 26, n=1, ts=1, kind="note"))
    with Trail(paths) as writer:
        with pytest.raises(TrailBusyError, match="who was erased"):
            writer.append([(core, b"")], "s" * 26, 1)
        holder.execute("ROLLBACK")
        holder.close()
        assert writer.append([(core, b"")], "s" * 26, 1) == 0


def test_emitted_lines_say_nothing_personal_of_who_is_erased(
    make_audit: Callable[..., FlowAudit], trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = make_audit(emit="whole", group_ms=1)
    act(audit, ANN, "first-words")
    assert audit.flush()
    with open_vault(TrailPaths.of(trail).vault) as vault:
        person = find_person(vault, ANN)
        assert person is not None
        begin_erasure(vault, person, 1)
        old = Token(person.tokens[0])
    act(audit, old, "last-words")
    audit.close()
    said = capsys.readouterr().out
    assert "first-words" in said
    assert "last-words" not in said


def test_a_token_asked_for_before_an_erasure_is_not_remembered_after_it(trail: Path) -> None:
    vault = open_vault(TrailPaths.of(trail).vault)
    real, asked, go = vault._insert, threading.Event(), threading.Event()

    def slow(*args: Any) -> str:
        token = real(*args)
        asked.set()
        assert go.wait(10)
        return token

    vault._insert = slow  # type: ignore[method-assign]
    thread = threading.Thread(target=vault.token, args=(ANN,))
    thread.start()
    assert asked.wait(10)
    vault.forget()
    go.set()
    thread.join(10)
    assert vault.cached(ANN) is None
    vault.close()


def test_a_look_costs_no_file_where_there_is_no_vault(tmp_path: Path) -> None:
    forgetting = Forgetting(tmp_path / "none.vault")
    forgetting.look()
    assert forgetting.tokens == frozenset()
    assert not os.listdir(tmp_path)
