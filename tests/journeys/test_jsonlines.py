"""Events as JSON Lines: kept as they are, or malformed."""

import json

import msgspec
import pytest

from flowaudit.journeys.jsonlines import given_event

LEAST = {"kind": "request", "ts": 1}


def test_fields_go_to_their_part_and_stay_as_they_are():
    token = "a" * 52
    event = given_event(
        json.dumps(
            {**LEAST, "actor": token, "path": "/a?token=secret", "data": {"x": [1, True]}, "seq": 9}
        )
    )
    assert msgspec.json.decode(event.core_bytes("s", 7)) == {
        **LEAST,
        "actor": token,
        "source": "s",
        "n": 7,
        "v": 1,
    }
    assert msgspec.json.decode(event.personal) == {
        "path": "/a?token=secret",
        "data": {"x": [1, True]},
    }
    assert (event.source, event.n) == (None, None)


def test_numbers_that_an_event_came_with_are_told():
    event = given_event(json.dumps({**LEAST, "source": "s", "n": 3, "v": 1}))
    assert (event.source, event.n) == ("s", 3)


def test_what_is_empty_or_null_is_left_out():
    event = given_event(
        json.dumps(
            {**LEAST, "actor": None, "route": "", "flags": [], "data": {"a": None, "b": 1.5}}
        )
    )
    assert msgspec.json.decode(event.core_bytes("s", 1)).keys() == {
        "kind",
        "ts",
        "source",
        "n",
        "v",
    }
    assert msgspec.json.decode(event.personal) == {"data": {"b": "1.5"}}


def test_a_field_that_is_not_in_the_schema_is_left_out_and_named():
    event = given_event('{"kind":"request","ts":1,"colour":"red"}')
    assert event.left_out == {"colour"}
    assert b"red" not in event.core_bytes("s", 1) + event.personal


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x",
        "[]",
        "null",
        "3",
        '"a"',
        "{",
        "{}",
        '{"kind":"request","ts":1} x',
        '{"kind":"request"}',
        '{"ts":1}',
        '{"kind":"party","ts":1}',
        '{"kind":"auth","action":"dance","ts":1}',
        '{"kind":"request","ts":"1"}',
        '{"kind":"request","ts":1.5}',
        '{"kind":"request","ts":9007199254740992}',
        '{"kind":"request","ts":1,"status":true}',
        '{"kind":"request","ts":1,"v":2}',
        '{"kind":"request","ts":1,"n":0}',
        '{"kind":"request","ts":1,"flags":"xss"}',
        '{"kind":"request","ts":1,"data":[1]}',
        '{"kind":"request","ts":1,"path":"\\ud800"}',
        json.dumps({**LEAST, "route": "x" * 40_000}),
        json.dumps({**LEAST, "path": "x" * 200_000}),
    ],
    ids=lambda line: line[:40],
)
def test_what_is_no_event_of_the_schema_is_malformed(line):
    assert given_event(line) is None
