"""What the rules should find, counted anew: slow, in plain Python, from the definitions."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Hit:
    """An event that a rule looks at, of one key."""

    ts: int
    seq: int
    item: str
    is_refused: bool = True


@dataclass(frozen=True)
class Found:
    """What a finding must say."""

    grade: int
    first_ts: int
    last_ts: int
    count: int
    events: tuple[int, ...]


def in_window(hits, at, window):
    """The events in (t - w, t], in the order of time, up to one event."""
    return [hit for hit in hits if hit.ts > at.ts - window and (hit.ts, hit.seq) <= (at.ts, at.seq)]


def distinct(hits):
    return len({hit.item for hit in hits})


def episodes(hits, window):
    """The events of one key, cut where it was quiet for one whole window."""
    cut = [[hits[0]]] if hits else []
    for before, after in pairwise(hits):
        if after.ts - before.ts >= window:
            cut.append([])
        cut[-1].append(after)
    return cut


def found(hits, window, grade_of):
    """Findings of one key; `grade_of` says what a window's events bring it to, 0 for nothing."""
    hits = sorted(hits, key=lambda hit: (hit.ts, hit.seq))
    findings = []
    for episode in episodes(hits, window):
        grades = [(grade_of(in_window(hits, hit, window)), hit) for hit in episode]
        fired = [(grade, hit) for grade, hit in grades if grade]
        if not fired:
            continue
        best = max(grade for grade, _ in fired)
        first_hit = fired[0][1]
        best_hit = next(hit for grade, hit in fired if grade == best)
        first_ts = in_window(hits, first_hit, window)[0].ts
        findings.append(
            Found(
                grade=best,
                first_ts=first_ts,
                last_ts=episode[-1].ts,
                count=sum(hit.ts >= first_ts for hit in episode),
                events=tuple(hit.seq for hit in in_window(hits, best_hit, window)),
            )
        )
    return findings
