"""The flow picture as SVG: columns of steps, bands of journeys between them."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from markupsafe import Markup

from .svg import element, number
from .values import Column, FlowPicture, Link, Node
from .wording import count, duration, percent, plain, shorten

__all__ = ["draw_flow", "node_sentence"]

WIDTH: Final = 1080
HEIGHT: Final = 460
NODE_WIDTH: Final = 12
GAP: Final = 22
"""Between nodes of a column: room for a name under a thin node."""
TOP: Final = 24
END_WIDTH: Final = 16
NAME_CHARS: Final = 21
LEAST: Final = 2.0

_WORDS: Final = {"denied": "refused: ", "error": "failed: "}
_SIGNS: Final = {"denied": "✕ ", "error": "! "}


def draw_flow(picture: FlowPicture) -> Markup:
    """The picture. Nodes can be pointed and tabbed to; the page's script lights their ways."""
    places = _places(picture.columns)
    bands = [_band(picture.links[i], i, way) for i, way in enumerate(_ways(picture, places))]
    nodes = [_node(node, places, picture) for column in picture.columns for node in column.nodes]
    pitch = _pitch(len(picture.columns))
    heads = [
        element("text", f"step {i + 1}", x=i * pitch, y=12, class_="head")
        for i in range(len(picture.columns))
    ]
    return element(
        "svg",
        *heads,
        element("g", *bands, class_="bands"),
        element("g", *nodes),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="flow",
        id="flow",
        role="group",
        aria_label="Flow of journeys, step by step; the table below says the same",
    )


def node_sentence(node: Node, whole: int) -> str:
    """What a node says when it is pointed to."""
    parts = [
        f"{_WORDS.get(node.outcome, '')}{plain(node.name)}: {count(node.journeys, 'journey')}"
        f" ({percent(node.journeys, whole)})"
    ]
    if node.median_us is not None:
        parts.append(f"{duration(node.median_us)} until the next step (median)")
    if node.repeats:
        parts.append(f"{node.repeats:,} times the same again")
    if node.reaches:
        parts.append(f"{node.reaches:,} end here with the goal")
    if node.leaves:
        parts.append(f"{node.leaves:,} leave here")
    if node.goes_on:
        parts.append(f"{node.goes_on:,} go on beyond the picture")
    return "; ".join(parts)


class _Place:
    """Where a node stands, and how far its sides are taken."""

    def __init__(self, x: float, y: float, height: float, scale: float) -> None:
        self.x, self.y, self.height, self.scale = x, y, height, scale
        self.taken_in = 0.0
        self.taken_out = 0.0


def _places(columns: tuple[Column, ...]) -> dict[int, _Place]:
    most = max((sum(n.journeys for n in c.nodes) for c in columns), default=0) or 1
    rows = max((len(c.nodes) for c in columns), default=1)
    scale = (HEIGHT - TOP - GAP * rows) / most
    places = {}
    for i, column in enumerate(columns):
        y = float(TOP)
        for node in column.nodes:
            height = max(node.journeys * scale, LEAST)
            places[node.number] = _Place(i * _pitch(len(columns)), y, height, scale)
            y += height + GAP
    return places


def _pitch(columns: int) -> float:
    return WIDTH / max(columns, 4)


def _ways(picture: FlowPicture, places: dict[int, _Place]) -> Iterable[tuple[float, ...]]:
    """For each link its ends and width, stacked in the order of the nodes they lead to."""
    found: dict[int, tuple[float, ...]] = {}
    by_source: defaultdict[int, list[int]] = defaultdict(list)
    by_target: defaultdict[int, list[int]] = defaultdict(list)
    for i, link in enumerate(picture.links):
        by_source[link.source].append(i)
        by_target[link.target].append(i)
    starts: dict[int, float] = {}
    for source, indices in by_source.items():
        for i in sorted(indices, key=lambda i: places[picture.links[i].target].y):
            starts[i] = places[source].y + places[source].taken_out
            places[source].taken_out += picture.links[i].journeys * places[source].scale
    for target, indices in by_target.items():
        place = places[target]
        for i in sorted(indices, key=lambda i: places[picture.links[i].source].y):
            width = picture.links[i].journeys * place.scale
            x = places[picture.links[i].source].x + NODE_WIDTH
            found[i] = (
                x,
                starts[i] + width / 2,
                place.x,
                place.y + place.taken_in + width / 2,
                width,
            )
            place.taken_in += width
    return (found[i] for i in range(len(picture.links)))


def _band(link: Link, index: int, way: tuple[float, ...]) -> Markup:
    x1, y1, x2, y2, width = way
    half = (x1 + x2) / 2
    line = (
        f"M{number(x1)} {number(y1)}C{number(half)} {number(y1)} {number(half)} {number(y2)}"
        f" {number(x2)} {number(y2)}"
    )
    lit = element("path", d=line, class_="lit", stroke_width=0, id=f"lit-{index}")
    return element(
        "g",
        element("path", d=line, class_="band", stroke_width=max(width, 0.6)),
        lit,
        data_width=f"{max(width, 0.6):.2f}",
        data_n=str(link.journeys),
    )


def _node(node: Node, places: dict[int, _Place], picture: FlowPicture) -> Markup:
    place = places[node.number]
    sentence = node_sentence(node, picture.journeys)
    name = _SIGNS.get(node.outcome, "") + ("★ " if node.is_goal else "") + plain(node.name)
    through = " ".join(f"{i}:{n}" for i, n in picture.through.get(node.number, {}).items())
    return element(
        "g",
        element("title", sentence),
        element("rect", x=place.x, y=place.y, width=NODE_WIDTH, height=place.height, rx=2),
        *_ends(node, place),
        element("text", shorten(name, NAME_CHARS), x=place.x + NODE_WIDTH + 5, y=place.y + 10),
        element(
            "text",
            f"{node.journeys:,}" + (f" ↻{node.repeats:,}" if node.repeats else ""),
            x=place.x + NODE_WIDTH + 5,
            y=place.y + 22,
            class_="n",
        ),
        class_=f"node {node.outcome}" + (" goal" if node.is_goal else ""),
        tabindex="0",
        role="img",
        aria_label=sentence,
        data_through=through,
        data_says=sentence,
    )


def _ends(node: Node, place: _Place) -> Iterable[Markup]:
    """Where journeys end: a block if they have the goal, a fading wedge if they leave."""
    x, y = place.x + NODE_WIDTH, place.y + place.taken_out
    if node.reaches:
        height = max(node.reaches * place.scale, LEAST)
        yield element("rect", x=x, y=y, width=END_WIDTH / 2, height=height, class_="reached")
        y += height
    if node.leaves:
        height = max(node.leaves * place.scale, LEAST)
        points = f"{number(x)},{number(y)} {number(x + END_WIDTH)},{number(y + height / 2)}"
        points += f" {number(x)},{number(y + height)}"
        yield element("polygon", points=points, class_="left")
