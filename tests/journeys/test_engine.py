"""The engine: what it reads, from where, and what it says when it cannot."""

import importlib
import os
import sqlite3

import pytest

from flowaudit.errors import (
    EventError,
    MissingExtraError,
    NotATrailError,
    QueryError,
    TrailError,
)
from flowaudit.event import Core, Personal, encode_core, encode_personal
from flowaudit.journeys import stored
from flowaudit.journeys.engine import Engine
from flowaudit.trail.sqlite import Trail

pytest.importorskip("duckdb")

SOURCE = "abcdefghijklmnopqrstuvwxyz"


def write(path, *events):
    """A trail of events, each a pair of core fields and personal fields."""
    records = [
        (
            encode_core(Core(v=1, source=SOURCE, n=n, kind="request", **core)),
            encode_personal(Personal(**personal)),
        )
        for n, (core, personal) in enumerate(events, 1)
    ]
    with Trail(path) as trail:
        trail.append(records, SOURCE, len(records))
    return path


def test_every_field_of_a_trail_is_a_column(tmp_path):
    core = {
        "ts": 2**53 - 1,
        "flags": ["sqli", "xss"],
        "roles": ["doctor"],
        "privileged": True,
        "facts": {"a": [1, {"b": "é"}]},
        "of": 7,
        "rows": 3,
        "status": 200,
    }
    personal = {"path": '/a\n\u2028"\\', "data": {"x": True}, "client": "192.0.2.1"}
    with Engine.open(write(tmp_path / "t.db", (core, personal))) as engine:
        (row,) = engine.run("SELECT * FROM events").to_pylist()
    for name in Core.__struct_fields__ + Personal.__struct_fields__:
        assert name in row
    for name, value in {**core, **personal}.items():
        if name not in ("facts", "data"):
            assert row[name] == value
    assert row["facts"] == '{"a":[1,{"b":"é"}]}'
    assert row["data"] == '{"x":true}'
    assert (row["actor"], row["seq"], row["source"]) == (None, 0, SOURCE)


@pytest.mark.parametrize("name", ["a b.db", "what?.db", "100%.db", "a#b&mode=rw.db", "é.db"])
def test_a_trail_may_have_any_name(tmp_path, name):
    with Engine.open(write(tmp_path / name, ({"ts": 1}, {}))) as engine:
        assert engine.rows("SELECT ts FROM events") == [(1,)]


def test_an_event_without_personal_part_is_read_among_others(tmp_path):
    trail = write(tmp_path / "t.db", ({"ts": 1}, {}), ({"ts": 2}, {"client": "c"}))
    with Engine.open(trail) as engine:
        assert engine.rows("SELECT client FROM events ORDER BY seq") == [(None,), ("c",)]


def test_a_trail_without_entries_gives_no_events(tmp_path):
    with Trail(tmp_path / "t.db") as trail:
        assert trail.last_n(SOURCE) == 0
    with Engine.open(tmp_path / "t.db") as engine:
        assert engine.rows("SELECT count(*) FROM events") == [(0,)]


def test_a_trail_is_read_whole_in_ranges_and_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "RANGE_EVENTS", 10)
    monkeypatch.setattr(stored, "BATCH_ROWS", 3)
    trail = write(tmp_path / "t.db", *(({"ts": i}, {"path": f"/{i}"}) for i in range(35)))
    with Engine.open(trail) as engine:
        rows = engine.rows("SELECT seq, path FROM events ORDER BY seq")
    assert rows == [(i, f"/{i}") for i in range(35)]


def test_a_trail_that_is_open_for_writing_elsewhere_is_read_with_its_latest_commit(tmp_path):
    trail = write(tmp_path / "t.db", ({"ts": 1}, {}))
    writer = sqlite3.connect(trail)
    try:
        writer.execute(
            'INSERT INTO event VALUES (1, \'{"kind":"request","ts":5}\', NULL, NULL, NULL)'
        )
        writer.commit()
        assert (tmp_path / "t.db-wal").stat().st_size > 0
        with Engine.open(trail) as engine:
            assert engine.rows("SELECT max(ts) FROM events") == [(5,)]
    finally:
        writer.close()


def test_a_trail_in_a_folder_that_may_only_be_read_is_read_and_left_as_it_is(tmp_path, monkeypatch):
    folder = tmp_path / "medium"
    folder.mkdir()
    trail = write(folder / "t.db", ({"ts": 1}, {}))
    files = sorted(path.name for path in folder.iterdir())
    # root may write everywhere, so the folder says no in any case
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    folder.chmod(0o500)
    try:
        with Engine.open(trail) as engine:
            assert engine.rows("SELECT ts FROM events") == [(1,)]
    finally:
        folder.chmod(0o700)
    assert sorted(path.name for path in folder.iterdir()) == files


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event SET core = 'not json'",
        "UPDATE event SET core = x'ff00'",
        "UPDATE event SET core = CAST(x'7bff7d' AS TEXT)",
        "DROP TABLE event",
    ],
)
def test_a_damaged_entry_is_a_sentence_that_leads_to_verify(tmp_path, damage):
    trail = write(tmp_path / "t.db", ({"ts": 1}, {}))
    db = sqlite3.connect(trail)
    db.execute(damage)
    db.commit()
    db.close()
    with pytest.raises(TrailError, match=r"flowaudit verify|was damaged"):
        Engine.open(trail)


