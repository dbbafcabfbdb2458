"""The page: one file that needs nothing, where text from clients stays text."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from flowaudit.report.page import render_page
from flowaudit.verification.found import Problem, Verification

HOSTILE = '/"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m{{7*7}}'
SECTIONS = {"flow", "paths", "findings", "refusals", "scope"}


class Seen(HTMLParser):
    """Tags, attributes and the text of style and script of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.lasttag in self.raw and self.cdata_elem:
            self.raw[self.lasttag].append(data)
        else:
            self.text += data

    def ids(self) -> set[str]:
        return {value for _, name, value in self.attributes if name == "id"}


@pytest.fixture
def busy(walk, report_on):
    events = [
        *walk("192.0.2.1", "/", "/book", "/done"),
        *walk("192.0.2.2", "/", "/book", "!/admin"),
        *walk("192.0.2.3", HOSTILE, "/book", ua=HOSTILE, route=HOSTILE),
        *walk("192.0.2.4", *(f"!/{HOSTILE}{i}" for i in range(9))),
    ]
    return report_on(events, name=HOSTILE, funnel=("/", "/book", "/done"))


def test_it_has_every_section_and_links_only_into_itself(busy) -> None:
    seen = Seen(render_page(busy))
    assert seen.ids() >= SECTIONS
    links = {value for _, name, value in seen.attributes if name == "href"}
    assert all(link.startswith("#") for link in links)
    assert {link[1:] for link in links} <= seen.ids()


def test_nothing_is_loaded_from_anywhere(busy) -> None:
    page = render_page(busy)
    seen = Seen(page)
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & set(seen.tags)
    assert not [a for a in seen.attributes if a[1] in ("src", "srcset", "action", "data", "style")]
    assert not [a for a in seen.attributes if a[1].startswith("on")]
    style = "".join(seen.raw["style"])
    assert not re.findall(r"url\((?!#)", style)
    assert "@import" not in style


def test_the_policy_allows_its_own_style_and_script_alone(busy) -> None:
    seen = Seen(render_page(busy))
    [policy] = [v for t, n, v in seen.attributes if t == "meta" and "default-src" in v]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        assert seen.tags.count(kind) == 1
        digest = hashlib.sha256("".join(seen.raw[kind]).encode()).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy


def test_hostile_text_stays_text_and_does_nothing(busy) -> None:
    page = render_page(busy)
    seen = Seen(page)
    assert "script>alert(1)" not in page
    assert "<img" not in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", page)
    assert "<script>alert(1)</script>" in seen.text
    assert "{{7*7}}" in seen.text


def test_a_number_is_said_with_what_it_counts(busy) -> None:
    text = " ".join(Seen(render_page(busy)).text.split())
    assert "17 requests in 4 journeys" in text
    assert "10 refusals among 17 requests" in text


def test_nothing_at_all_is_said_in_words(report_on) -> None:
    page = render_page(report_on([]))
    text = " ".join(Seen(page).text.split())
    assert "No refusals (0 requests looked at" in text
    assert "No findings" in text
    assert Seen(page).ids() >= SECTIONS


def test_no_refusal_is_said_with_how_much_was_looked_at(walk, report_on) -> None:
    text = Seen(render_page(report_on(walk("a", "/", "/b")))).text
    assert "No refusals (2 requests looked at" in text


def test_a_guessed_funnel_says_so(walk, report_on) -> None:
    events = [*walk("a", "/", "/b"), *walk("b", "/", "/b")]
    assert "so this is the commonest way" in Seen(render_page(report_on(events))).text
    assert "commonest" not in Seen(render_page(report_on(events, funnel=("/", "/b")))).text


def test_a_broken_trail_is_told_at_the_top(walk, report_on) -> None:
    broken = Verification(False, 9, "", None, 0, (Problem(4, "this entry is missing"),))
    report = replace(report_on(walk("a", "/")), verification=broken)
    page = render_page(report)
    assert "does NOT hold" in Seen(page).text.split("How far people get")[0]
    assert "entry 4" in Seen(page).text


def test_names_stand_for_tokens_where_they_are_known(walk, report_on) -> None:
    token = "a2" * 26
    events = walk("192.0.2.1", "/", "!/x", actor=token)
    assert "user:42" in Seen(render_page(report_on(events, names={token: "user:42"}))).text


def test_it_stays_under_5_mb_whatever_it_is_given(walk, report_on) -> None:
    events = []
    for i in range(300):
        client, long = f"10.{i // 250}.{i % 250}.1", f"/{'é' * 2000}{i}"
        events += walk(client, *(f"!{long}/{k}" for k in range(12)), at=1_000_000 * i)
        events += walk(client, "/.env", "/.git/HEAD", "/wp-login.php", at=10**15 + i)
    page = render_page(report_on(events))
    assert len(page.encode()) < 5_000_000
