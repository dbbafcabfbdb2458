"""The flow picture as values: which steps stand in which column, and how journeys pass them.

Columns are step 1, 2, 3 … of a journey, so that loops cannot arise. Each has at most `NODES` nodes;
the rarer steps of a column stand in one node of their own.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..journeys.engine import Engine, read_sql
from ..journeys.tables import By, make_journeys

__all__ = ["COLUMNS", "NODES", "REST_SHOWN", "End", "Link", "Node", "Picture", "picture_of"]

COLUMNS: Final = 7
"""Steps of a journey that are drawn: more do not fit beside each other."""

NODES: Final = 8
"""Nodes of a column, the one for the rest among them."""

REST_SHOWN: Final = 20
"""Steps of a rest that are listed with their names."""

State = Literal["ok", "refused", "failed", "rest"]
End = Literal["goal", "leaves", "goes-on"]


@dataclass(frozen=True, slots=True)
class Node:
    """A step in a column."""

    column: int
    """From 1."""
    label: str
    """Empty for what has no route; see `rest` for the node of the rarer steps."""
    state: State
    journeys: int
    repeats: int
    """How often it was the same step again, folded into this one."""
    stay_us: int | None
    """Median time until the journey's next step; `None` if none has one."""
    is_goal: bool = False
    rest: tuple[tuple[str, State, int], ...] = ()
    """The first of the rarer steps: label, state, journeys."""
    rest_size: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """Journeys that go from one node to another, or end behind it."""

    origin: int
    """Place in `Picture.nodes`."""
    target: int | End
    journeys: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes by column and rank, links, and for each node what its journeys do elsewhere."""

    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    lights: tuple[tuple[tuple[int, int], ...], ...] = ()
    """For each node: (place in `links`, how many of the node's journeys take it)."""
    journeys: int = 0
    """Journeys drawn: those that have something to show."""
    reached_goal: int = 0


def picture_of(engine: Engine, *, goal: str | None = None, by: By = "route") -> Picture:
    """Draw up the flow picture of an engine's events.

    Args:
        engine: where the events are.
        goal: the step that people come for; an end after it is told from one before it.
        by: what a step is called by.
    """
    make_journeys(engine)
    engine.keep_once("picture_step", _sql("picture_step"), {"by": by})
    engine.keep_once("picture_node", _sql("picture_node"), {"columns": COLUMNS})
    nodes, places = _nodes(engine, goal)
    parameters = {"columns": COLUMNS, "nodes": NODES, "goal": goal or ""}
    ways = engine.rows(_sql("picture_way"), parameters)
    return _with_links(nodes, places, ways)


def _sql(name: str) -> str:
    return read_sql(__package__, f"{name}.sql")


_Places = dict[tuple[int, int], int]
"""Column and rank (0: the rest) to the place in the list of nodes."""


def _nodes(engine: Engine, goal: str | None) -> tuple[list[Node], _Places]:
    nodes: list[Node] = []
    places: _Places = {}
    rows = engine.rows(
        "SELECT place, label, state, n, times, stay_us, rank, in_column FROM picture_node"
        " ORDER BY place, rank"
    )
    rests: dict[int, list[tuple[str, State, int, int]]] = {}
    for place, label, state, n, times, stay_us, rank, in_column in rows:
        if in_column > NODES and rank >= NODES:
            rests.setdefault(place, []).append((label, state, n, times))
            continue
        places[place, rank] = len(nodes)
        is_goal = label == goal and state == "ok"
        nodes.append(Node(place, label, state, n, times - n, stay_us, is_goal))
    for place, rest in rests.items():
        places[place, 0] = len(nodes)
        nodes.append(_rest(place, rest))
    return nodes, places


def _rest(column: int, rest: Sequence[tuple[str, State, int, int]]) -> Node:
    journeys = sum(n for _, _, n, _ in rest)
    return Node(
        column,
        "",
        "rest",
        journeys,
        sum(times for *_, times in rest) - journeys,
        None,
        rest=tuple((label, state, n) for label, state, n, _ in rest[:REST_SHOWN]),
        rest_size=len(rest),
    )


def _with_links(nodes: list[Node], places: _Places, ways: Sequence[Sequence[int]]) -> Picture:
    counts: Counter[tuple[int, int | End]] = Counter()
    shares: list[Counter[tuple[int, int | End]]] = [Counter() for _ in nodes]
    reached = 0
    for *ranks, goes_on, has_goal, n in ways:
        passed = [places[column, rank] for column, rank in enumerate(ranks, 1) if rank is not None]
        end: End = "goes-on" if goes_on else "goal" if has_goal else "leaves"
        taken = list(zip(passed, [*passed[1:], end], strict=True))
        reached += n if has_goal else 0
        for link in taken:
            counts[link] += n
        for node in passed:
            for link in taken:
                shares[node][link] += n
    order = {link: place for place, link in enumerate(counts)}
    return Picture(
        nodes=tuple(nodes),
        links=tuple(Link(origin, target, n) for (origin, target), n in counts.items()),
        lights=tuple(
            tuple(sorted((order[link], n) for link, n in share.items())) for share in shares
        ),
        journeys=sum(way[-1] for way in ways),
        reached_goal=reached,
    )
