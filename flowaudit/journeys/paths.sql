-- The ways people take: the first eight pages of a journey, repeats of one page folded into one,
-- most frequent first. A way that is longer than eight says so in is_longer.
SELECT
    step_1, step_2, step_3, step_4, step_5, step_6, step_7, step_8, is_longer, COUNT(*) AS times
FROM (
    SELECT
        who_id,
        journey,
        MAX(step_name) FILTER (WHERE fold = 1) AS step_1,
        MAX(step_name) FILTER (WHERE fold = 2) AS step_2,
        MAX(step_name) FILTER (WHERE fold = 3) AS step_3,
        MAX(step_name) FILTER (WHERE fold = 4) AS step_4,
        MAX(step_name) FILTER (WHERE fold = 5) AS step_5,
        MAX(step_name) FILTER (WHERE fold = 6) AS step_6,
        MAX(step_name) FILTER (WHERE fold = 7) AS step_7,
        MAX(step_name) FILTER (WHERE fold = 8) AS step_8,
        MAX(fold) > 8 AS is_longer
    FROM (
        SELECT
            who_id,
            journey,
            step_name,
            ROW_NUMBER() OVER (PARTITION BY who_id, journey ORDER BY place) AS fold
        FROM page_step
        WHERE next_seq IS NULL OR step_name IS DISTINCT FROM next_step
    ) AS folded
    GROUP BY who_id, journey
) AS way
GROUP BY step_1, step_2, step_3, step_4, step_5, step_6, step_7, step_8, is_longer
ORDER BY
    times DESC,
    step_1 ASC NULLS LAST, step_2 ASC NULLS LAST, step_3 ASC NULLS LAST, step_4 ASC NULLS LAST,
    step_5 ASC NULLS LAST, step_6 ASC NULLS LAST, step_7 ASC NULLS LAST, step_8 ASC NULLS LAST,
    is_longer
LIMIT $top
