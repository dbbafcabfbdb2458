"""How fast a live trail becomes columns, and journeys beside SQL written by hand for DuckDB."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from flowaudit.journeys.engine import Engine
from flowaudit.journeys.flows import flow_report
from flowaudit.journeys.funnel import funnel
from flowaudit.trail.sqlite import Trail

TRAIL_EVENTS = 500_000
COLUMN_EVENTS = 5_000_000
ROUNDS = 3
STEPS = ["/step/1", "/step/2", "/step/3"]

STORED = """
SELECT
    i AS seq,
    format('{{"actor":"{:052d}","actor_kind":"user","bytes_out":{},"duration_us":{},'
           '"host":"clinic.example.org","kind":"request","method":"GET","n":{},"nav":"{}",'
           '"outcome":"ok","route":"/step/{}","session":"{:032d}",'
           '"source":"aaaaaaaaaaaaaaaaaaaaaaaaaa","status":200,"ts":{},"v":1}}',
           hash(i * 3 + 1) % 40000, hash(i) % 9000, hash(i + 7) % 90000, i + 1,
           CASE WHEN hash(i + 1) % 4 = 0 THEN 'api' ELSE 'page' END, hash(i + 2) % 30,
           hash(i * 3 + 1) % 40000, 1700000000000000 + i * 120000) AS core,
    format('{{"client":"10.0.{}.{}","path":"/step/{}?","ua":"Mozilla/5.0 (X11; Linux x86_64; '
           'rv:140.0) Gecko/20100101 Firefox/140.0"}}',
           hash(i + 3) % 99, hash(i + 4) % 250, hash(i + 2) % 30) AS personal
FROM range($events) AS t(i)
"""

BY_HAND = """
CREATE OR REPLACE TABLE steps AS
SELECT who, ts, seq, route, is_page,
       sum(is_new::INT) OVER (PARTITION BY who ORDER BY ts, seq) AS journey
FROM (
    SELECT who, ts, seq, route, is_page,
           coalesce(ts - lag(ts) OVER (PARTITION BY who ORDER BY ts, seq) > 1800000000, true)
               AS is_new
    FROM events WHERE counted AND who IS NOT NULL
);
CREATE OR REPLACE TABLE sessions AS
SELECT who, journey, min(ts), max(ts), count(*), count(*) FILTER (is_page) AS pages
FROM steps GROUP BY who, journey;
CREATE OR REPLACE TABLE transitions AS
SELECT route, next_route, count(*) FROM (
    SELECT route, lead(route) OVER (PARTITION BY who, journey ORDER BY ts, seq) AS next_route
    FROM steps WHERE is_page
) WHERE next_route IS NOT NULL GROUP BY ALL;
CREATE OR REPLACE TABLE funnel AS
WITH one AS (SELECT who, journey, min(ts) AS t FROM steps WHERE route = '/step/1' GROUP BY ALL),
     two AS (SELECT one.who, one.journey, min(steps.ts) AS t
             FROM one JOIN steps USING (who, journey)
             WHERE route = '/step/2' AND steps.ts > one.t GROUP BY ALL),
     three AS (SELECT two.who, two.journey, min(steps.ts) AS t
               FROM two JOIN steps USING (who, journey)
               WHERE route = '/step/3' AND steps.ts > two.t GROUP BY ALL)
SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two), (SELECT count(*) FROM three);
"""


def stored(events: int) -> Any:
    with duckdb.connect() as db:
        return db.sql(STORED, params={"events": events}).to_arrow_table()


def best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def live_trail(folder: Path) -> None:
    table = stored(TRAIL_EVENTS)
    trail = folder / "bench.db"
    cores, personals = table["core"].to_pylist(), table["personal"].to_pylist()
    with Trail(trail) as writer:
        for first in range(0, TRAIL_EVENTS, 5_000):
            pairs = [
                (c.encode(), p.encode())
                for c, p in zip(
                    cores[first : first + 5_000], personals[first : first + 5_000], strict=True
                )
            ]
            writer.append(pairs, "a" * 26, first + len(pairs))
    took = best(lambda: Engine.open(trail, threads=1).close())
    rate = TRAIL_EVENTS / took
    verdict = "reached" if rate >= 250_000 else "NOT reached"
    print(f"live trail into columns, one thread: {rate:,.0f} events/s; goal 250,000: {verdict}")


def journeys_by_hand() -> None:
    engine = Engine(threads=1)
    engine._load(stored(COLUMN_EVENTS))

    def ours() -> None:
        engine._kept.clear()
        flow_report(engine)
        funnel(engine, STEPS)

    def by_hand() -> None:
        engine._db.execute(BY_HAND)

    ours_s, hand_s = best(ours), best(by_hand)
    ratio = ours_s / hand_s
    verdict = "reached" if ratio <= 1.1 else "NOT reached"
    print(f"sessions, transitions and a funnel over {COLUMN_EVENTS:,} events: {ours_s:.2f} s,")
    print(f"  by hand {hand_s:.2f} s: {ratio:.2f}×; goal at most 1.1×: {verdict}")
    engine.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        live_trail(Path(folder))
    journeys_by_hand()


if __name__ == "__main__":
    sys.exit(main())
