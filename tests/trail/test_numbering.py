"""Numbers of sources: repetitions, holes, gaps that do and do not explain them; in flat time."""

import random
import time
from collections.abc import Iterable

import pytest

from flowaudit.verification.numbering import Numbering

Gap = tuple[int, int]


def told(numbers: Iterable[int], gaps: Iterable[Gap] = (), last: int | None = 10) -> set[str]:
    """What is said of one source, without its name."""
    numbering = Numbering()
    said = {numbering.see("s", n, seq) for seq, n in enumerate(numbers)}
    for first, end in gaps:
        numbering.explain("s", first, end, 99)
    said |= {problem.what for problem in numbering.problems({"s": last}, 50)}
    return {text.removeprefix("source s").lstrip(": ") for text in said if text is not None}


@pytest.mark.parametrize(
    ("numbers", "gaps", "last", "says"),
    [
        ([*range(1, 11)], [], 10, set()),
        ([1, 2, 3, 6, 5, 4, *range(7, 11)], [], 10, set()),
        ([1, 2, *range(6, 11)], [(3, 5)], 10, set()),
        ([1, 2, *range(6, 11)], [(5, 5), (3, 4), (3, 5)], 10, set()),
        ([*range(1, 8)], [(8, 10)], 10, set()),
        ([], [(1, 10)], 10, set()),
        ([1, 2, *range(6, 11)], [(3, 4)], 10, {"the numbers 5 to 5 are missing, no gap event"}),
        ([1, 2, *range(6, 11)], [], 10, {"the numbers 3 to 5 are missing, no gap event"}),
        ([1, 2, 2, *range(3, 11)], [], 10, {"repeats number 2"}),
        ([1, 4, 2, 2, 3, *range(5, 11)], [], 10, {"repeats number 2"}),
        ([0, *range(1, 11)], [], 10, {"cannot have number 0"}),
        ([*range(1, 9)], [], 10, {"the events 9 to 10 were committed and are gone"}),
        ([*range(1, 11)], [], 12, {"the events 11 to 12 were committed and are gone"}),
        ([*range(1, 11)], [], 9, {"its last number was changed to 9, below 10"}),
        ([*range(1, 11)], [], None, {"its last number was changed"}),
        ([*range(1, 11)], [(4, 5)], 10, {"a gap tells 4 to 5 as lost, and they are here"}),
        ([*range(1, 11)], [(9, 12)], 12, {"a gap tells 9 to 10 as lost, and they are here"}),
        (
            [1, 2, *range(6, 11)],
            [(2, 6)],
            10,
            {
                "a gap tells 2 to 2 as lost, and they are here",
                "a gap tells 6 to 6 as lost, and they are here",
            },
        ),
    ],
)
def test_what_is_said(
    numbers: list[int], gaps: list[Gap], last: int | None, says: set[str]
) -> None:
    assert told(numbers, gaps, last) == says


def test_runs_say_what_single_numbers_say() -> None:
    rng = random.Random(3)
    for _ in range(300):
        runs = [(first, first + rng.randrange(4)) for first in rng.choices(range(1, 30), k=6)]
        gaps = [(first, first + rng.randrange(3)) for first in rng.choices(range(1, 30), k=3)]
        whole, single = Numbering(), Numbering()
        at, said = 0, [[], []]
        for first, last in runs:
            said[0].append(whole.see_run("s", first, last, at) is None)
            alone = [single.see("s", n, at + n - first) for n in range(first, last + 1)]
            said[1].append(alone == [None] * len(alone))
            at += last - first + 1
        if not all(said[1]):
            assert said[0] != [True] * len(runs)
            continue
        for one in (whole, single):
            for first, last in gaps:
                one.explain("s", first, last)
        assert list(whole.problems({"s": 40}, 50)) == list(single.problems({"s": 40}, 50))


@pytest.mark.parametrize("shape", ["told", "untold", "filled backwards"])
def test_its_time_is_flat_with_many_holes(shape: str) -> None:
    """A hundred thousand of them; quadratic it took minutes."""
    count, numbering = 100_000, Numbering()
    start = time.process_time()
    for i in range(count):
        numbering.see("s", 2 * i + 1, i)
    if shape == "filled backwards":
        for i in reversed(range(1, count)):
            assert numbering.see("s", 2 * i, i) is None
    elif shape == "told":
        for i in range(1, count):
            numbering.explain("s", 2 * i, 2 * i)
    found = sum(1 for _ in numbering.problems({"s": 2 * count - 1}, count))
    assert found == (count - 1 if shape == "untold" else 0)
    assert time.process_time() - start < 5


def test_more_holes_than_are_remembered_are_never_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowaudit.verification.numbering.MAX_HOLES", 5)
    numbers = [2 * i + 1 for i in range(10)]
    gaps = [(2 * i, 2 * i) for i in range(1, 10)]
    assert told(numbers, gaps, 19) == {"has more holes than can be told apart"}
