"""From the rows of a rule to its findings.

A rule's query gives one row for each event and arm, with these columns:

- `arm`: one of the arms in its header.
- `key_names`, `key_a`, `key_b`: names of the parts of the key, separated by a comma, and their
  values; `key_b` is empty where there is one part.
- `scope`: what evidence must share beside key and arm, such as a route; else empty.
- `ts`, `seq`, `item` (what is counted as different: a path, an id), `detail`.
- `part`: `hit` keeps a finding open, `context` is evidence but does not, `result` only tells
  whether anything succeeded.
- `severity`, `shared_severity`: what the event brings its arm to, from 1 (info) to 5 (critical), 0
  if it does not fire; with the thresholds as they are, and doubled for a shared source.
- `from_source`: the source, if the arm is keyed by one; else NULL.
- `is_ok`: whether it was allowed.

Rows of one key become episodes, each of which ends when the key was quiet for one whole window; an
episode in which something fired is a finding. All of that is portable SQL; sentences are made here.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..journeys.engine import Engine
from .catalogue import read_query
from .finding import EVENTS_CAP, SEVERITIES, Finding
from .ordered import order_share
from .rule import Arm, Rule
from .wording import Number, examples, fill, name, span

__all__ = ["find"]

DAY_US: Final = 86_400_000_000
"""How long an account that was let in from a source is counted to its users."""

LATE_US: Final = 120_000_000
"""An event that comes so long after later ones is late: 120 s."""

SHARED_ACTORS: Final = 5
"""A source with so many different accounts in a day is shared: an office, a school, a carrier."""

ORDERED_PERCENT: Final = 60
"""So many equal small steps between neighbouring ids are a walk."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of `finding.sql`, whose columns these are."""

    fire_no: int
    arm: str
    key_names: str
    key_a: str
    key_b: str
    scope: str
    grade: int
    is_shared: bool
    detail: str
    first_ts: int
    last_ts: int
    events: int
    is_late: bool
    items: int
    is_allowed: bool
    evidence_total: int


@dataclass(frozen=True, slots=True)
class _Evidence:
    """One row of `evidence_shown.sql`."""

    fire_no: int
    ts: int
    seq: int
    item: str | None
    detail: str


def find(
    engine: Engine, rule: Rule, parameters: Mapping[str, int], names: Mapping[str, str]
) -> list[Finding]:
    """The findings in the table `hit`, which the rule's query made.

    `names` are put into sentences in the place of tokens.
    """
    if not engine.rows("SELECT 1 FROM hit WHERE severity > 0 LIMIT 1"):
        return []
    engine.view("arm", [_arm_row(rule, arm, parameters) for arm in rule.arms])
    limits = {"day_us": DAY_US, "actors": SHARED_ACTORS}
    engine.keep("shared_source", read_query("shared_source"), limits)
    engine.keep_once("late_event", read_query("late_event"), {"late_us": LATE_US})
    for table in ("graded", "moment", "fire", "evidence"):
        engine.keep(table, read_query(table))
    shown = _shown(engine)
    return [
        _finding(rule, parameters, row, shown[row.fire_no], names)
        for row in (_Row(*cells) for cells in engine.rows(read_query("finding")))
    ]


def _arm_row(rule: Rule, arm: str, parameters: Mapping[str, int]) -> dict[str, object]:
    of = rule.arms[arm]
    siblings = [each for each in rule.arms.values() if each.finding == of.finding]
    return {
        "arm": arm,
        "finding": of.finding,
        "window_us": parameters[of.window] * 1_000_000,
        "quiet_us": max(parameters[each.window] for each in siblings) * 1_000_000,
    }


def _shown(engine: Engine) -> Mapping[int, list[_Evidence]]:
    shown: dict[int, list[_Evidence]] = defaultdict(list)
    for cells in engine.rows(read_query("evidence_shown"), {"cap": EVENTS_CAP}):
        evidence = _Evidence(*cells)
        shown[evidence.fire_no].append(evidence)
    return shown


def _finding(
    rule: Rule,
    parameters: Mapping[str, int],
    row: _Row,
    shown: Sequence[_Evidence],
    names: Mapping[str, str],
) -> Finding:
    arm = rule.arms[row.arm]
    key = dict(zip(row.key_names.split(","), (row.key_a, row.key_b), strict=False))
    return Finding(
        id=rule.id,
        severity=SEVERITIES[row.grade - 1],
        key=key,
        first_ts=row.first_ts,
        last_ts=row.last_ts,
        count=row.events,
        thresholds=_thresholds(arm, parameters, row.is_shared),
        events=tuple(evidence.seq for evidence in shown),
        events_total=row.evidence_total,
        version=rule.version,
        title=fill(arm.sentence, _words(rule, row, key, shown, names)),
        succeeded=row.is_allowed,
        late=row.is_late,
        notes=tuple(_notes(arm, row, shown)),
    )


def _thresholds(arm: Arm, parameters: Mapping[str, int], is_shared: bool) -> dict[str, int | bool]:
    is_doubled = is_shared and bool(arm.doubled)
    values: dict[str, int | bool] = {
        each: parameters[each] * (2 if is_doubled and each in arm.doubled else 1)
        for each in arm.thresholds
    }
    return values | ({"shared_source": True} if is_doubled else {})


def _words(
    rule: Rule,
    row: _Row,
    key: Mapping[str, str],
    shown: Sequence[_Evidence],
    names: Mapping[str, str],
) -> dict[str, object]:
    """What the sentences of rules may name."""
    return {
        **{part: names.get(value) or name(value) for part, value in key.items()},
        "key": names.get(row.key_a) or name(row.key_a),
        "count": Number(row.events),
        "items": Number(row.items),
        "examples": examples([e.item for e in shown if e.item]),
        "scope": row.scope,
        "detail": row.detail,
        "span": span(row.last_ts - row.first_ts),
        "within": f" in {span(row.last_ts - row.first_ts)}" if row.events > 1 else "",
        "pause": span(shown[-1].ts - shown[0].ts),
        "success": rule.if_allowed if row.is_allowed else rule.if_refused,
    }


def _notes(arm: Arm, row: _Row, shown: Sequence[_Evidence]) -> Iterator[str]:
    if row.detail in arm.notes:
        yield arm.notes[row.detail]
    if row.is_shared and arm.doubled:
        yield (
            f"Shared source: {SHARED_ACTORS} or more accounts were let in from it within a day,"
            " so the threshold is doubled."
        )
    if arm.is_walk:
        yield from _walk_notes(shown)
    if row.is_late:
        yield "Late: events of it came into the trail more than 120 s after later ones."
    if row.evidence_total > len(shown):
        yield f"{len(shown)} of {row.evidence_total:,} events that made it fire are listed."


def _walk_notes(shown: Sequence[_Evidence]) -> Iterator[str]:
    """What makes a walk over ids look more like a program's."""
    ids = list(dict.fromkeys(evidence.item for evidence in shown if evidence.item))
    share = order_share(ids)
    if share is not None and share >= ORDERED_PERCENT:
        yield f"Asked for in order: {share} % of the steps from id to id are the same."
    missing = len({e.item for e in shown if e.detail == "missing"})
    if missing:
        yield f"{missing} of {len(ids)} ids do not exist."
