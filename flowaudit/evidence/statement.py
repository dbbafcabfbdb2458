"""A completeness statement: what a span of time holds, what it lost, and who was there to record.

It counts what the trail's entries say, and what processes that live now hold open. A loss has no
time of its own, since nothing was recorded: it counts if it could have happened in the span,
between the source's last entry before it and the event that tells of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import msgspec

from ..event import Entry
from ..spool.dead import SpoolState
from ..trail.store import ReadableTrail

__all__ = ["Gap", "Source", "Span", "Statement", "make_statement"]


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: from a moment to before another, in µs since 1970 UTC."""

    first: int
    end: int

    def has(self, ts: int) -> bool:
        """Whether a moment is in it."""
        return self.first <= ts < self.end

    def meets(self, first: int, last: int) -> bool:
        """Whether it shares a moment with another span, both of whose ends belong to it."""
        return first < self.end and last >= self.first


@dataclass(frozen=True, slots=True)
class Gap:
    """A loss that the trail tells of."""

    seq: int
    """Where it is told."""
    ts: int
    """When."""
    source: str
    """Whose events or requests were lost."""
    since: int | None
    """The earliest it can have happened; `None` if nothing says so."""
    first: int | None = None
    """Numbers of the lost events, both included."""
    last: int | None = None
    count: int | None = None
    """How many events, or requests where there are no numbers; `None` if nobody can know."""
    why: str | None = None


@dataclass(slots=True)
class Source:
    """A capturing process, an import or a command, and its share in the span."""

    source: str
    whole: bool = True
    """Whether its beginning was looked at; if not, it stands in an archive, or was pruned."""
    state: str = "no stop"
    """`stopped`, `running`, `died` (a gap event tells of its end), `no stop`."""
    started: int | None = None
    stopped: int | None = None
    service: str | None = None
    version: str | None = None
    host: str | None = None
    pid: int | None = None
    events: int = 0
    """Events in the span."""
    requests: int = 0
    """Of these, requests."""
    first_n: int | None = None
    """Lowest and highest number of these events."""
    last_n: int | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    """Requests that rules of the policy left out, to within 10 s at both ends of the span; of a
    source whose beginning was not looked at, only from its first sign of life there on.
    """


@dataclass(frozen=True, slots=True)
class Statement:
    """What a span holds. Times in µs since 1970 UTC."""

    trail: str
    first: int
    end: int
    made: int
    size: int
    """Entries that it speaks of: all up to here."""
    received: int
    """finished + open + lost + left out."""
    finished: int
    """Requests with their event."""
    open: int
    """Requests that living processes were answering when it was made; 0 if that is not in it."""
    lost: int
    """Requests that came in and have no event, because their process died."""
    left_out: int
    """Requests that the policy leaves out."""
    events_lost: int
    """Events that were made and found no room; how many of them requests, nobody knows."""
    unknown_losses: int
    """Losses whose extent nobody can know."""
    unanswered: list[int]
    """`seq` of requests recorded strictly whose outcome is not in the trail."""
    websockets: int
    """Connections that were accepted; they are not requests."""
    waiting: int
    """Events that stand in spools and not yet in the trail."""
    away: int
    """Entries that may be of the span and were not looked at: archived, or pruned."""
    gaps: list[Gap]
    sources: list[Source]
    """Those that recorded requests or were processes of an app in the span."""
    others: int
    """Further sources: commands, imports without requests in the span."""

    def as_json(self) -> dict[str, Any]:
        """A map of texts, whole numbers, lists and maps; what is not known is left out."""
        kept: dict[str, Any] = _without_nothing(asdict(self))
        return kept


class _Facts(msgspec.Struct):
    source: str | None = None
    first: int | None = None
    last: int | None = None
    count: int | None = None
    why: str | None = None
    service: str | None = None
    version: str | None = None
    host: str | None = None
    pid: int | None = None
    left_out: dict[str, int] | None = None


_NOTHING: Final = msgspec.Raw(b"")


class _Glance(msgspec.Struct):
    source: str
    n: int
    ts: int
    kind: str
    action: str | None = None
    of: int | None = None
    facts: msgspec.Raw = _NOTHING


_GLANCE: Final = msgspec.json.Decoder(_Glance)
_FACTS: Final = msgspec.json.Decoder(_Facts)


class _Seen:
    """One source over the whole trail."""

    __slots__ = ("intents", "is_process", "last_ts", "left_before", "left_out", "share")

    def __init__(self, source: str, *, is_whole: bool) -> None:
        self.share = Source(source, is_whole)
        self.is_process = False
        self.last_ts = 0
        self.intents: dict[int, int] = {}
        """Requests of the span recorded strictly that have no event yet: number and `seq`."""
        self.left_before: dict[str, int] | None = {} if is_whole else None
        """What it had left out before the span; `None` while nothing says so."""
        self.left_out: dict[str, int] = {}


def make_statement(
    reader: ReadableTrail,
    span: Span,
    *,
    made: int,
    spools: Mapping[str, SpoolState] | None = None,
    size: int | None = None,
) -> Statement:
    """What a trail says of a span.

    Args:
        reader: the trail.
        span: which time is meant.
        made: now, in µs since 1970 UTC.
        spools: those beside the trail, by source.
        size: how many entries are looked at; all if not given.
    """
    count = _Count(span, is_whole=not reader.away.ranges)
    end = reader.size if size is None else size
    for entry in reader.entries(0, end - 1):
        count.take(entry)
    away = sum(each.count for each in reader.away.ranges if span.meets(each.first_ts, each.last_ts))
    return count.statement(reader.origin, end, made, away, spools or {})


