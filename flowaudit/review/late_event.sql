-- Events that came into the trail more than $late_us after later ones: ts + duration lies so far
-- below the largest such sum at a lower seq. First by blocks of seq, then within those that can hold
-- one.
WITH done AS (
    SELECT
        seq,
        seq - seq % 4096 AS block,
        ts + COALESCE(duration_us, 0) AS end_ts
    FROM events
),
low_high AS (
    SELECT
        block,
        MIN(end_ts) AS lowest,
        MAX(end_ts) AS highest
    FROM done
    GROUP BY block
),
suspect AS (
    SELECT
        block,
        lowest,
        highest,
        MAX(highest) OVER (
            ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before
    FROM low_high
),
inside AS (
    SELECT
        d.seq,
        d.end_ts,
        s.before,
        MAX(d.end_ts) OVER (
            PARTITION BY d.block ORDER BY d.seq
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before_inside
    FROM done AS d
    INNER JOIN suspect AS s ON d.block = s.block
    WHERE s.highest - s.lowest > $late_us OR s.before - s.lowest > $late_us
)
SELECT seq
FROM inside
WHERE before - end_ts > $late_us OR before_inside - end_ts > $late_us
