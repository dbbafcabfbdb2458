"""The flow picture: columns, folds, rests, ends; nobody gets lost between two columns."""

from collections import Counter

import pytest

from flowaudit.journeys.engine import Engine
from flowaudit.report.picture import COLUMNS, NODES, Picture, picture_of

START, MINUTE = 1_772_409_600_000_000, 60_000_000


def draw(events: list[dict[str, object]], goal: str | None = None) -> Picture:
    with Engine.from_events(events) as engine:
        return picture_of(engine, goal=goal)


def names(picture: Picture, column: int) -> list[tuple[str, str, int]]:
    return [(n.label, n.state, n.journeys) for n in picture.nodes if n.column == column]


def test_a_loop_runs_on_to_the_right(walk) -> None:
    picture = draw(walk("a", "/", "/b", "/", "/b"))
    assert [names(picture, c) for c in range(1, 5)] == [
        [("/", "ok", 1)],
        [("/b", "ok", 1)],
        [("/", "ok", 1)],
        [("/b", "ok", 1)],
    ]


def test_the_same_page_again_is_folded_into_one_with_a_count(walk) -> None:
    picture = draw([*walk("a", "/", "/", "/", "/b"), *walk("b", "/", "/b")])
    [home] = [node for node in picture.nodes if node.column == 1]
    assert (home.label, home.journeys, home.repeats) == ("/", 2, 2)
    assert names(picture, 2) == [("/b", "ok", 2)]


def test_refused_and_failed_steps_stand_apart_from_the_page(walk) -> None:
    picture = draw([*walk("a", "/", "/x"), *walk("b", "/", "!/x"), *walk("c", "/", "x/x")])
    assert sorted(names(picture, 2)) == [("/x", "failed", 1), ("/x", "ok", 1), ("/x", "refused", 1)]


def test_rare_steps_stand_in_one_node(walk) -> None:
    events = [event for i in range(12) for event in walk(f"192.0.2.{i}", "/", f"/p{i:02}")]
    picture = draw(events)
    column = [node for node in picture.nodes if node.column == 2]
    assert len(column) == NODES
    assert column[-1].state == "rest"
    assert column[-1].rest_size == 12 - (NODES - 1)
    assert sum(node.journeys for node in column) == 12


def test_as_many_nodes_as_there_is_room_for_need_no_rest(walk) -> None:
    events = [event for i in range(NODES) for event in walk(f"192.0.2.{i}", f"/p{i}")]
    assert {node.state for node in draw(events).nodes} == {"ok"}


def test_an_end_with_the_goal_is_told_from_one_without(walk) -> None:
    picture = draw(
        [*walk("a", "/", "/done", "/"), *walk("b", "/"), *walk("c", "/", "!/done")], goal="/done"
    )
    ends = Counter({link.target: 0 for link in picture.links if isinstance(link.target, str)})
    for link in picture.links:
        if isinstance(link.target, str):
            ends[link.target] += link.journeys
    assert ends == {"goal": 1, "leaves": 2}
    assert picture.reached_goal == 1
    assert [n.state for n in picture.nodes if n.is_goal] == ["ok"]


def test_journeys_longer_than_the_picture_go_on(walk) -> None:
    picture = draw(walk("a", *(f"/{i}" for i in range(COLUMNS + 3))))
    assert max(node.column for node in picture.nodes) == COLUMNS
    assert [link.target for link in picture.links if isinstance(link.target, str)] == ["goes-on"]


@pytest.mark.parametrize("goal", [None, "/b"])
def test_what_comes_to_a_node_leaves_it(walk, goal: str | None) -> None:
    routes = ("/", "/a", "/b", "!/c")
    events = [
        event
        for i in range(40)
        for event in walk(f"10.0.0.{i}", *(routes[i * k % 4] for k in range(1, 9)))
    ]
    picture = draw(events, goal)
    for place, node in enumerate(picture.nodes):
        came = sum(link.journeys for link in picture.links if link.target == place)
        went = sum(link.journeys for link in picture.links if link.origin == place)
        assert went == node.journeys
        assert node.column == 1 or came == node.journeys
        own = [(i, link.journeys) for i, link in enumerate(picture.links) if link.origin == place]
        assert {*own} <= {*picture.lights[place]}


def test_nothing_to_draw_is_an_empty_picture() -> None:
    assert draw([]) == Picture()


def test_what_a_script_asks_for_is_a_step_only_when_refused(walk) -> None:
    answered = draw([*walk("a", "/"), *walk("a", "/api", nav="api", at=START + MINUTE)])
    refused = draw([*walk("a", "/"), *walk("a", "!/api", nav="api", at=START + MINUTE)])
    assert [(node.label, node.state) for node in answered.nodes] == [("/", "ok")]
    assert [(node.label, node.state) for node in refused.nodes] == [
        ("/", "ok"),
        ("/api", "refused"),
    ]
