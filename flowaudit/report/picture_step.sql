-- What a journey shows: its pages, and what was refused or failed, in order; the same thing again
-- is folded into one. place counts from 1, state is 'ok', 'refused' or 'failed'.
SELECT
    who_id,
    journey,
    place,
    MAX(step_name) AS label,
    MAX(step_state) AS state,
    MIN(ts) AS first_ts,
    COUNT(*) AS times
FROM (
    SELECT
        who_id,
        journey,
        ts,
        step_name,
        step_state,
        CAST(SUM(starts) OVER (
            PARTITION BY who_id, journey ORDER BY ts, seq
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT) AS place
    FROM (
        SELECT
            who_id,
            journey,
            ts,
            seq,
            step_name,
            step_state,
            CASE
                WHEN LAG(step_state) OVER walk = step_state
                    AND LAG(step_name) OVER walk = step_name THEN 0
                ELSE 1
            END AS starts
        FROM (
            SELECT
                who_id,
                journey,
                ts,
                seq,
                COALESCE(CASE WHEN $by = 'path' THEN path ELSE template END, '') AS step_name,
                CASE
                    WHEN outcome IN ('denied', 'hidden', 'throttled') THEN 'refused'
                    WHEN outcome = 'error' THEN 'failed'
                    ELSE 'ok'
                END AS step_state
            FROM journey_event
            WHERE is_page OR outcome IN ('denied', 'hidden', 'throttled', 'error')
        ) AS shown
        WINDOW walk AS (PARTITION BY who_id, journey ORDER BY ts, seq)
    ) AS marked
) AS folded
GROUP BY who_id, journey, place
