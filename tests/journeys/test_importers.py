"""Imports: into a trail, once, from where they stopped, malformed lines counted."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest

from flowaudit.errors import NotATrailError, TrailBusyError, TrailWriteError
from flowaudit.event import flat_event
from flowaudit.journeys import importers
from flowaudit.journeys.importers import import_log
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.reader import TrailReader
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.tokens import Vault, is_token
from flowaudit.verification.trail import verify_trail

LINE = '192.0.2.{i} - {user} [25/Oct/2015:04:11:25 +0100] "GET /{i}?q=1 HTTP/1.1" 200 1 "-" "x"\n'


def log(count, user="-"):
    return "".join(LINE.format(i=i, user=user) for i in range(count)).encode()


@pytest.fixture
def paths(tmp_path) -> TrailPaths:
    return TrailPaths.of(tmp_path / "t.db")


@pytest.fixture
def bring(tmp_path, paths):
    """Import some bytes as a file."""

    def bring(data, name="access.log", **options):
        file = Path(tmp_path / name)
        file.write_bytes(data)
        return import_log(file, paths, **options)

    return bring


def events_of(paths):
    with TrailReader(paths.trail) as reader:
        return [flat_event(entry) for entry in reader.entries()]


def assert_holds(paths):
    assert verify_trail(paths).problems == ()


def test_lines_become_events_in_their_order_and_the_trail_holds(bring, paths):
    result = bring(log(25))
    assert (result.lines, result.events, result.malformed, result.form) == (25, 25, 0, "combined")
    events = events_of(paths)
    assert [event["path"] for event in events] == [f"/{i}" for i in range(25)]
    assert [event["n"] for event in events] == list(range(1, 26))
    assert len({event["source"] for event in events}) == 1
    assert_holds(paths)


def test_malformed_lines_are_counted_reported_and_take_no_number(bring, paths):
    lines = log(3).splitlines(keepends=True)
    result = bring(b"junk\n" + lines[0] + b"\n" + lines[1] + b"\xff\n" + lines[2])
    assert (result.lines, result.events, result.malformed) == (6, 3, 3)
    assert result.malformed_lines == (1, 3, 5)
    assert [event["n"] for event in events_of(paths)] == [1, 2, 3]


def test_of_many_malformed_lines_the_first_fifty_are_named(bring):
    result = bring(b"junk\n" * 70)
    assert (result.lines, result.events, result.malformed) == (70, 0, 70)
    assert result.malformed_lines == tuple(range(1, 51))


def test_the_same_content_again_adds_nothing_under_whatever_name(bring, paths):
    bring(log(5))
    for name, data in [("a.log", log(5)), ("b.gz", gzip.compress(log(5)))]:
        result = bring(data, name)
        assert (result.lines, result.events, result.known) == (5, 0, 5)
    assert bring(log(6)).events == 6
    assert_holds(paths)


def test_an_interrupted_import_goes_on_behind_its_last_group(bring, paths, monkeypatch):
    monkeypatch.setattr(importers, "GROUP_EVENTS", 4)
    data = b"junk\n" + log(10)
    append, calls = Trail.append, []

    def fail_at_third(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise TrailWriteError("the disk is full")
        return append(self, *args, **kwargs)

    monkeypatch.setattr(Trail, "append", fail_at_third)
    with pytest.raises(TrailWriteError):
        bring(data)
    monkeypatch.setattr(Trail, "append", append)
    assert len(events_of(paths)) == 8
    result = bring(data)
    assert (result.lines, result.events, result.malformed, result.known) == (11, 2, 1, 8)
    assert [event["path"] for event in events_of(paths)] == [f"/{i}" for i in range(10)]
    assert_holds(paths)


def test_two_imports_of_one_content_at_a_time_do_not_double_it(bring, paths, monkeypatch):
    append = Trail.append

    def late(self, records, source, last_n, **kwargs):
        monkeypatch.setattr(Trail, "append", append)
        with Trail(paths) as other:
            other.append(records, source, last_n)
        return append(self, records, source, last_n, **kwargs)

    monkeypatch.setattr(importers, "GROUP_EVENTS", 4)
    monkeypatch.setattr(Trail, "append", late)
    with pytest.raises(TrailBusyError, match="the same events"):
        bring(log(10))
    assert [event["n"] for event in events_of(paths)] == [1, 2, 3, 4]


def test_a_log_s_user_is_a_token_in_the_trail_and_a_name_in_the_vault(bring, paths):
    bring(log(2, user="ann"), redact=False)
    actors = {event["actor"] for event in events_of(paths)}
    (token,) = actors
    assert is_token(token)
    with Vault(paths.vault) as vault:
        assert vault.identity(token) == "ann"
    assert b"ann" not in paths.trail.read_bytes()


def test_queries_are_kept_only_without_redaction(bring, paths):
    bring(log(1))
    bring(log(2), redact=False)
    assert [event.get("query") for event in events_of(paths)] == [None, "q=1", "q=1"]


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (log(2), "combined"),
        (b"junk\n" + log(1), "combined"),
        (log(2).replace(b' "-" "x"', b""), "common"),
        (b'{"kind":"request","ts":1}\n', "events"),
        (b"junk\n", "combined"),
        (b"", "combined"),
    ],
)
def test_the_format_is_found_out_from_the_first_lines(bring, data, form):
    assert bring(data).form == form


def test_a_format_that_is_said_is_gone_by(bring):
    assert bring(log(2), form="common").malformed == 2
    assert bring(log(3), form="events").malformed == 3


def test_a_file_that_is_no_trail_is_left_alone(bring, paths):
    paths.trail.write_bytes(b"not a trail" * 100)
    with pytest.raises(NotATrailError):
        bring(log(1))
    assert paths.trail.read_bytes() == b"not a trail" * 100


def given(*events):
    return "".join(json.dumps({"kind": "request", "ts": 1, **e}) + "\n" for e in events).encode()


def numbers(paths):
    return [(event["source"], event["n"]) for event in events_of(paths)]


def test_events_without_numbers_are_numbered_under_the_content_s_source(bring, paths):
    result = bring(given({"path": "/a"}, {"path": "/b"}))
    assert result.events == 2
    (source, first), (same, second) = numbers(paths)
    assert (source, first, second) == (same, 1, 2)
    assert len(source) == 26
    assert bring(given({"path": "/a"}, {"path": "/b"})).events == 0
    assert_holds(paths)


def test_events_with_numbers_keep_them_and_are_added_once(bring, paths):
    first = given(
        {"source": "a", "n": 2},
        {"source": "b", "n": 1},
        {"source": "a", "n": 1},
        {"source": "a", "n": 2},
    )
    result = bring(first)
    assert (result.lines, result.events, result.known) == (4, 3, 1)
    assert numbers(paths) == [("a", 2), ("b", 1), ("a", 1)]
    assert bring(first).events == 0
    assert bring(first + given({"source": "a", "n": 3})).events == 1
    assert_holds(paths)


def test_a_number_that_was_missed_is_added_later(bring, paths):
    bring(given({"source": "a", "n": 1}, {"source": "a", "n": 3}))
    assert [p.what for p in verify_trail(paths).problems] == [
        "source a: the numbers 2 to 2 are missing, no gap event"
    ]
    assert bring(given({"source": "a", "n": 3}, {"source": "a", "n": 2})).events == 1
    assert_holds(paths)


def test_what_one_trail_exports_another_takes_whole_and_itself_not_again(bring, paths, tmp_path):
    bring(log(4, user="ann"))
    exported = "".join(json.dumps(event) + "\n" for event in events_of(paths)).encode()
    assert bring(exported, "export.jsonl").events == 0
    other = TrailPaths.of(tmp_path / "other.db")
    assert import_log(tmp_path / "export.jsonl", other).events == 4
    assert events_of(other) == events_of(paths)
    assert_holds(other)


def test_memory_does_not_grow_with_the_file(bring):
    peaks = []
    for count in (2_000, 20_000):
        data = log(count)
        tracemalloc.start()
        bring(data)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 12_000_000
