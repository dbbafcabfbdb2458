-- The first $columns columns of the flow picture: what stands in each, most frequent first (rank).
-- stay_us: the lower median of the time until the journey's next step, where there is one.
SELECT
    place,
    label,
    state,
    n,
    times,
    stay_us,
    ROW_NUMBER() OVER (PARTITION BY place ORDER BY n DESC, label, state) AS rank,
    COUNT(*) OVER (PARTITION BY place) AS in_column
FROM (
    SELECT
        place,
        label,
        state,
        COUNT(*) AS n,
        CAST(SUM(times) AS BIGINT) AS times,
        MIN(stay_us) FILTER (WHERE 2 * stay_rank >= stays AND stay_us IS NOT NULL) AS stay_us
    FROM (
        SELECT
            place,
            label,
            state,
            times,
            stay_us,
            ROW_NUMBER() OVER (
                PARTITION BY place, label, state ORDER BY stay_us NULLS LAST, who_id, journey
            ) AS stay_rank,
            COUNT(stay_us) OVER (PARTITION BY place, label, state) AS stays
        FROM (
            SELECT
                who_id,
                journey,
                place,
                label,
                state,
                times,
                LEAD(first_ts) OVER (PARTITION BY who_id, journey ORDER BY place) - first_ts AS stay_us
            FROM picture_step
        ) AS timed
        WHERE place <= $columns
    ) AS ranked
    GROUP BY place, label, state
) AS counted
