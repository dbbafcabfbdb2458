"""`flowaudit review` on the command line."""

import csv
import io
import json

import pytest

import flowaudit
from flowaudit.cli.main import main
from tests.capture.asgi_driver import BODY, START, call, scope
from tests.review.scenes import failed, request

pytest.importorskip("duckdb")

HOSTILE = "=HYPERLINK(x)"
EVENTS = [
    request(0, "/.env", 404),
    request(1, "/.git/HEAD", 404),
    request(2, "/wp-login.php", 404),
    request(20, "/admin/report", 403, actor="dave"),
    request(40, "/admin/./report", 200, actor="dave"),
    request(60, "/\x1b]0;x\x07\x1b[31m\u202e/.env", 404, client=HOSTILE),
    *[failed(100 + i, client="192.0.2.1") for i in range(5)],
]


@pytest.fixture
def make_trail(tmp_path, capsys):
    def make(events):
        log = tmp_path / "events.jsonl"
        log.write_text("".join(f"{json.dumps(event)}\n" for event in events))
        path = str(tmp_path / "t.db")
        assert main(["import", str(log), "--as", "events", "--trail", path]) == 0
        capsys.readouterr()
        return path

    return make


def lines_of(capsys):
    return capsys.readouterr().out.splitlines()


def test_json_is_a_list_of_findings(make_trail, capsys):
    trail = make_trail(EVENTS)
    assert main(["review", "--trail", trail, "--format", "json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert [(f["id"], f["severity"]) for f in findings] == [
        ("denied-then-allowed", "critical"),
        ("login-brute-force", "medium"),
        ("sensitive-path-probe", "medium"),
        ("sensitive-path-probe", "low"),
    ]
    first, brute = findings[0], findings[1]
    assert first["key"] == {"actor": "dave", "resource": "/admin/report"}
    assert first["events"] == [3, 4]
    assert first["last_ts"] - first["first_ts"] == 20_000_000
    assert (first["succeeded"], first["late"], first["version"]) == (True, False, 1)
    assert brute["thresholds"] == {"failures": 5, "window_s": 600}
    assert (brute["count"], brute["events_total"], brute["events_cap"]) == (5, 5, 50)
    documented = {"id", "severity", "key", "first_ts", "last_ts", "count", "thresholds", "events"}
    assert all(documented <= finding.keys() for finding in findings)


def test_nothing_found_is_an_empty_list(make_trail, capsys):
    main(["review", "--trail", make_trail([request(0, "/")]), "--format", "json"])
    assert json.loads(capsys.readouterr().out) == []


def test_text_says_who_what_how_often_and_whether_it_succeeded(make_trail, capsys):
    trail = make_trail(EVENTS)
    assert main(["review", "--trail", trail]) == 0
    lines = lines_of(capsys)
    text = " ".join(" ".join(lines).split())
    assert text.startswith("4 findings in 6 requests, ")
    assert "in 1 of them something was allowed." in text
    assert [line for line in lines if line and line[0].isupper() and "(" in line] == [
        "CRITICAL (1)",
        "MEDIUM (2)",
        "LOW (1)",
    ]
    assert "5 failed sign-ins as alice from 192.0.2.1 in 4 s; no sign-in succeeded." in text
    assert "seq 6, 7, 8, 9, 10" in text
    assert "Not judged" in lines
    assert "  login-brute-force: 5 events, no secret_tag is recorded" in "\n".join(lines)
    assert max(map(len, lines[:-1])) <= 80
    assert lines[-1] == f"Next: flowaudit journey dave --trail {trail}"


def test_without_findings_it_says_how_much_was_looked_at(make_trail, capsys):
    main(["review", "--trail", make_trail([request(0, "/")])])
    lines = lines_of(capsys)
    assert lines[0].startswith("No findings (1 request looked at, ")
    assert "Not judged" in lines


@pytest.mark.parametrize("form", ["text", "csv"])
def test_hostile_text_commands_no_terminal(make_trail, capsys, form):
    main(["review", "--trail", make_trail(EVENTS), "--format", form])
    out = capsys.readouterr().out
    assert all(char.isprintable() or char in "\r\n" for char in out)
    assert r"\x1b]0;x\x07\x1b[31m\u202e/.env" in " ".join(out.split())


def test_hostile_text_runs_in_no_spreadsheet(make_trail, capsys):
    main(["review", "--trail", make_trail(EVENTS), "--format", "csv"])
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out, newline=""))
    assert header[:6] == ["id", "severity", "key", "first_ts", "last_ts", "count"]
    assert len(rows) == 4
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    (hostile,) = [row for row in rows if row[1] == "low"]
    assert hostile[2] == f"client={HOSTILE}"
    assert hostile[9].startswith(f"'{HOSTILE} asked for")
    assert rows[0][8] == "3 4"


def test_what_is_declared_is_obeyed_and_said(make_trail, tmp_path, capsys):
    policy = tmp_path / "policy.toml"
    policy.write_text(
        """
[review]
scanners = ["203.0.113.0/24"]
[review.rules.login-brute-force]
off = true
reason = "sign-in is elsewhere"
[review.rules.sensitive-path-probe]
hits = 2
"""
    )
    trail = make_trail(EVENTS)
    main(["review", "--trail", trail, "--policy", str(policy), "--format", "json"])
    assert json.loads(capsys.readouterr().out) == []
    main(["review", "--trail", trail, "--policy", str(policy)])
    text = " ".join(capsys.readouterr().out.split())
    assert "login-brute-force: 5 events, off: sign-in is elsewhere" in text
    assert "sensitive-path-probe: 5 events, declared scanners" in text


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        ('[review]\nscanners = ["nowhere"]', "review.scanners"),
        ("[review.rules.nonsense]\nx = 1", "review.rules.nonsense"),
        ("[review.rules.login-brute-force]\nfailures = 0", "login-brute-force.failures"),
    ],
)
def test_a_wrong_declaration_is_one_line_and_status_2(
    make_trail, tmp_path, capsys, declared, named
):
    policy = tmp_path / "policy.toml"
    policy.write_text(declared)
    assert main(["review", "--trail", make_trail(EVENTS), "--policy", str(policy)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert named in err
    assert err.count("\n") == 1


def test_a_typed_name_is_shown_as_the_account_it_opens(audit, trail, capsys):
    async def app(asked, receive, send):
        if asked["path"] == "/in":
            flowaudit.login("user:alice", name="alice@x.example")
        else:
            flowaudit.login_failed("alice@x.example")
        await send(START)
        await send(BODY)

    for path in ("/in", *["/login"] * 5):
        call(audit.asgi(app), scope(path=path))
    audit.close()
    assert main(["review", "--trail", str(trail)]) == 0
    assert "5 failed sign-ins as user:alice from" in " ".join(capsys.readouterr().out.split())
    assert main(["review", "--trail", str(trail), "--format", "json"]) == 0
    assert "user:alice" not in capsys.readouterr().out
