"""Counts over time in buckets that suit the span: at most some 180, from an hour to a month."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..journeys.engine import Engine, read_sql
from ..journeys.flows import Count

__all__ = ["Series", "client_series", "denied_series", "journey_series"]

HOUR_US: Final = 3_600_000_000
BUCKETS_US: Final = tuple(HOUR_US * n for n in (1, 3, 6, 12, 24, 7 * 24, 30 * 24))
MOST_BUCKETS: Final = 180
"""Bars beside each other that a page has room for."""

SOURCES: Final = 8
"""Clients shown over time."""


@dataclass(frozen=True, slots=True)
class Series:
    """Counts in buckets of one width, from `start` on; empty buckets are there too."""

    start: int = 0
    bucket_us: int = HOUR_US
    counts: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts)

    @property
    def unit(self) -> str:
        """What a bucket is called."""
        hours = self.bucket_us // HOUR_US
        if hours < 24:
            return "hour" if hours == 1 else f"{hours} hours"
        return "day" if hours == 24 else f"{hours // 24} days"

    def at(self, place: int) -> int:
        """When a bucket begins, µs UTC."""
        return self.start + place * self.bucket_us


def journey_series(engine: Engine, first_ts: int | None, last_ts: int | None) -> Series:
    """Journeys by the time of their first event."""
    return _series(engine, "journey_starts", first_ts, last_ts)


def denied_series(engine: Engine, first_ts: int | None, last_ts: int | None) -> Series:
    """Refusals by time; `journeys.denied` must have run."""
    return _series(engine, "denied_times", first_ts, last_ts)


def client_series(
    engine: Engine, clients: Sequence[Count], first_ts: int | None, last_ts: int | None
) -> tuple[tuple[str, Series], ...]:
    """Refusals by time for each of the clients with most of them."""
    named = [client for client, _ in clients if client is not None][:SOURCES]
    if not named or first_ts is None or last_ts is None:
        return ()
    bucket_us = _bucket(first_ts, last_ts)
    engine.view("source", named)
    rows = engine.rows(read_sql(__package__, "denied_sources.sql"), {"bucket_us": bucket_us})
    by_client: dict[str, list[tuple[int, int]]] = {name: [] for name in named}
    for client, bucket, n in rows:
        by_client[client].append((bucket, n))
    return tuple(
        (name, _filled(counts, bucket_us, first_ts, last_ts)) for name, counts in by_client.items()
    )


def _series(engine: Engine, name: str, first_ts: int | None, last_ts: int | None) -> Series:
    if first_ts is None or last_ts is None:
        return Series()
    bucket_us = _bucket(first_ts, last_ts)
    rows = engine.rows(read_sql(__package__, f"{name}.sql"), {"bucket_us": bucket_us})
    return _filled([(bucket, n) for bucket, n in rows], bucket_us, first_ts, last_ts)


def _bucket(first_ts: int, last_ts: int) -> int:
    """The narrowest width with which a span has few enough buckets."""
    fitting = (w for w in BUCKETS_US if (last_ts - first_ts) // w < MOST_BUCKETS)
    return next(fitting, BUCKETS_US[-1])


def _filled(rows: Iterable[tuple[int, int]], bucket_us: int, first_ts: int, last_ts: int) -> Series:
    """All buckets of a span; of one that is too long for the widest, the last part."""
    end = last_ts - last_ts % bucket_us
    start = max(first_ts - first_ts % bucket_us, end - (MOST_BUCKETS - 1) * bucket_us)
    counts = [0] * ((end - start) // bucket_us + 1)
    for bucket, n in rows:
        if start <= bucket <= end:
            counts[(bucket - start) // bucket_us] += n
    return Series(start, bucket_us, tuple(counts))
