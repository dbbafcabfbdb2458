"""A line of a log, to the letter."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.event import MAX_PERSONAL_BYTES
from flowaudit.journeys.loglines import LogLines, split_target
from tests.journeys import oracle

AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
OK = '192.0.2.1 - - [25/Oct/2015:04:11:25 +0100] "GET /a HTTP/1.1" 200 12 "-" "x"'


def line(
    request="GET /a HTTP/1.1",
    *,
    client="192.0.2.1",
    user="-",
    status="200",
    size="12",
    when="25/Oct/2015:04:11:25 +0100",
    referer="-",
    agent=AGENT,
):
    return f'{client} - {user} [{when}] "{request}" {status} {size} "{referer}" "{agent}"'


def event(text, form="combined", redact=False):
    record = LogLines(form, redact=redact, token=lambda user: f"token of {user}").record(
        text, "s", 1
    )
    if record is None:
        return None
    return {k: v for part in record if part for k, v in msgspec.json.decode(part).items()}


def test_every_field_of_a_combined_line():
    assert event(
        line(user="ann", referer="http://x.example/p?q=1", request="GET /a?b=c#d HTTP/1.0")
    ) == {
        "v": 1,
        "source": "s",
        "n": 1,
        "kind": "request",
        "ts": 1_445_742_685_000_000,
        "actor": "token of ann",
        "actor_kind": "user",
        "method": "GET",
        "status": 200,
        "outcome": "ok",
        "bytes_out": 12,
        "client": "192.0.2.1",
        "path": "/a",
        "query": "b=c",
        "referer": "http://x.example/p?q=1",
        "ua": AGENT,
    }


def test_every_field_of_a_common_line():
    assert event(OK.rsplit(' "-"', 1)[0], "common") == {
        "v": 1,
        "source": "s",
        "n": 1,
        "kind": "request",
        "ts": 1_445_742_685_000_000,
        "method": "GET",
        "status": 200,
        "outcome": "ok",
        "bytes_out": 12,
        "client": "192.0.2.1",
        "path": "/a",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        OK[:-1],
        OK + " ",
        OK + ' "more"',
        OK.rsplit(' "', 1)[0],
        OK.replace(" 200 ", " 20 "),
        OK.replace(" 200 ", " 2000 "),
        OK.replace(" 12 ", " x "),
        OK.replace("Oct", "Okt"),
        OK.replace("25/Oct", "31/Feb"),
        OK.replace(":04:11", ":24:11"),
        OK.replace(":11:25", ":60:25"),
        OK.replace(":25 ", ":61 "),
        OK.replace("+0100", "+2400"),
        OK.replace("+0100", "+0060"),
        OK.replace("+0100", "0100"),
        OK.replace('"x"', '"x"y"'),
        OK.replace('"x"', '"x\\"'),
        OK.replace("192.0.2.1 - -", "192.0.2.1 -"),
        OK.replace("192", "\t192"),
        OK.replace("200", "\uff12\uff10\uff10"),
    ],
)
def test_a_line_that_does_not_match_is_malformed(text):
    assert event(text) is None
    assert not LogLines("combined", redact=True, token=str).is_event(text)


@pytest.mark.parametrize(
    ("request_line", "method", "path"),
    [
        ("GET / HTTP/1.1", "GET", "/"),
        ("GET /", "GET", "/"),
        ("PROPFIND /a HTTP/2.0", "PROPFIND", "/a"),
        ("get / HTTP/1.1", None, None),
        ("GE / HTTP/1.1", None, None),
        ("ABCDEFGHIJK / HTTP/1.1", None, None),
        ("GET /a b HTTP/1.1", None, None),
        ("GET  / HTTP/1.1", None, None),
        ("GET / HTTP/2", None, None),
        ("GET / SPDY/3.1", None, None),
        ("GET", None, None),
        ("-", None, None),
        ("", None, None),
        ("\\x16\\x03\\x01", None, None),
        ('GET /\\"a\\" HTTP/1.1', "GET", '/\\"a\\"'),
        ("GET http://h.example:80/a?b HTTP/1.1", "GET", "/a"),
        ("GET http://h.example?b HTTP/1.1", "GET", "/"),
        ("OPTIONS * HTTP/1.1", "OPTIONS", "*"),
        ("CONNECT h.example:443 HTTP/1.1", "CONNECT", "h.example:443"),
        ("GET ?a HTTP/1.1", "GET", None),
        ("GET /%41/É?x=http://y/ HTTP/1.1", "GET", "/%41/É"),
        ("GET /#f?q HTTP/1.1", "GET", "/"),
    ],
)
def test_a_request_is_method_target_and_perhaps_version(request_line, method, path):
    found = event(line(request_line))
    assert (found.get("method"), found.get("path")) == (method, path)
    assert found["kind"] == "request"


@pytest.mark.parametrize(
    ("when", "ts"),
    [
        ("01/Jan/1970:00:00:00 +0000", 0),
        ("25/Oct/2015:02:59:59 +0200", 1_445_734_799),
        ("25/Oct/2015:02:00:00 +0100", 1_445_734_800),
        ("01/Jan/2016:00:00:00 +1345", 1_451_556_900),
        ("31/Dec/2015:20:30:00 -0330", 1_451_606_400),
        ("29/Feb/2024:12:00:00 +0000", 1_709_208_000),
        ("31/Dec/2016:23:59:60 +0000", 1_483_228_800),
    ],
)
def test_a_time_with_its_offset_is_utc(when, ts):
    assert event(line(when=when))["ts"] == ts * 1_000_000


@pytest.mark.parametrize(
    ("fields", "absent"),
    [
        ({"user": "-"}, "actor"),
        ({"size": "-"}, "bytes_out"),
        ({"size": "0"}, "bytes_out"),
        ({"size": "9" * 20}, "bytes_out"),
        ({"referer": "-"}, "referer"),
        ({"referer": ""}, "referer"),
        ({"agent": "-"}, "ua"),
        ({"agent": ""}, "ua"),
    ],
    ids=str,
)
def test_what_a_line_does_not_say_is_not_in_its_event(fields, absent):
    assert absent not in event(line(**fields))


def test_a_line_without_agent_is_flagged_where_the_format_has_one():
    assert event(line(agent="-"))["flags"] == ["no-ua"]
    assert "flags" not in event(OK.rsplit(' "-"', 1)[0], "common")


def test_a_redacted_line_keeps_no_query_and_no_secret_but_says_what_was_odd():
    text = line(
        "GET /reset/ann@example.org?next=../../etc/passwd HTTP/1.1",
        referer="http://x.example/?token=abc",
        agent="x ann@example.org",
    )
    found = event(text, redact=True)
    assert found["path"] == "/reset/[masked:email]"
    assert "query" not in found
    assert found["referer"] == "http://x.example/"
    assert found["ua"] == "x [masked:email]"
    assert {"os-file", "traversal"} <= set(found["flags"])
    assert event(text)["path"] == "/reset/ann@example.org"


def test_a_path_of_a_hundred_kilobytes_is_kept_as_it_is_or_cut_by_redaction():
    path = "/" + "a" * 100_000
    assert event(line(f"GET {path} HTTP/1.1"))["path"] == path
    assert len(event(line(f"GET {path} HTTP/1.1"), redact=True)["path"]) < 5_000


def test_a_line_with_too_much_in_it_is_cut_and_flagged():
    huge = "/" + "a" * MAX_PERSONAL_BYTES
    found = event(line(f"GET {huge} HTTP/1.1", agent="u" * 900_000))
    assert found["flags"] == ["truncated"]
    assert found["path"].startswith("/aaa")
    assert len(found["path"]) + len(found["ua"]) < MAX_PERSONAL_BYTES


def test_a_second_line_like_the_first_gives_the_same_event():
    lines = LogLines("combined", redact=True, token=str)
    text = line("GET /a?x=%3Cscript%3E HTTP/1.1")
    assert lines.record(text, "s", 1) == lines.record(text, "s", 1)


quoted = st.text(
    st.characters(codec="utf-8", exclude_characters='"\\\n'), max_size=20
) | st.sampled_from(['\\"', "a\\\\", "\\x22", "-", ""])


@given(
    client=st.text(
        st.characters(codec="utf-8", exclude_characters=" \n"), min_size=1, max_size=9
    ).filter(str.strip),
    request=quoted | st.sampled_from(["GET /a.css HTTP/1.1", "POST http://x/y?z", "G /"]),
    agent=quoted,
    status=st.integers(100, 599).map(str),
)
def test_a_line_is_read_alike_by_a_parser_of_another_hand(client, request, agent, status):
    text = line(request, client=client, agent=agent, status=status)
    events, malformed = oracle.read_log(text.encode())
    found = event(text)
    assert (found is None) == bool(malformed)
    if found is not None:
        for name in ("ts", "client", "method", "path", "status", "outcome", "reason", "ua"):
            assert found.get(name) == events[0].get(name)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/a?b?c#d", ("/a", "b?c")),
        ("/a#b?c", ("/a", "")),
        ("HTTPS://h/a", ("/a", "")),
        ("/http://h/a", ("/http://h/a", "")),
        ("//h/a", ("//h/a", "")),
    ],
)
def test_a_target_is_split_as_it_was_sent(target, parts):
    assert split_target(target) == parts
