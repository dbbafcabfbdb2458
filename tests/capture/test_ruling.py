"""What the policy leaves out is counted, told as evidence, and leaves no hole."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit
from flowaudit.capture.process import process_facts
from flowaudit.cli.main import main
from flowaudit.event import MAX_CORE_BYTES, Core, encode_core

from .asgi_driver import BODY, START, Events, answering, call, scope
from .payload_policy import policy_file

RULES = """
[[policy]]
path = "/static/**"
level = "none"
reason = "assets decide nothing"
[[policy]]
actor_kind = "bot"
level = "none"
"""


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/bot":
        flowaudit.identify("bot:1", kind="bot")
    await send(START)
    await send(BODY)


def test_what_is_left_out_is_counted_by_rule(
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    events: Events,
    holds: Callable[[], None],
) -> None:
    file = policy_file(tmp_path, RULES)
    audit = make_audit(policy=file)
    for path in ("/static/a", "/p", "/bot", "/static/b", "/static/c"):
        call(audit.asgi(app), scope(path=path))
    audit.close()
    assert [event["path"] for event in events()] == ["/p"]
    start, stop = events("process")
    assert start["facts"]["policy"] == [
        {"pattern": "/static/**", "level": "none", "reason": "assets decide nothing"},
        {"pattern": "/**", "actor_kind": ["bot"], "level": "none"},
    ]
    assert start["facts"]["policy_sha256"] == sha256(file.read_bytes()).hexdigest()
    assert stop["facts"] == {"left_out": {"policy[0]": 3, "policy[1]": 1}}
    assert events("gap") == []
    holds()


def test_what_the_app_records_during_a_request_stays(
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    events: Events,
    holds: Callable[[], None],
) -> None:
    async def signing_in(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.login("user:42", name="ann")
        flowaudit.record("auth", "grant", target="user:5", role="staff")
        await send(START)
        await send(BODY)

    audit = make_audit(policy=policy_file(tmp_path, RULES))
    call(audit.asgi(signing_in), scope(path="/static/login"))
    audit.close()
    assert [(event["kind"], event["action"]) for event in events()] == [
        ("auth", "login"),
        ("auth", "grant"),
    ]
    assert events("process")[-1]["facts"] == {"left_out": {"policy[0]": 1}}
    holds()


def test_a_kind_that_only_the_user_agent_tells_decides(
    make_audit: Callable[..., FlowAudit], tmp_path: Path, events: Events
) -> None:
    audit = make_audit(policy=policy_file(tmp_path, RULES))
    for agent in (b"Googlebot/2.1", b"Mozilla/5.0 (X11; Linux x86_64)", b"Googlebot/2.1"):
        head = [(b"user-agent", agent), (b"accept", b"*/*")]
        call(audit.asgi(answering(START, BODY)), scope(path="/p", headers=head))
    audit.close()
    assert [event["actor_kind"] for event in events()] == ["anonymous"]
    assert events("process")[-1]["facts"] == {"left_out": {"policy[1]": 2}}


def test_a_heartbeat_tells_the_count_so_far(
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flowaudit.recording.writer.HEARTBEAT_S", 0.05)
    audit = make_audit(policy=policy_file(tmp_path, RULES))
    call(audit.asgi(answering(START, BODY)), scope(path="/static/a"))
    call(audit.asgi(answering(START, BODY)), scope(path="/p"))
    beats: list[dict[str, Any]] = []
    until = time.monotonic() + 10
    while not beats and time.monotonic() < until:
        time.sleep(0.05)
        audit.flush()
        beats = [event for event in events("process") if event["action"] == "heartbeat"]
    audit.close()
    assert {event["facts"]["left_out"]["policy[0]"] for event in beats} == {1}


def test_a_kill_leaves_no_hole_where_requests_were_left_out(
    trail: Path, tmp_path: Path, events: Events, holds: Callable[[], None]
) -> None:
    code = (
        "import os, signal, sys\n"
        "from flowaudit import FlowAudit\n"
        "audit = FlowAudit(trail=sys.argv[1], policy=sys.argv[2])\n"
        "app = audit.wsgi(lambda environ, start: (start('200 OK', []), [b'x'])[1])\n"
        "for path in ('/static/a', '/p', '/static/b'):\n"
        "    app({'REQUEST_METHOD': 'GET', 'RAW_URI': path}, lambda *given: None)\n"
        "    assert audit.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    file = policy_file(tmp_path, RULES)
    done = subprocess.run(
        [sys.executable, "-c", code, str(trail), str(file)], timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert main(["recover", "--trail", str(trail)]) == 0
    assert [event["path"] for event in events()] == ["/p"]
    assert events("gap") == []
    holds()


def test_without_rules_nothing_is_told_of_them(audit: FlowAudit, events: Events) -> None:
    call(audit.asgi(answering(START, BODY)), scope())
    audit.close()
    start, stop = events("process")
    assert not {"policy", "policy_sha256"} & start["facts"].keys()
    assert "facts" not in stop


def test_the_start_event_has_room_for_the_biggest_policy(
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "flowaudit.capture.process._packages",
        lambda: [("p" * 56 + f"{i:04d}", "1" * 30) for i in range(400)],
    )
    rule = f'[[policy]]\npath = "/{"x" * 150}"\nlevel = "none"\nreason = "{"y" * 170}"\n'
    audit = make_audit(policy=policy_file(tmp_path, rule * 32))
    call(audit.asgi(answering(START, BODY)), scope())
    audit.flush()
    [start] = events("process")
    assert len(start["facts"]["policy"]) == 32
    assert len(encode_core(Core(facts=start["facts"]))) < MAX_CORE_BYTES
    assert 100 < len(start["facts"]["packages"]) < 400


def test_all_packages_are_listed_where_they_have_room() -> None:
    facts = process_facts("s", "1")
    assert facts["packages_count"] == len(facts["packages"])  # type: ignore[arg-type]
