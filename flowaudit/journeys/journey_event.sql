-- Every counted event that has a visitor, with the number of its journey: a new journey starts
-- when the pause since the visitor's previous event is more than $pause_us.
SELECT
    who,
    who_id,
    seq,
    ts,
    1 + CAST(SUM(starts) OVER (
        PARTITION BY who_id ORDER BY ts, seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS BIGINT) AS journey,
    is_page,
    outcome,
    template,
    path
FROM (
    SELECT
        who,
        who_id,
        seq,
        ts,
        CASE
            WHEN ts - LAG(ts) OVER (PARTITION BY who_id ORDER BY ts, seq) > $pause_us THEN 1 ELSE 0
        END AS starts,
        is_page,
        outcome,
        template,
        path
    FROM events
    WHERE counted AND who IS NOT NULL
) AS visit
