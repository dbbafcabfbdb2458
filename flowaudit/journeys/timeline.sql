-- What the visitors of `chosen(value)` did, in order: their counted events with the number of the
-- journey each is in, and beside them sign-ins, changes and whatever else names them.
SELECT
    who,
    CASE WHEN number_so_far < 1 THEN 1 ELSE number_so_far END AS journey,
    seq,
    ts,
    kind,
    action,
    method,
    template,
    path,
    status,
    outcome,
    reason,
    duration_us,
    client,
    is_page,
    counted
FROM (
    SELECT
        who,
        seq,
        ts,
        CAST(SUM(starts) OVER (
            PARTITION BY who ORDER BY ts, seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT) AS number_so_far,
        kind,
        action,
        method,
        template,
        path,
        status,
        outcome,
        reason,
        duration_us,
        client,
        is_page,
        counted
    FROM (
        SELECT
            who,
            seq,
            ts,
            CASE
                WHEN NOT counted THEN 0
                WHEN LAG(ts) OVER walk IS NULL OR ts - LAG(ts) OVER walk > $pause_us THEN 1
                ELSE 0
            END AS starts,
            kind,
            action,
            method,
            template,
            path,
            status,
            outcome,
            reason,
            duration_us,
            client,
            is_page,
            counted
        FROM events
        WHERE
            who IN (SELECT value FROM chosen)
            AND (action IS NULL OR action NOT IN ('received', 'finished'))
        -- events that do not count stand in a walk of their own, so that no pause is seen through them
        WINDOW walk AS (PARTITION BY who, counted ORDER BY ts, seq)
    ) AS seen
) AS numbered
ORDER BY who, ts, seq
