"""Nothing of a body outlives the rule but what it names, and the shape of the rest."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.errors import SettingError
from flowaudit.event import clean_map
from flowaudit.policy.named import Named, named_parts, parse_pointer, query_names
from flowaudit.policy.payload import (
    MAX_FIELDS,
    Described,
    Field,
    describe_form,
    describe_json,
    keep_header,
    parse_form,
)

CARD = "4111111111111111"


def named(**keys: Any) -> Named:
    return named_parts("policy[0]", keys)


def described(document: Any, *pointers: str) -> Described:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return describe_json(body, named(request_json=list(pointers)).request.json)


@pytest.mark.parametrize(
    ("document", "pointers", "expected"),
    [
        ({"id": 7, "name": "Ann"}, ["/id"], {"kept": {"/id": 7}, "rest": {"/name": "string 3"}}),
        (
            {"items": [{"sku": "a", "n": 1}, {"sku": "bb", "n": 2.5}]},
            ["/items/*/sku"],
            {
                "kept": {"/items/0/sku": "a", "/items/1/sku": "bb"},
                "rest": {"/items": "array 2", "/items/*/n": "number"},
            },
        ),
        (
            [["x"], ["y"]],
            ["/1/0"],
            {"kept": {"/1/0": "y"}, "rest": {"#": "array 2", "/*": "array 1", "/*/*": "string 1"}},
        ),
        (
            {"a": {"b": {}}, "c": [], "d": None, "e": True, "f": ""},
            [],
            {
                "rest": {
                    "/a/b": "object 0",
                    "/c": "array 0",
                    "/d": "null",
                    "/e": "boolean",
                    "/f": "string 0",
                }
            },
        ),
        ({"t": ["a", "bcd", None]}, [], {"rest": {"/t": "array 3", "/t/*": "null, string 1-3"}}),
        ("text", [""], {"kept": {"#": "text"}}),
        ("text", [], {"rest": {"#": "string 4"}}),
        ({"a/b": 1, "m~n": 2}, ["/a~1b", "/m~0n"], {"kept": {"/a~1b": 1, "/m~0n": 2}}),
        ({"größe": 9}, ["/größe"], {"kept": {"/gr%C3%B6%C3%9Fe": 9}}),
        ({"customer": {"id": "c"}}, ["/customer"], {"rest": {"/customer/id": "string 1"}}),
        ({"x": {"*": "star"}}, ["/x/*"], {"kept": {"/x/*": "star"}}),
        ({"x": {"member": "secret"}}, ["/x/*"], {"rest": {"/x/member": "string 6"}}),
        ({"price": 1.5, "big": 2**60}, ["/price", "/big"], None),
        (
            {"a": None, "b": "x" * 1_001},
            ["/a", "/b"],
            {"rest": {"/a": "null", "/b": "string 1001"}},
        ),
        ({"ann@example.org": 1, "a b": 2}, [], {"rest": {"/?": "number"}}),
        ({"": 5}, ["/"], {"kept": {"/": 5}}),
        (b'\xef\xbb\xbf{"a": 1}', ["/a"], {"kept": {"/a": 1}}),
        (b'\xef\xbb\xbf\xef\xbb\xbf{"a": 1}', ["/a"], {"skipped": "broken"}),
        (b"\xef\xbb\xbf", ["/a"], {"skipped": "broken"}),
        (b'{"a": 1', ["/a"], {"skipped": "broken"}),
        (b"\xff\xfe", ["/a"], {"skipped": "broken"}),
        (b'{"a": "\\ud800"}', ["/b"], None),
        (b"[" * 100_000, [], {"skipped": "broken"}),
        (b"", [], {"skipped": "broken"}),
    ],
    ids=[
        "named",
        "every-item",
        "one-item",
        "empty-ones",
        "merged-shapes",
        "whole-named",
        "whole-not-named",
        "escapes",
        "not-ascii",
        "container-named",
        "member-called-star",
        "star-is-no-member",
        "numbers",
        "null-and-long",
        "keys-that-might-tell",
        "empty-key",
        "byte-order-mark",
        "two-byte-order-marks",
        "byte-order-mark-alone",
        "cut-off",
        "not-utf8",
        "lone-surrogate",
        "too-deep",
        "empty",
    ],
)
def test_a_json_body(document: Any, pointers: list[str], expected: Described | None) -> None:
    told = described(document, *pointers)
    assert expected is None or told == expected


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("ann@example.org", "[masked:email]"),
        (f"card {CARD}", "card [masked:card]"),
        (int(CARD), "[masked:card]"),
        ("Bearer abcdef0123456789", "Bearer [masked:token]"),
        (1.5, "1.5"),
        (2**60, str(2**60)),
        (True, True),
    ],
)
def test_a_kept_value_is_masked(value: Any, kept: Any) -> None:
    assert described({"v": value}, "/v")["kept"] == {"/v": kept}


def test_a_form() -> None:
    fields = parse_form(
        b"title=A+day&tag=x&tag=y&title2=abc&who=ann%40example.org&empty=&na%20me=1"
    )
    assert not isinstance(fields, str)
    assert describe_form(fields, frozenset({"title", "tag", "who", "empty"})) == {
        "kept": {"title": "A day", "tag": ["x", "y"], "who": "[masked:email]"},
        "rest": {"title2": "string 3", "empty": "string 0", "?": "string 1"},
    }


def test_of_a_file_nothing_is_kept() -> None:
    files = [Field("scan", None, 900), Field("scan", None, 20)]
    assert describe_form(files, frozenset({"scan"})) == {"rest": {"scan": "file 20-900"}}


def test_a_form_of_too_many_fields_is_not_looked_at() -> None:
    assert parse_form(b"&".join([b"a=1"] * (MAX_FIELDS + 1))) == "too-many"


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("content-type", "text/html", "text/html"),
        ("location", "https://example.org/reset/?t=abc", "https://example.org/reset/"),
        ("x-trace", f"a {CARD}", "a [masked:card]"),
        ("x-long", "a" * 1_001, None),
        ("x-empty", "", None),
    ],
)
def test_a_named_header(name: str, value: str, kept: str | None) -> None:
    assert keep_header(name, value) == kept


@pytest.mark.parametrize(
    ("pointer", "tokens"),
    [("", []), ("/", [""]), ("/a~1b/~01", ["a/b", "~1"]), ("/a//b", ["a", "", "b"])],
)
def test_a_pointer_is_read_by_rfc_6901(pointer: str, tokens: list[str]) -> None:
    assert parse_pointer(pointer) == tokens


@pytest.mark.parametrize(
    ("keys", "named_in_error"),
    [
        ({"request_json": ["id"]}, r"policy\[0\]\.request_json"),
        ({"request_json": ["/a~2"]}, "request_json"),
        ({"request_json": ["/a~"]}, "request_json"),
        ({"request_json": ["/" + "a" * 90]}, "request_json"),
        ({"request_json": ["/a" * 17]}, "request_json"),
        ({"request_json": "/a"}, "request_json"),
        ({"request_json": ["/user/password"]}, "password"),
        ({"request_json": ["/user/Pass-Word"]}, "Pass-Word"),
        ({"response_json": ["/access_token"]}, "access_token"),
        ({"response_json": ["/pass"]}, "pass"),
        ({"response_json": ["/tokens/*"]}, "tokens"),
        ({"request_form": ["pwd"]}, "request_form"),
        ({"request_form": [""]}, "request_form"),
        ({"request_headers": ["Authorization"]}, "authorization"),
        ({"request_headers": ["Cookie"]}, "cookie"),
        ({"response_headers": ["set-cookie"]}, "set-cookie"),
        ({"request_headers": ["proxy-authorization"]}, "proxy-authorization"),
        ({"request_headers": ["x-api-key"]}, "x-api-key"),
        ({"request_headers": ["not a header"]}, "header"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"max_bytes": 2**30}, "max_bytes"),
        ({"max_bytes": True}, "max_bytes"),
        ({"request_json": ["/a"] * 101}, "101"),
    ],
)
def test_a_wrong_name_is_refused(keys: dict[str, Any], named_in_error: str) -> None:
    with pytest.raises(SettingError, match=named_in_error):
        named(**keys)


# -- properties ---------------------------------------------------------------------------------

KEYS = st.sampled_from(["id", "name", "items", "a/b", "m~n", "", "0", "*"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=4)
    ),
    max_leaves=25,
)
POINTERS = st.lists(
    st.lists(KEYS | st.sampled_from(["1", "2"]), max_size=4).map(
        lambda tokens: "".join(
            "/" + token.replace("~", "~0").replace("/", "~1") for token in tokens
        )
    ),
    max_size=4,
)


def marked(value: Any, path: tuple[str, ...], found: dict[str, tuple[str, ...]]) -> Any:
    """The document with every leaf replaced by a text that stands nowhere else."""
    if isinstance(value, list):
        return [marked(each, (*path, f"[{i}]"), found) for i, each in enumerate(value)]
    if isinstance(value, dict):
        return {key: marked(each, (*path, key), found) for key, each in value.items()}
    mark = f"leaf<{len(found)}>"
    found[mark] = path
    return mark


def names(pointer: str, path: tuple[str, ...]) -> bool:
    """Whether a pointer names a place: written anew here, token by token."""
    tokens = parse_pointer(pointer)
    return len(tokens) == len(path) and all(
        token in ("*", part[1:-1]) if part.startswith("[") else token == part
        for token, part in zip(tokens, path, strict=True)
    )


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from texts_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)
    else:
        yield str(value)


@given(DOCUMENTS, POINTERS)
def test_what_is_kept_is_exactly_what_is_named(document: Any, pointers: list[str]) -> None:
    found: dict[str, tuple[str, ...]] = {}
    body = json.dumps(marked(document, (), found)).encode()
    told = describe_json(body, named(request_json=pointers).request.json)
    everything = list(texts_in(told))
    for mark, path in found.items():
        is_named = any(names(pointer, path) for pointer in pointers)
        assert any(mark in text for text in everything) is is_named, (mark, path)


@given(DOCUMENTS, POINTERS)
def test_what_is_told_fits_an_event_as_it_is(document: Any, pointers: list[str]) -> None:
    told = describe_json(json.dumps(document).encode(), named(request_json=pointers).request.json)
    assert clean_map(told) == told
    assert len(msgspec.json.encode(told)) < 48 * 1024


@given(st.binary(max_size=2_000))
def test_no_body_raises(body: bytes) -> None:
    describe_json(body, named(request_json=["/a/*/b", ""]).request.json)
    fields = parse_form(body)
    told = {} if isinstance(fields, str) else describe_form(fields, frozenset({"a"}))
    assert clean_map(told) == told


@pytest.mark.parametrize(
    "document",
    [
        [{"id": "x" * 900}] * 5_000,
        {f"key{i}": {"deep": ["x"] * 50} for i in range(2_000)},
        {
            f"{'k' * 39}{i % 7}": {f"{'m' * 38}{i}": "\x00" * 900 for i in range(99)}
            for i in range(9)
        },
        json.loads('{"a":' * 500 + "1" + "}" * 500),
    ],
    ids=["many-items", "many-keys", "long-keys", "deep"],
)
def test_a_big_body_is_told_within_bounds(document: Any) -> None:
    told = described(document, "/*/id", "/key1/deep/*", "/a/a/a/a/a/a/a/a/a/a")
    assert clean_map(told) == told
    assert len(msgspec.json.encode(told)) < 48 * 1024
    assert "cut" in told or len(told["rest"]) == 1  # type: ignore[arg-type]


SECRET_NAMES = (
    "passwort kennwort contraseña Contraseña bearer totp otp pin iban ssn x_auth altes_passwort"
    " x-auth x-auth-token x-forwarded-authorization x-session x-session-id password access_token"
).split()


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_what_is_called_like_a_secret_is_never_named(name: str) -> None:
    lists = {"request_json": f"/a/{name}", "response_json": f"/{name}", "request_form": name}
    if name.isascii():
        lists |= {"request_headers": name, "response_headers": name}
    for key, value in lists.items():
        with pytest.raises(SettingError, match="not a secret's"):
            named(**{key: [value]})
    with pytest.raises(SettingError, match=r"query_keys.*not a secret's"):
        query_names(["page", name])


@pytest.mark.parametrize(
    "name", ["page", "pinned", "author", "urban", "session_count", "x-assn", "passage", "code"]
)
def test_what_is_only_written_alike_may_be_named(name: str) -> None:
    assert query_names([name]) == {name}
    assert named(request_form=[name]).request.form == {name}
