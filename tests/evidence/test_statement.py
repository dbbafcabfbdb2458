"""What a completeness statement counts, over real processes that stop, die, leave out and lose."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowaudit.archive.moving import archive_trail
from flowaudit.archive.places import open_place
from flowaudit.cli import main
from flowaudit.event import Core, Value, encode_core
from flowaudit.evidence.signed import SignedStatement
from flowaudit.evidence.statement import Span, Statement, make_statement
from flowaudit.trail.keys import load_verifier_key
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.trail.paths import TrailPaths
from tests.archive.trails import DAY, START

Said = pytest.CaptureFixture[str]
HOUR = 3_600_000_000

APP = """
import os, sys, threading
from flowaudit import FlowAudit
trail, act, clock = sys.argv[1], sys.argv[2], [int(sys.argv[3])]
settings = dict(service="shop", version="2", clock=lambda: clock[0] / 1e6, **KEYWORDS)
audit = FlowAudit(trail=trail, **settings)
hold = threading.Event()
def app(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        os.kill(os.getpid(), 9)
    if environ["PATH_INFO"] == "/hang":
        print("hanging", flush=True)
        hold.wait(60)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
wrapped = audit.wsgi(app)
def ask(path, method="GET"):
    body = wrapped({"REQUEST_METHOD": method, "PATH_INFO": path, "SERVER_NAME": "x",
        "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.input": sys.stdin.buffer,
        "wsgi.errors": sys.stderr, "wsgi.version": (1, 0), "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False, "SERVER_PROTOCOL": "HTTP/1.1"},
        lambda *a: lambda b: None)
    list(body)
    getattr(body, "close", lambda: None)()
for number in range(5):
    ask(f"/{number}")
    clock[0] += 1_000_000
exec(act)
"""


def start(trail: Path, act: str, at: int, **keywords: Any) -> "subprocess.Popen[str]":
    code = APP.replace("**KEYWORDS", f"**{keywords!r}")
    return subprocess.Popen(
        [sys.executable, "-c", code, str(trail), act, str(at)], stdout=subprocess.PIPE, text=True
    )


def run(trail: Path, act: str, at: int, **keywords: Any) -> None:
    with start(trail, act, at, **keywords) as process:
        process.communicate(timeout=30)


def state(trail: Path, first: int = 0, end: int = 2**62, made: int = 2**61) -> Statement:
    from flowaudit.spool.dead import spool_states

    paths = TrailPaths.of(trail)
    with open_reader(paths) as reader:
        spools = spool_states(paths.spool)
        return make_statement(reader, Span(first, end), made=made, spools=spools)


def test_a_process_that_stops_accounts_for_all_its_requests(trail: Path) -> None:
    run(trail, "audit.close()", HOUR)
    said = state(trail)
    assert (said.received, said.finished, said.open, said.lost) == (5, 5, 0, 0)
    [source] = said.sources
    assert (source.state, source.service, source.version) == ("stopped", "shop", "2")
    assert (source.first_n, source.last_n, source.events, source.requests) == (1, 7, 7, 5)
    assert (source.started, source.stopped) == (HOUR, HOUR + 5_000_000)
    assert said.others == 1  # the key's own


@pytest.mark.parametrize(
    ("first", "end", "finished"),
    [(0, HOUR, 0), (HOUR, HOUR + 1, 1), (HOUR + 1, HOUR + 4_000_000, 3), (HOUR + 9**9, 2**62, 0)],
    ids=["before", "its first µs", "within", "after"],
)
def test_a_request_counts_where_it_began(trail: Path, first: int, end: int, finished: int) -> None:
    run(trail, "audit.close()", HOUR)
    said = state(trail, first, end)
    assert (said.finished, said.received) == (finished, finished)
    assert len(said.sources) == (first <= HOUR + 5_000_000 and end > HOUR)


def test_a_request_whose_process_died_is_lost(trail: Path) -> None:
    run(trail, "audit.flush(); ask('/x'); ask('/die')", HOUR)
    assert state(trail).waiting > 0
    assert main(["recover", "--trail", str(trail)]) == 0
    said = state(trail)
    assert (said.received, said.finished, said.lost, said.waiting) == (7, 6, 1, 0)
    [source] = said.sources
    assert (source.state, source.stopped) == ("died", None)
    [gap] = said.gaps
    assert (gap.source, gap.since, gap.count, gap.why) == (source.source, HOUR, 1, "unfinished")
    assert not state(trail, 0, HOUR).gaps  # before it lived
    assert state(trail, HOUR + 9**9, 2**62).lost == 1  # nobody knows when it died


def test_a_process_that_died_before_its_trail_was_made_leaves_one_all_the_same(
    trail: Path, capsys: Said
) -> None:
    run(trail, "os.kill(os.getpid(), 9)", HOUR, group_ms=10_000)
    assert not trail.exists()
    assert main(["recover", "--trail", str(trail)]) == 0
    said = state(trail)
    assert (said.received, said.finished, said.lost) == (5, 5, 0)
    assert main(["recover", "--trail", str(trail.with_name("none.db"))]) == 2


@pytest.fixture
def hanging(trail: Path) -> "Iterator[subprocess.Popen[str]]":
    with start(trail, "audit.flush(); ask('/hang')", HOUR) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hanging\n"
        yield process
        process.kill()


def test_a_request_being_answered_is_open_if_the_span_reaches_now(
    trail: Path, hanging: "subprocess.Popen[str]"
) -> None:
    said = state(trail)
    assert (said.received, said.finished, said.open) == (6, 5, 1)
    assert said.sources[0].state == "running"
    assert state(trail, 0, HOUR + 9**9).open == 0
    hanging.kill()
    hanging.wait(10)
    assert state(trail).open == 0  # not any more; and it is not told as lost yet
    assert main(["recover", "--trail", str(trail)]) == 0
    assert state(trail).lost == 1


def test_what_the_policy_leaves_out_is_said_by_rule(trail: Path, tmp_path: Path) -> None:
    policy = tmp_path / "flowaudit.toml"
    policy.write_text('[[policy]]\npath = "/3"\nlevel = "none"\nreason = "noise"\n')
    run(trail, "audit.close()", HOUR, policy=str(policy))
    said = state(trail)
    assert (said.received, said.finished, said.left_out) == (5, 4, 1)
    assert said.sources[0].left_out == {"policy[0]": 1}


def told(source: str, n: int, ts: int, kind: str, **more: Any) -> tuple[str, int, bytes]:
    return source * 26, n, encode_core(Core(v=1, source=source * 26, n=n, ts=ts, kind=kind, **more))


def alive(source: str, n: int, ts: int, action: str, left: int = 0) -> tuple[str, int, bytes]:
    facts: dict[str, Value] = {"left_out": {"policy[0]": left}} if left else {}
    return told(source, n, ts, "process", action=action, facts=facts or None)


def two_days(trail: Path) -> None:
    """A busy process, an idle one, one that came on the second day, and an import."""
    first, second = START + HOUR, START + DAY + HOUR
    events = [
        alive("b", 1, first, "start"),
        alive("b", 2, first + 1, "heartbeat", 40),
        alive("i", 1, first + 2, "start"),
        *(told("m", n, first + 3 + n, "request", status=200) for n in range(1, 601)),
        alive("b", 3, second, "heartbeat", 45),
        alive("i", 2, second + 1, "heartbeat"),
        alive("n", 1, second + 2, "start"),
        alive("n", 2, second + 3, "heartbeat", 7),
        alive("b", 4, second + 4, "heartbeat", 50),
    ]
    with open_trail(trail) as writer:
        for source, n, core in events:
            writer.append([(core, b"")], source, n)


def test_what_was_left_out_before_an_archived_day_is_not_counted_again(
    trail: Path, tmp_path: Path, capsys: Said
) -> None:
    two_days(trail)
    span = START + DAY, START + 2 * DAY
    whole = state(trail, *span)
    assert (whole.left_out, [source.whole for source in whole.sources]) == (17, [True] * 3)
    argv = ["--trail", str(trail)]
    place = open_place(tmp_path / "archive", is_new=True)
    with open_trail(trail) as writer:
        assert list(archive_trail(writer, place, START + DAY, START + 3 * DAY))
    alone = state(trail, *span)
    assert alone.away == 0
    assert {
        source.source[0]: (source.whole, source.started, source.left_out)
        for source in alone.sources
    } == {
        "b": (False, None, {"policy[0]": 5}),
        "i": (False, None, {}),
        "n": (True, START + DAY + HOUR + 2, {"policy[0]": 7}),
    }
    days = ["--from", "2024-10-05", "--to", "2024-10-05"]
    assert main(["statement", *argv, *days]) == 0
    assert capsys.readouterr().out.count("its beginning is archived") == 2
    assert main(["statement", *argv, *days, "--archive", str(tmp_path / "archive")]) == 0
    said = capsys.readouterr().out
    assert "17  were left out" in said
    assert "archived" not in said


def test_a_strict_request_without_an_outcome_is_named(trail: Path, tmp_path: Path) -> None:
    policy = tmp_path / "flowaudit.toml"
    policy.write_text('[[policy]]\nmethods = ["POST"]\nlevel = "meta"\ndurability = "strict"\n')
    run(trail, "ask('/x', 'POST'); ask('/die', 'POST')", HOUR, policy=str(policy))
    assert main(["recover", "--trail", str(trail)]) == 0
    said = state(trail)
    assert (said.received, said.finished, said.lost) == (7, 6, 1)
    with open_reader(trail) as reader:
        [entry] = reader.entries(said.unanswered[0], said.unanswered[0])
    assert b'"received"' in entry.core
    assert len(said.unanswered) == 1


def test_events_that_found_no_room_are_counted_by_their_numbers(trail: Path) -> None:
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX);"
        " print(1, flush=True); sys.stdin.read()"
    )
    act = (
        "import subprocess\n"
        "audit.flush()\n"
        f"other = subprocess.Popen([sys.executable, '-c', {holder!r}, trail + '.lock'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "other.stdout.readline()\n"
        "[ask('/more') for _ in range(200)]\n"
        "other.communicate(timeout=10)\n"
        "audit.flush(); ask('/last'); audit.close()\n"
    )
    run(trail, act, HOUR, queue_size=100)
    said = state(trail)
    assert said.events_lost > 50
    assert said.finished + said.events_lost == 206
    assert said.gaps[0].since is not None


def test_a_signed_statement_says_the_same_and_cannot_be_changed(
    trail: Path, tmp_path: Path, capsys: Said
) -> None:
    run(trail, "audit.close()", HOUR)
    file = tmp_path / "day.statement"
    argv = ["statement", "--trail", str(trail), "--served", "6", "-o", str(file)]
    assert main([*argv, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["finished"], said["verified"], said["problems"]) == (5, True, 0)
    assert said["served"] == {"by": "as told", "difference": 1, "requests": 6}
    key = load_verifier_key(TrailPaths.of(trail))
    assert key is not None
    text = file.read_text("utf-8")
    assert text == said.pop("note")
    read = SignedStatement.parse(text)
    assert read.said == said
    assert [s.key for s in read.signatures((key,))] == [key]
    changed = text.replace('"finished":5', '"finished":6')
    assert SignedStatement.parse(changed).signatures((key,)) == ()
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert main(argv) == 2  # it is there already
    assert "does not exist yet" in capsys.readouterr().err


def test_a_trail_that_does_not_hold_makes_a_statement_that_says_so(
    trail: Path, sql: Callable[..., Any], capsys: Said
) -> None:
    run(trail, "audit.close()", HOUR)
    sql("UPDATE event SET core = replace(core, '/2', '/9') WHERE seq = 3")
    sql("UPDATE event SET core = replace(core, 'GET', 'PUT') WHERE seq = 3")
    assert main(["statement", "--trail", str(trail)]) == 1
    assert "does NOT hold" in capsys.readouterr().out


def test_the_web_servers_own_log_is_counted_in_the_span(
    trail: Path, tmp_path: Path, capsys: Said
) -> None:
    run(trail, "audit.close()", HOUR)
    line = '10.0.0.1 - - [01/Jan/1970:{} +0000] "GET / HTTP/1.1" 200 2 "-" "x"\n'
    times = ["00:59:59", "01:00:00", "01:00:04", "01:00:05", "junk"]
    log = tmp_path / "access.log"
    log.write_text("".join(line.format(time) for time in times))
    span = ["--from", "1970-01-01T01:00", "--to", "1970-01-01T01:00:05+00:00"]
    argv = ["statement", "--trail", str(trail), *span, "--access-log", str(log)]
    assert main([*argv, "--format", "json"]) == 0
    served = json.loads(capsys.readouterr().out)["served"]
    assert served == {"by": "access.log", "difference": 2 - 5, "requests": 2, "unread": 1}
    assert main(argv) == 0
    assert "3 fewer than stand here. 1 line of it can't be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--from", "yesterday"], "expected a day or a time"),
        (["--from", "2026-11-24", "--to", "2026-11-23"], "a time after --from"),
        (["--to", "0001-01-01"], "a time after --from"),
        (["--to", "9999-12-31"], "a day or a time"),
        (["--served", "1", "--access-log", "x"], "either a number"),
        (["--access-log", "no.log"], "no.log"),
        (["--access-log", __file__], "is no access log"),
        (["--served", "-1"], "a number of requests"),
        (["--served", str(2**53)], "a number of requests"),
        (["--from", ""], "a day or a time"),
        (["--to", ""], "a day or a time"),
        (["--from", "9999-12-30"], "setting 'from'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_said_in_one_line(
    trail: Path, capsys: Said, argv: list[str], says: str
) -> None:
    run(trail, "audit.close()", HOUR)
    assert main(["statement", "--trail", str(trail), *argv]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "text",
    ["", "x", "flowaudit/statement/v1\n[]\n\n— a b\n", "flowaudit/statement/v1\n{\n\n— a b\n"],
)
def test_what_is_no_statement_is_refused(text: str) -> None:
    from flowaudit.errors import ProofError

    with pytest.raises(ProofError):
        SignedStatement.parse(text)
