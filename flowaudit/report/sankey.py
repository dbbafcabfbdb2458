"""The flow picture, drawn: columns from left to right, journeys as bands between their steps."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from markupsafe import Markup

from .picture import Link, Node, Picture
from .svg import element, number
from .words import amount, percent, printable, shorten, span

__all__ = ["draw_sankey", "node_name"]

WIDTH: Final = 1_120
HEIGHT: Final = 480
TOP: Final = 26
"""Above the first node: the columns' numbers."""
GAP: Final = 24
"""Between nodes of a column: room for two lines of text under a thin node."""
BAR: Final = 12
END: Final = 14
"""Width of the mark for journeys that end at a node."""
LEAST: Final = 2.0
"""Height of the thinnest node that can still be seen."""
NAME_CHARS: Final = 21
FEWEST_COLUMNS: Final = 4
"""A picture of two steps is not drawn over the whole width."""

_SIGNS: Final = {"refused": "✕ ", "failed": "! "}
_ENDS: Final = ("goal", "leaves", "goes-on")


class _Place:
    """Where a node stands, and how much of its sides is taken by bands so far."""

    def __init__(self, x: float, y: float, height: float) -> None:
        self.x, self.y, self.height = x, y, height
        self.left = self.right = y


def node_name(node: Node) -> str:
    """What a node is called: its step, or how many rarer ones it stands for."""
    if node.state == "rest":
        return f"other ({node.rest_size})"
    return printable(node.label) if node.label else "(no route)"


def draw_sankey(picture: Picture) -> Markup:
    """The picture as SVG. Nodes can be pointed and tabbed to; a script lights their ways."""
    columns = _columns(picture)
    pitch = WIDTH / max(len(columns), FEWEST_COLUMNS)
    most = max((sum(picture.nodes[i].journeys for i in c) for c in columns.values()), default=0)
    rows = max((len(column) for column in columns.values()), default=1)
    scale = (HEIGHT - TOP - GAP * rows) / (most or 1)
    places = _places(picture, columns, pitch, scale)
    ways = list(_ways(picture, places, scale))
    heads = [
        element("text", f"step {column}", x=(column - 1) * pitch, y=12, class_="step")
        for column in columns
    ]
    return element(
        "svg",
        _pattern(),
        *heads,
        element("g", *(band for band, _ in ways)),
        element("g", *(lit for _, lit in ways)),
        element("g", *(_node(picture, i, places[i], pitch) for i in range(len(picture.nodes)))),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        class_="sankey",
        role="group",
        aria_label="Flow of journeys, step by step; the table below says the same",
    )


