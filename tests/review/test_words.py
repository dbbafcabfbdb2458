"""Sentences, spellings, and the order of ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.review.ordered import order_share
from flowaudit.review.spelling import one_spelling
from flowaudit.review.wording import Number, examples, fill, name, span


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "less than a second"),
        (999_999, "less than a second"),
        (1_000_000, "1 s"),
        (70_000_000, "1 min 10 s"),
        (3_600_000_000, "1 h"),
        (3_601_000_000, "1 h 1 s"),
        (90_061_000_000, "1 d 1 h"),
    ],
)
def test_spans(us, text):
    assert span(us) == text


def test_numbers_take_their_noun():
    assert fill("{n:path|paths}, {m:path|paths}, {m}", {"n": Number(1), "m": Number(1_234)}) == (
        "1 path, 1,234 paths, 1,234"
    )


def test_a_sentence_is_filled_once():
    assert fill("{a}  {b}\n{a}", {"a": "{b}", "b": "x"}) == "{b} x {b}"


def test_examples_are_three_and_how_many_more():
    assert examples(["a", "b", "a"]) == "a, b"
    assert examples(list("abcabcde")) == "a, b, c and 2 more"


def test_names_are_short_and_paths_whole():
    assert name("x" * 24) == "x" * 24
    assert name("x" * 25) == "x" * 23 + "…"
    assert name("/a" * 40) == "/a" * 40


@pytest.mark.parametrize(
    "path",
    [
        "/admin/report",
        "/Admin/REPORT",
        "/admin/report/",
        "//admin///report",
        "/./admin/./report/.",
        "/x/../admin/report",
        "/../../admin/report",
        "/admin;jsessionid=1/report;x",
        "/%61dmin/report",
        "/%2561dmin/report",
        "/admin%2freport",
        "/admin\\report",
        "/admin/report%00",
        "/admin/report%20",
        "/ａdmin/report",
    ],
)
def test_many_ways_to_write_one_path(path):
    assert one_spelling(path) == "/admin/report"


@pytest.mark.parametrize("path", ["/admin", "/admin/report2", "/admin/reports/..", "/", ""])
def test_other_paths_stay_other(path):
    assert one_spelling(path) != "/admin/report"


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_has_a_spelling(path):
    assert one_spelling(path).startswith("/")


@pytest.mark.parametrize(
    ("ids", "share"),
    [
        (["1", "2", "3", "4"], 100),
        (["/r/10", "/r/8", "/r/6", "/r/4"], 100),
        (["1", "2", "3", "4", "9"], 75),
        (["1", "50", "3", "900", "17"], 0),
        (["1", "12", "23", "34"], 0),
        (["1", "11", "21", "31"], 100),
        (["7", "7", "7", "7"], 0),
        (["1", "2", "3"], None),
        (["a", "b", "c", "d"], None),
        (["1", "x", "2", "3", "4"], None),
        ([f"0000000{i}-0000-4000-8000-000000000000" for i in range(5)], None),
    ],
)
def test_how_much_of_a_walk_is_in_order(ids, share):
    assert order_share(ids) == share
