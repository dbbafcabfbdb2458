-- At most $cap events of each finding as its evidence: the one at which it fired, then those that
-- show most different things.
SELECT
    fire_no,
    ts,
    seq,
    item,
    detail
FROM (
    SELECT
        fire_no,
        ts,
        seq,
        item,
        detail,
        ROW_NUMBER() OVER (PARTITION BY fire_no ORDER BY is_before, nth, ts, seq) AS choice
    FROM evidence
    WHERE fire_role = 'best'
) AS ranked
WHERE choice <= $cap
ORDER BY fire_no, ts, seq
