-- When a source is shared: at least $actors distinct accounts had an allowed event from it in the
-- last $day_us. Looked at only for sources that fired; per account, the first and last event of an
-- hour stand for it, since no expiry falls between them.
WITH hourly AS (
    SELECT
        client_key,
        actor,
        MIN(ts) AS first_ts,
        MAX(ts) AS last_ts
    FROM events
    WHERE
        actor IS NOT NULL
        AND (actor_kind IS NULL OR actor_kind <> 'anonymous')
        AND (outcome = 'ok' OR (outcome IS NULL AND kind = 'auth' AND action = 'login'))
        AND client_key IN (SELECT from_source FROM hit WHERE severity > 0)
    GROUP BY client_key, actor, hour
),
turn AS (
    SELECT
        client_key,
        first_ts,
        last_ts,
        first_ts - LAG(last_ts) OVER same AS since_same,
        LEAD(first_ts) OVER same - last_ts AS until_same
    FROM hourly
    WINDOW same AS (PARTITION BY client_key, actor ORDER BY first_ts)
),
change AS (
    SELECT
        client_key,
        first_ts AS at_ts,
        1 AS step
    FROM turn
    WHERE since_same IS NULL OR since_same >= $day_us
    UNION ALL
    SELECT
        client_key,
        last_ts + $day_us AS at_ts,
        -1 AS step
    FROM turn
    WHERE until_same IS NULL OR until_same >= $day_us
),
-- all changes of one moment at once
summed AS (
    SELECT
        client_key,
        at_ts,
        CAST(SUM(step) AS BIGINT) AS delta
    FROM change
    GROUP BY client_key, at_ts
),
running AS (
    SELECT
        client_key,
        at_ts,
        CAST(SUM(delta) OVER (
            PARTITION BY client_key ORDER BY at_ts
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT) >= $actors AS is_shared
    FROM summed
),
turning AS (
    SELECT
        client_key,
        at_ts,
        is_shared,
        COALESCE(LAG(is_shared) OVER (PARTITION BY client_key ORDER BY at_ts), FALSE) AS was_shared
    FROM running
)
SELECT
    client_key,
    at_ts AS from_ts,
    until_ts
FROM (
    SELECT
        client_key,
        at_ts,
        is_shared,
        LEAD(at_ts) OVER (PARTITION BY client_key ORDER BY at_ts) AS until_ts
    FROM turning
    WHERE is_shared <> was_shared
) AS period
WHERE is_shared
