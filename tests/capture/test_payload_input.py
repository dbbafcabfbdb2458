"""`wsgi.input` with a tap on it: it does what it did, and the body is followed."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.capture.bodies import Body
from flowaudit.capture.streams import Guard, Input
from flowaudit.policy.named import named_parts

CALLS = st.lists(
    st.sampled_from(
        [
            ("read", ()),
            ("read", (3,)),
            ("read", (0,)),
            ("read", (-1,)),
            ("read1", (4,)),
            ("readline", ()),
            ("readline", (2,)),
            ("readlines", ()),
            ("readlines", (3,)),
            ("readinto", (5,)),
            ("next", ()),
            ("list", ()),
            ("seek", (0,)),
            ("seek", (2,)),
            ("tell", ()),
            ("closed", ()),
            ("nothing", ()),
        ]
    ),
    max_size=8,
)


def perform(stream: Any, name: str, args: tuple[int, ...]) -> Any:
    try:
        if name == "next":
            return next(stream)
        if name == "list":
            return list(stream)
        if name == "readinto":
            buffer = bytearray(args[0])
            return stream.readinto(buffer), bytes(buffer)
        found = getattr(stream, name)
        return found(*args) if callable(found) else found
    except (StopIteration, AttributeError) as error:
        return type(error)


@given(st.binary(max_size=30).map(lambda raw: raw.replace(b"\x00", b"\n")), CALLS)
def test_an_input_does_what_it_did(
    content: bytes, calls: list[tuple[str, tuple[int, ...]]]
) -> None:
    body, plain = Body(1_000), io.BytesIO(content)
    tapped = Input(io.BytesIO(content), body, Guard(None))  # type: ignore[arg-type]
    taken = 0
    for name, args in calls:
        before = plain.tell()
        assert perform(tapped, name, args) == perform(plain, name, args)
        if name != "seek":
            taken += plain.tell() - before
        elif not body.is_whole:
            taken = 0 if args == (0,) else -1_000
        if body.is_whole:
            break
    if taken >= 0:
        assert body.size == taken
        assert b"".join(body._chunks or []) == content[:taken]
    if body.is_whole and taken >= 0:
        assert taken == len(content)


def test_who_reads_again_from_the_start_is_followed() -> None:
    body = Body(100)
    stream: Any = Input(io.BytesIO(b"abcdef"), body, Guard(None))  # type: ignore[arg-type]
    stream.read(3)
    stream.seek(0)
    assert stream.read() == b"abcdef"
    stream.seek(0)
    assert stream.read(2) == b"ab"
    assert (body.size, body.is_whole, body._chunks) == (6, True, [b"abcdef"])


@pytest.mark.parametrize(
    ("seeks", "told"),
    [
        ([(0, 2), (0,)], {"kept": {"/id": 7}}),
        ([(3,)], "not-whole"),
        ([(3,), (0,)], {"kept": {"/id": 7}}),
    ],
    ids=["to-the-end-and-back", "to-the-middle", "to-the-middle-and-back"],
)
def test_who_looks_for_the_size_first_is_followed(
    seeks: list[tuple[int, ...]], told: dict[str, Any] | str
) -> None:
    body = Body(100)
    body.set_headers([("content-type", "application/json")])
    stream: Any = Input(io.BytesIO(b'{"id": 7}'), body, Guard(None))  # type: ignore[arg-type]
    for args in seeks:
        stream.seek(*args)
    stream.read()
    found = body.told(named_parts("policy[0]", {"request_json": ["/id"]}).request, 100)
    assert {k: found[k] for k in ("kept", "skipped") if k in found} == (
        {"skipped": told} if isinstance(told, str) else told
    )


def test_an_input_lets_its_server_set_what_it_wants() -> None:
    class Stream(io.BytesIO):
        hint = 1

    stream = Stream(b"abc")
    tapped: Any = Input(stream, Body(10), Guard(None))  # type: ignore[arg-type]
    tapped.hint = 2
    assert (stream.hint, tapped.hint, tapped.getvalue()) == (2, 2, b"abc")
    with tapped as entered:
        assert entered is tapped
    assert stream.closed