class _Count:
    """What every source did, entry by entry."""

    def __init__(self, span: Span, *, is_whole: bool) -> None:
        self._span = span
        self._is_whole = is_whole
        self._sources: dict[str, _Seen] = {}
        self._gaps: list[Gap] = []
        self._websockets = 0

    def take(self, entry: Entry) -> None:
        """Count an entry; they come in order."""
        try:
            seen = _GLANCE.decode(entry.core)
            has_facts = seen.kind in ("gap", "process") and bytes(seen.facts)
            facts = _FACTS.decode(seen.facts) if has_facts else _Facts()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return  # damaged: verification tells of it
        known = self._sources.get(seen.source)
        if known is None:
            is_whole = self._is_whole or seen.n == 1
            known = self._sources[seen.source] = _Seen(seen.source, is_whole=is_whole)
        if seen.kind == "gap":
            self._lose(entry.seq, seen, facts)
        elif seen.kind == "process":
            self._live(known, seen, facts)
        elif seen.kind == "request":
            self._answer(known, seen, entry.seq)
        known.last_ts = max(known.last_ts, seen.ts)
        if self._span.has(seen.ts):
            self._websockets += seen.kind == "websocket" and seen.action == "accept"
            _add(known.share, seen)

    def _lose(self, seq: int, seen: _Glance, facts: _Facts) -> None:
        source = facts.source or seen.source
        known, since = self._sources.get(source), None
        if known is not None:
            since = known.last_ts if facts.first else known.share.started
            if not facts.first:
                known.share.state = "died"
        gap = Gap(seq, seen.ts, source, since, facts.first, facts.last, facts.count, facts.why)
        if self._span.meets(since or 0, seen.ts):
            self._gaps.append(gap)

    def _live(self, known: _Seen, seen: _Glance, facts: _Facts) -> None:
        share = known.share
        if seen.action == "start":
            share.started = seen.ts
            share.service, share.version = facts.service, facts.version
            share.host, share.pid = facts.host, facts.pid
        elif seen.action == "stop":
            share.stopped, share.state = seen.ts, "stopped"
        if seen.action not in ("start", "heartbeat", "stop"):
            return
        known.is_process, so_far = True, facts.left_out or {}
        if seen.ts < self._span.first or known.left_before is None:
            known.left_before = so_far
        if self._span.has(seen.ts):
            known.left_out = so_far

    def _answer(self, known: _Seen, seen: _Glance, seq: int) -> None:
        if seen.action == "received":
            if self._span.has(seen.ts):
                known.intents[seen.n] = seq
        elif seen.action is None and seen.of is not None:
            known.intents.pop(seen.of, None)

    def _is_part(self, known: _Seen) -> bool:
        """Whether a source was an app's process in the span, or recorded requests in it."""
        share = known.share
        if not known.is_process or share.requests:
            return share.requests > 0
        is_over = share.state in ("stopped", "died")
        began = share.started or 0  # without its beginning: it may have been there all the time
        return self._span.meets(began, known.last_ts if is_over else self._span.end)

    def _share(self, known: _Seen, spool: SpoolState | None) -> Source:
        share, before = known.share, known.left_before or {}
        share.left_out = {
            rule: number - before.get(rule, 0)
            for rule, number in known.left_out.items()
            if number > before.get(rule, 0)
        }
        if spool is not None and spool.is_living:
            share.state = "running"
        return share

    def statement(
        self, trail: str, size: int, made: int, away: int, spools: Mapping[str, SpoolState]
    ) -> Statement:
        """All of it."""
        seen = self._sources.values()
        parts = [known for known in seen if self._is_part(known)]
        sources = [self._share(known, spools.get(known.share.source)) for known in parts]
        is_now = self._span.has(made)
        open_now = sum(s.open for s in spools.values() if s.is_living) if is_now else 0
        finished = sum(share.requests for share in sources)
        lost = sum(gap.count or 0 for gap in self._gaps if gap.first is None)
        left_out = sum(sum(share.left_out.values()) for share in sources)
        return Statement(
            trail=trail,
            first=self._span.first,
            end=self._span.end,
            made=made,
            size=size,
            received=finished + open_now + lost + left_out,
            finished=finished,
            open=open_now,
            lost=lost,
            left_out=left_out,
            events_lost=sum(g.last - g.first + 1 for g in self._gaps if g.first and g.last),
            unknown_losses=sum(g.first is None and g.count is None for g in self._gaps),
            unanswered=sorted(seq for known in seen for seq in known.intents.values()),
            websockets=self._websockets,
            waiting=sum(spool.waiting for spool in spools.values()),
            away=away,
            gaps=self._gaps,
            sources=sorted(sources, key=lambda share: (share.started or 0, share.source)),
            others=sum(known.share.events > 0 for known in seen)
            - sum(share.events > 0 for share in sources),
        )


def _add(share: Source, seen: _Glance) -> None:
    """An event of the span."""
    share.events += 1
    share.requests += seen.kind == "request" and seen.action is None
    share.first_n = seen.n if share.first_n is None else min(share.first_n, seen.n)
    share.last_n = seen.n if share.last_n is None else max(share.last_n, seen.n)


def _without_nothing(value: Any) -> Any:
    """The same without what is `None`."""
    if isinstance(value, dict):
        return {name: _without_nothing(v) for name, v in value.items() if v is not None}
    return [_without_nothing(v) for v in value] if isinstance(value, list) else value
