"""Whether ids were asked for in order, as a program does and a person seldom."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

__all__ = ["order_share"]

LARGEST_STEP: Final = 10
"""Neighbouring ids that lie further apart are not a walk."""

FEWEST: Final = 3
"""With fewer differences, equal ones are chance."""

_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


def order_share(ids: Sequence[str]) -> int | None:
    """Percent of neighbouring differences that are the same small step, in order of arrival.

    `None` where there is no order to look at: too few ids, ids without a number, UUIDs.
    """
    numbers = [_number(each) for each in ids]
    known = [number for number in numbers if number is not None]
    steps = [after - before for before, after in pairwise(known)]
    if len(known) != len(numbers) or len(steps) < FEWEST:
        return None
    step, times = Counter(map(abs, steps)).most_common(1)[0]
    return 100 * times // len(steps) if 1 <= step <= LARGEST_STEP else 0


def _number(text: str) -> int | None:
    """The last number in an id or path; `None` if it is a UUID or has none."""
    found = None if _UUID.search(text) else _NUMBER.findall(text)
    return int(found[-1]) if found else None