def test_what_is_no_trail_is_refused(tmp_path):
    (tmp_path / "x").write_text("hello")
    for path in (tmp_path / "x", tmp_path / "none", tmp_path):
        with pytest.raises(NotATrailError):
            Engine.open(path)


def test_derived_columns_are_made_when_a_query_names_them():
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    events = [
        {
            "kind": "request",
            "ts": 90_000_000_000,
            "client": "192.0.2.77",
            "ua": firefox,
            "path": "/A%2Fb%3Fc",
        },
        {"kind": "request", "ts": 1, "client": "2001:db8:1:2:3::4", "path": "/Plain"},
        {"kind": "request", "ts": 1, "client": "::ffff:192.0.2.77", "path": "/%FF"},
        {"kind": "request", "ts": 1, "client": "host.example", "actor_kind": "bot"},
        {"kind": "request", "ts": 1},
    ]
    with Engine.from_events(events) as engine:
        assert engine.rows(
            "SELECT client_key, net, client_class, device, bot, path_decoded, day, hour"
            " FROM events ORDER BY seq"
        ) == [
            (
                "192.0.2.77",
                "192.0.2.0/24",
                "Firefox/Linux",
                "computer",
                False,
                "/a/b?c",
                86_400_000_000,
                90_000_000_000,
            ),
            ("2001:db8:1:2::/64", "2001:db8:1:2::/64", None, None, False, "/plain", 0, 0),
            ("192.0.2.77", "192.0.2.0/24", None, None, False, "/\ufffd", 0, 0),
            ("host.example", "host.example", None, None, True, None, 0, 0),
            (None, None, None, None, False, None, 0, 0),
        ]


def test_a_list_becomes_a_view_and_never_text():
    with Engine.from_events([]) as engine:
        engine.view("steps", ["/a'; DROP TABLE event; --", "/b"])
        assert engine.rows("SELECT position, value FROM steps ORDER BY position") == [
            (1, "/a'; DROP TABLE event; --"),
            (2, "/b"),
        ]
        engine.view("steps", [])
        assert engine.rows("SELECT value FROM steps WHERE value = $x", {"x": "/b"}) == []
        engine.view("steps", [{"path": "/a", "tier": 1}])
        assert engine.rows("SELECT path, tier FROM steps") == [("/a", 1)]
        engine.view("steps", "SELECT 5 AS five")
        assert engine.run("SELECT five FROM steps").column("five").to_pylist() == [5]


def test_what_is_kept_once_is_made_again_only_of_something_else():
    with Engine.from_events([{"kind": "request", "ts": 1}]) as engine:
        engine.keep_once("kept", "SELECT $x AS x", {"x": 1})
        engine.run("CREATE TABLE other AS SELECT 7 AS x")
        engine.keep_once("kept", "SELECT $x AS x", {"x": 1})
        assert engine.rows("SELECT x FROM kept") == [(1,)]
        engine.keep_once("kept", "SELECT $x AS x", {"x": 2})
        assert engine.rows("SELECT x FROM kept") == [(2,)]
        assert engine.has("kept")
        assert not engine.has("nothing")


@pytest.mark.parametrize("name", ["a b", "x;y", "Up", "", 'q"'])
def test_a_name_that_is_no_plain_word_is_refused(name):
    with Engine.from_events([]) as engine, pytest.raises(QueryError):
        engine.view(name, ["x"])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nonsense FROM events",
        "SELECT count(*) FROM read_csv('/etc/passwd')",
        "INSTALL httpfs",
        "SELECT $missing",
    ],
)
def test_a_query_that_cannot_run_is_an_error_of_ours(sql):
    with Engine.from_events([]) as engine, pytest.raises(QueryError):
        engine.run(sql)


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "request", "ts": "now"},
        {"kind": "request", "ts": 1, "colour": "red"},
        {"kind": "request", "ts": 1, "seq": "first"},
        {"kind": "request"},
        {"ts": 1},
    ],
    ids=["type", "unknown-field", "seq", "no-time", "no-kind"],
)
def test_given_events_must_be_of_the_schema(event):
    with pytest.raises(EventError):
        Engine.from_events([event])


def test_without_the_extra_the_line_that_installs_it_is_said(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(stored, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'flowaudit\[analysis\]'"):
        Engine.from_events([])
    assert importlib.import_module("duckdb")
