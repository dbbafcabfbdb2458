"""The page as a browser sees it: charts with data, nothing too wide, nothing fetched."""

import base64
import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flowaudit.report.page import render_page

pytestmark = pytest.mark.browser

LOOK = """
const frame = document.querySelector("iframe");
frame.addEventListener("load", () => {
  const view = frame.contentWindow, page = frame.contentDocument, root = page.documentElement;
  const wide = [...page.body.querySelectorAll("*")].filter(each =>
    !each.closest(".scroll") && each.getBoundingClientRect().right > view.innerWidth + 1);
  const node = page.querySelector(".node");
  if (node) node.dispatchEvent(new view.Event("focus"));
  document.title = btoa(unescape(encodeURIComponent(JSON.stringify({
    width: view.innerWidth, scroll: root.scrollWidth,
    wide: wide.map(each => each.outerHTML.slice(0, 80)),
    fetched: view.performance.getEntriesByType("resource").map(each => each.name),
    bars: [...page.querySelectorAll("svg")].map(svg =>
      [...svg.querySelectorAll("rect, path")].filter(each => each.getBBox().width > 0).length),
    nodes: page.querySelectorAll(".node").length,
    lit: [...page.querySelectorAll(".lit")].filter(p => +p.getAttribute("stroke-width") > 0).length,
    says: page.getElementById("says") ? page.getElementById("says").textContent : "",
    font: view.getComputedStyle(page.body).fontFamily,
  }))));
});
frame.srcdoc = document.getElementById("page").content.textContent;
"""


def look(chromium: str, page: str, width: int, folder: Path) -> dict[str, Any]:
    """What a page is like in a window of some width; the page itself is not touched."""
    outer = folder / "outer.html"
    outer.write_text(
        f'<!doctype html><meta charset="utf-8"><title>-</title><iframe width="{width}"'
        f' height="900" frameborder="0"></iframe><template id="page">{html.escape(page)}</template>'
        f"<script>{LOOK}</script>",
        "utf-8",
    )
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
        " --disable-background-networking --disable-component-update --disable-sync"
        " --virtual-time-budget=4000 --window-size=1400,900 --dump-dom"
    ).split()
    profile = folder / "profile"
    done = subprocess.run(
        [chromium, *options, f"--user-data-dir={profile}", outer.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    [title] = re.findall(r"<title>([A-Za-z0-9+/=]{20,})</title>", done.stdout)
    return json.loads(base64.b64decode(title))


@pytest.fixture
def report(walk, report_on):
    long = "/" + "a-very-long-name" * 12
    events = [
        *(e for i in range(20) for e in walk(f"192.0.2.{i}", "/", "/book", "/done", "!/x")),
        *walk("2001:db8::1", "/", long, f"!{long}", "x/y", ua="Mozilla/5.0 " + "w" * 400),
        *(e for i in range(9) for e in walk("203.0.113.1", f"!/records/{i}")),
        *walk("203.0.113.2", "/.env", "/.git/HEAD", "/wp-login.php"),
    ]
    return report_on(events, funnel=("/", "/book", "/done"))


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_shows_data_and_fetches_nothing(
    chromium, report, tmp_path: Path, width: int
) -> None:
    seen = look(chromium, render_page(report), width, tmp_path)
    assert seen["width"] == width
    assert seen["scroll"] <= width
    assert seen["wide"] == []
    assert seen["fetched"] == []
    assert min(seen["bars"]) > 0
    assert seen["nodes"] >= 5
    assert "system-ui" in seen["font"], "the style did not pass the page's own policy"


def test_a_node_that_is_tabbed_to_lights_its_journeys(chromium, report, tmp_path: Path) -> None:
    seen = look(chromium, render_page(report), 1280, tmp_path)
    assert seen["lit"] > 1
    assert "journey" in seen["says"]
    assert not seen["says"].startswith("Point at")


def test_an_empty_report_fits_too(chromium, report_on, tmp_path: Path) -> None:
    seen = look(chromium, render_page(report_on([])), 390, tmp_path)
    assert seen["scroll"] <= 390
    assert (seen["nodes"], seen["fetched"]) == (0, [])