def _pattern() -> Markup:
    """Hatching for journeys that leave: told from the rest without colour too."""
    line = element("rect", width=2, height=4, class_="leaving-line")
    hatch = element(
        "pattern",
        line,
        id="leaving",
        width=4,
        height=4,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return element("defs", hatch)


def _columns(picture: Picture) -> dict[int, list[int]]:
    columns: defaultdict[int, list[int]] = defaultdict(list)
    for i, node in enumerate(picture.nodes):
        columns[node.column].append(i)
    return dict(sorted(columns.items()))


def _places(
    picture: Picture, columns: dict[int, list[int]], pitch: float, scale: float
) -> list[_Place]:
    places: dict[int, _Place] = {}
    for column, nodes in columns.items():
        y = float(TOP)
        for i in nodes:
            height = max(picture.nodes[i].journeys * scale, LEAST)
            places[i] = _Place((column - 1) * pitch, y, height)
            y += height + GAP
    return [places[i] for i in range(len(picture.nodes))]


def _ways(picture: Picture, places: list[_Place], scale: float) -> Iterator[tuple[Markup, Markup]]:
    """For each link its band and the line that lights it, stacked so that few of them cross."""

    def by_height(i: int) -> tuple[int, float, float]:
        link = picture.links[i]
        if isinstance(link.target, int):
            return 0, places[link.origin].y, places[link.target].y
        return 1, places[link.origin].y, _ENDS.index(link.target)

    for i in sorted(range(len(picture.links)), key=by_height):
        link = picture.links[i]
        width = max(link.journeys * scale, 0.6)
        origin = places[link.origin]
        start = origin.right + width / 2
        origin.right += width
        x = origin.x + BAR
        if isinstance(link.target, int):
            target = places[link.target]
            end = target.left + width / 2
            target.left += width
            line = _curve(x, start, target.x, end)
            kind = picture.nodes[link.target].state
            band = element("path", d=line, class_=f"link {kind}", stroke_width=width)
        else:
            line = f"M{number(x)} {number(start)}h{END}"
            band = _end(link, x, start - width / 2, width)
        yield (
            band,
            element(
                "path",
                d=line,
                class_="lit",
                stroke_width=0,
                data_link=str(i),
                data_width=f"{width:.2f}",
            ),
        )


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = number((x1 + x2) / 2)
    return (
        f"M{number(x1)} {number(y1)}C{middle} {number(y1)} {middle} {number(y2)}"
        f" {number(x2)} {number(y2)}"
    )


def _end(link: Link, x: float, y: float, height: float) -> Markup:
    """Journeys that end here: a block with the goal, an arrow going on, hatched leaving."""
    if link.target == "goes-on":
        points = f"{number(x)},{number(y)} {number(x + END)},{number(y + height / 2)}"
        points += f" {number(x)},{number(y + height)}"
        return element("polygon", points=points, class_="end goes-on")
    return element("rect", x=x, y=y, width=END, height=height, class_=f"end {link.target}")


def _node(picture: Picture, i: int, place: _Place, pitch: float) -> Markup:
    node, lights = picture.nodes[i], picture.lights[i]
    sentence = _sentence(picture, i)
    sign = "⚑ " if node.is_goal else _SIGNS.get(node.state, "")
    count = f"{node.journeys:,}" + (f" ↻ {node.repeats:,}" if node.repeats else "")
    x = place.x + BAR + END + 3
    return element(
        "g",
        element(
            "rect",
            x=place.x - 2,
            y=place.y - 2,
            width=pitch - BAR,
            height=max(place.height, GAP) + 4,
            class_="hit",
        ),
        element("rect", x=place.x, y=place.y, width=BAR, height=place.height, class_="bar"),
        element(
            "text", shorten(sign + node_name(node), NAME_CHARS), x=x, y=place.y + 10, class_="name"
        ),
        element("text", count, x=x, y=place.y + 22, class_="count"),
        class_=f"node {node.state}" + (" goal" if node.is_goal else ""),
        tabindex="0",
        role="img",
        aria_label=sentence,
        data_lights=" ".join(f"{link}:{n}" for link, n in lights),
        data_totals=" ".join(str(picture.links[link].journeys) for link, _ in lights),
        data_says=sentence,
    )


def _sentence(picture: Picture, i: int) -> str:
    """What a node says when it is pointed to."""
    node = picture.nodes[i]
    word = {"refused": "refused: ", "failed": "failed: "}.get(node.state, "")
    parts = [
        f"Step {node.column}, {word}{node_name(node)}: {amount(node.journeys, 'journey')}"
        f" ({percent(node.journeys, picture.journeys)})"
    ]
    if node.stay_us is not None:
        parts.append(f"{span(node.stay_us)} until the next step (median)")
    if node.repeats:
        parts.append(f"the same again {amount(node.repeats, 'time')}")
    words = {"goal": "end here with the goal", "leaves": "leave here", "goes-on": "go on from here"}
    parts += [
        f"{link.journeys:,} {words[link.target]}"
        for link in picture.links
        if link.origin == i and isinstance(link.target, str)
    ]
    if node.rest:
        parts.append("among them " + ", ".join(printable(name) for name, _, _ in node.rest[:5]))
    return "; ".join(parts) + "."
