"""The bytes of an event are RFC 8785, whatever an app puts into it."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.errors import EventError
from flowaudit.event import (
    FLAGS,
    KINDS,
    Core,
    Personal,
    clean_map,
    clean_text,
    decode_core,
    decode_personal,
    encode_core,
    encode_personal,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
any_text = st.text(max_size=60)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)


@given(
    route=texts,
    host=texts,
    n=st.integers(1, 2**53 - 1),
    roles=st.lists(texts.filter(bool), min_size=1, max_size=3),
    facts=st.dictionaries(any_text, anything, max_size=5),
)
def test_core_bytes_are_canonical(
    route: str, host: str, n: int, roles: list[str], facts: dict[str, Any]
) -> None:
    core = Core(
        v=1,
        route=route or None,
        host=host or None,
        n=n,
        roles=roles,
        facts=clean_map(facts) or None,
    )
    data = encode_core(core)
    assert data == rfc8785.dumps(json.loads(data))
    assert decode_core(data) == core


@given(path=any_text, ua=any_text, data=st.dictionaries(any_text, anything, max_size=5))
def test_personal_bytes_are_canonical(path: str, ua: str, data: dict[str, Any]) -> None:
    personal = Personal(
        path=clean_text(path, 40) or None,
        ua=clean_text(ua, 40) or None,
        data=clean_map(data) or None,
    )
    encoded = encode_personal(personal)
    if not encoded:
        assert personal == Personal()
        return
    assert encoded == rfc8785.dumps(json.loads(encoded))
    assert decode_personal(encoded) == personal


@given(st.dictionaries(any_text, anything, max_size=6))
def test_cleaned_maps_hold_only_what_the_schema_allows(values: dict[str, Any]) -> None:
    def check(value: Any) -> None:
        assert isinstance(value, (str, bool, int, list, dict))
        assert value not in ("", [], {})
        if isinstance(value, int) and not isinstance(value, bool):
            assert abs(value) < 2**53
        if isinstance(value, dict):
            assert all(key.isascii() and key for key in value)
        for inner in (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        ):
            check(inner)

    cleaned = clean_map(values)
    for value in cleaned.values():
        check(value)
    assert clean_map(cleaned) == cleaned


def test_nothing_empty_is_written() -> None:
    assert encode_personal(Personal()) == b""
    assert encode_core(Core(v=1)) == b'{"v":1}'


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        ({"a": 1.5}, {"a": "1.5"}),
        ({"a": None, "b": ""}, {}),
        ({"é": 1, "ok": 2}, {"ok": 2}),
        ({"big": 2**60}, {"big": str(2**60)}),
        ({"b": b"secret"}, {"b": "6 bytes"}),
        ({"deep": {"deeper": [1, {"x": "y"}]}}, {"deep": {"deeper": [1, {"x": "y"}]}}),
    ],
    ids=["float", "empty", "key", "big", "bytes", "deep"],
)
def test_values_of_an_app_are_brought_into_shape(given_value: Any, kept: Any) -> None:
    assert clean_map(given_value) == kept


def test_a_map_that_holds_itself_ends() -> None:
    loop: dict[str, Any] = {"a": 1}
    loop["self"] = loop
    assert clean_map(loop)["a"] == 1


def test_cut_text_says_how_much_was_cut() -> None:
    assert clean_text("x" * 12, 10) == "x" * 10 + "…[+2]"
    assert clean_text("\ud800", 10) == "?"


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"n":"x"}', b"\xff"])
def test_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(EventError):
        decode_core(data)


def test_fields_stand_in_key_order() -> None:
    for part in (Core, Personal):
        assert list(part.__struct_fields__) == sorted(part.__struct_fields__)


def test_names_are_fixed() -> None:
    assert len(KINDS) == 10
    assert "traversal" in FLAGS
