"""The summary in a terminal: 80 columns, no colour where none is wanted, what to run next."""

import io
import re

import pytest

from flowaudit.report.text import print_report

HOSTILE = "/\x1b[31mred\x1b[0m\u202e\r\nforged line [bold]markup[/bold] :smile:"


def shown(report, **options) -> str:
    file = io.StringIO()
    print_report(report, file=file, **options)
    return file.getvalue()


@pytest.fixture
def report(walk, report_on):
    return report_on(
        [*walk("192.0.2.1", "/", "/b", "/c"), *walk("192.0.2.2", "/", "!/admin")],
        funnel=("/", "/b"),
    )


def test_no_line_is_wider_than_80_columns(report) -> None:
    assert max(len(line.rstrip()) for line in shown(report).splitlines()) <= 80


def test_there_is_no_colour_when_it_is_piped(report) -> None:
    assert "\x1b" not in shown(report)


def test_the_last_line_says_what_to_run_next(report, report_on) -> None:
    assert shown(report).splitlines()[-1].startswith("Next: flowaudit ")
    assert shown(report_on([])).splitlines()[-1].startswith("Next: flowaudit import")


def test_the_page_is_named(report) -> None:
    assert "Page: out/flow-report.html" in shown(report, page="out/flow-report.html")


def test_what_clients_send_acts_on_no_terminal(walk, report_on) -> None:
    text = shown(report_on([*walk("192.0.2.1", HOSTILE, f"!{HOSTILE}")], name=HOSTILE))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert "forged line" not in [line.strip()[:11] for line in text.splitlines()]
    assert "[bold]" in text
    assert ":smile:" in text


def test_a_bar_is_as_long_as_its_share(report) -> None:
    bars = re.findall(r"^  /\w* +([█▏▎▍▌▋▊▉]+) +(\d+)", shown(report), re.MULTILINE)
    assert len(bars) >= 3
    assert len({len(bar) for bar, n in bars if n == "2"}) == 1
