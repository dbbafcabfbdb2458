"""Numbers, times and lists as text."""

import json

import pytest

from flowaudit.cli import output, wording
from flowaudit.report import words


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "0 ms"),
        (999, "999 µs"),
        (1_000, "1 ms"),
        (999_999, "999 ms"),
        (1_000_000, "1 s"),
        (61_000_000, "1 min 1 s"),
        (3_600_000_000, "1 h"),
        (3_601_000_000, "1 h"),
        (90_000_000_000, "1 d 1 h"),
    ],
)
def test_a_duration_has_two_neighbouring_units(us, text):
    assert words.span(us) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 10, "0 %"), (1, 1000, "1 %"), (999, 1000, "99 %"), (10, 10, "100 %"), (0, 0, "–")],
)
def test_a_share_is_never_rounded_to_none_or_all(part, whole, text):
    assert words.percent(part, whole) == text


@pytest.mark.parametrize(
    ("number", "most", "text"),
    [(0, 8, ""), (8, 8, "████"), (4, 8, "██"), (1, 8, "▌"), (1, 10_000, "▏"), (5, 0, "")],
)
def test_a_bar_shows_something_for_something(number, most, text):
    assert words.bar(number, most, width=4) == text


@pytest.mark.parametrize("width", [5, 6, 11])
def test_a_text_is_cut_in_its_middle_to_the_width(width):
    cut = words.shorten("/abcdefghijklmnop", width)
    assert len(cut) == width
    assert cut[0] == "/"
    assert cut[-1] == "p"
    assert words.shorten("short", 5) == "short"


def test_sentences_are_folded_at_80_columns():
    text = " ".join(["word"] * 100)
    lines = wording.fold(text).split("\n")
    assert max(map(len, lines)) <= 80
    assert " ".join(lines) == text


def test_a_time_far_out_of_range_is_still_text():
    assert words.moment(0) == "1 Jan 1970 00:00"
    assert words.moment(2**53)
    assert words.clock(-(2**60))


def test_json_for_a_terminal_holds_nothing_that_acts(capsys):
    value = {"path": "/\u202egpj.exe\x1b[31m", "name": "Zo\u00eb"}
    output.print_json(value)
    shown = capsys.readouterr().out
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert "Zo\u00eb" in shown
    assert json.loads(shown) == value


@pytest.mark.parametrize(
    ("last", "text"),
    [
        (0, "1 Jan 1970 00:00 UTC"),
        (61_000_000, "1 Jan 1970 00:00 to 00:01 UTC"),
        (86_400_000_000, "1 Jan 1970 00:00 to 2 Jan 1970 00:00 UTC"),
    ],
    ids=["minute", "day", "longer"],
)
def test_a_period_says_once_what_both_ends_share(last, text):
    assert words.period(0, last) == text


@pytest.mark.parametrize(
    ("step", "to", "text"),
    [
        ("/a", "/b", "/a → /b"),
        ("/a", "/" + "b" * 30, "/a → /bbbbbbbb…bbbbb"),
        ("/" + "a" * 30, "/b", "/aaaaaaaa…aaaaa → /b"),
        ("/" + "a" * 30, "/" + "b" * 30, "/aaa…aaa → /bbbb…bbb"),
    ],
    ids=["short", "long-target", "long-source", "both-long"],
)
def test_an_arrow_survives_the_cut_of_what_stands_beside_it(step, to, text):
    assert words.arrow(step, to, 20) == text
