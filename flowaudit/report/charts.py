"""Charts over time as SVG: bars with a scale, marks for releases, strips for single sources."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from .svg import element
from .values import Mark, Timeline
from .wording import count, moment

__all__ = ["draw_bar", "draw_time"]

HEIGHT: Final = 120
STEP: Final = 10


def draw_bar(part: int, whole: int, kind: str = "plain") -> Markup:
    """A bar that is as long as `part` of `whole`."""
    length = 100 * part / whole if whole else 0.0
    return element(
        "svg",
        element("rect", x=0, y=0, width=100, height=10, class_="rest"),
        element("rect", x=0, y=0, width=max(length, 0.5 if part else 0), height=10, class_=kind),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )


def draw_time(timeline: Timeline, values: Sequence[int], noun: str, kind: str) -> Markup:
    """Counts along time, with a line for each change."""
    most = max(values, default=0) or 1
    bars = [
        element(
            "rect",
            element("title", f"{_starts(timeline, i)}: {_told(value, noun)}"),
            x=i * STEP + 1,
            y=HEIGHT - HEIGHT * value / most,
            width=STEP - 2,
            height=HEIGHT * value / most,
            class_=kind,
        )
        for i, value in enumerate(values)
        if value
    ]
    width = len(values) * STEP
    grid = [
        element("line", x1=x, x2=x, y1=0, y2=HEIGHT, class_="grid")
        for x in (width * i / timeline.ticks for i in range(1, timeline.ticks))
    ]
    marks = [_mark(timeline, mark) for mark in timeline.marks]
    return element(
        "svg",
        *grid,
        *bars,
        *marks,
        viewBox=f"0 0 {width} {HEIGHT}",
        preserveAspectRatio="none",
        class_="time",
        role="img",
        aria_label=f"{count(sum(values), noun)} over time, at most {most:,} at once",
    )


def _starts(timeline: Timeline, place: int) -> str:
    return f"{moment(timeline.start + place * timeline.bucket_us)} UTC"


def _told(value: int, noun: str) -> str:
    return count(value, noun)


def _mark(timeline: Timeline, mark: Mark) -> Markup:
    x = (mark.ts - timeline.start) / timeline.bucket_us * STEP
    return element("line", element("title", mark.text), x1=x, x2=x, y1=0, y2=HEIGHT, class_="mark")
