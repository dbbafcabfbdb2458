"""Counts over time, drawn as bars and as strips, with releases marked."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from .changes import Release
from .series import Series
from .svg import element
from .words import amount, day, moment

__all__ = ["draw_bars", "draw_strip"]

WIDTH: Final = 960
HEIGHT: Final = 180
LEFT: Final = 48
"""Room for the scale."""
TOP: Final = 18
BOTTOM: Final = 22
TICKS: Final = 7
"""Dates under the bars, about."""
LEVELS: Final = 4
"""Shades of a strip."""


def draw_bars(series: Series, releases: Sequence[Release], *, what: str, kind: str) -> Markup:
    """A bar for each bucket of a series, its scale, dates, and the releases in its time."""
    if not series.counts:
        return Markup("")
    most = max(series.counts) or 1
    pitch = (WIDTH - LEFT) / len(series.counts)
    return element(
        "svg",
        *_scale(most),
        *(_bar(series, i, n, most, pitch, what) for i, n in enumerate(series.counts) if n),
        *_dates(series, pitch),
        *_marks(series, releases, pitch),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_=f"bars {kind}",
        role="img",
        aria_label=f"{amount(series.total, what, what)} by {series.unit}, at most {most:,};"
        " the table below says the same",
    )


def draw_strip(series: Series, most: int, name: str) -> Markup:
    """One line of shades for a series, `most` being the darkest of all lines."""
    cells = [
        element(
            "rect",
            element("title", f"{n:,} from {moment(series.at(i))}"),
            x=i,
            width=1,
            height=1,
            class_=f"level-{_level(n, most)}",
        )
        for i, n in enumerate(series.counts)
        if n
    ]
    return element(
        "svg",
        element("rect", width=len(series.counts), height=1, class_="ground"),
        *cells,
        viewBox=f"0 0 {max(len(series.counts), 1)} 1",
        preserveAspectRatio="none",
        class_="strip",
        role="img",
        aria_label=f"{name}: {series.total:,} refusals over time",
    )


def _level(n: int, most: int) -> int:
    return min(LEVELS, 1 + LEVELS * n // (most + 1))


def _height(n: int, most: int) -> float:
    return (HEIGHT - TOP - BOTTOM) * n / most


def _bar(series: Series, i: int, n: int, most: int, pitch: float, what: str) -> Markup:
    height = max(_height(n, most), 1)
    return element(
        "rect",
        element("title", f"{amount(n, what, what)} from {moment(series.at(i))} UTC"),
        x=LEFT + i * pitch,
        y=HEIGHT - BOTTOM - height,
        width=max(pitch - (1 if pitch > 3 else 0), 0.8),
        height=height,
        class_="bar",
    )


def _scale(most: int) -> list[Markup]:
    parts: list[Markup] = []
    for n in sorted({most, most // 2, 0}):
        y = HEIGHT - BOTTOM - _height(n, most)
        parts.append(element("line", x1=LEFT, x2=WIDTH, y1=y, y2=y, class_="grid"))
        parts.append(element("text", f"{n:,}", x=LEFT - 6, y=y + 4, class_="scale"))
    return parts


def _dates(series: Series, pitch: float) -> list[Markup]:
    """Dates at the first bucket of some days."""
    names = [day(series.at(i)) for i in range(len(series.counts))]
    firsts = [i for i, name in enumerate(names) if not i or names[i - 1] != name]
    step = -(-len(firsts) // TICKS)
    return [
        element("text", names[i], x=LEFT + i * pitch, y=HEIGHT - 6, class_="tick")
        for i in firsts[::step]
        if LEFT + i * pitch < WIDTH - LEFT
    ]


def _marks(series: Series, releases: Sequence[Release], pitch: float) -> list[Markup]:
    parts: list[Markup] = []
    for release in releases:
        x = LEFT + (release.ts - series.start) / series.bucket_us * pitch
        if not LEFT <= x <= WIDTH:
            continue
        side = "release end" if x > WIDTH * 0.8 else "release"
        parts.append(element("line", x1=x, x2=x, y1=TOP - 4, y2=HEIGHT - BOTTOM, class_="release"))
        parts.append(element("text", release.version or "release", x=x, y=10, class_=side))
    return parts
