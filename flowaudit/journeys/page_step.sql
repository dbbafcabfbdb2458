-- Every page of every journey: which it is, its place among the journey's pages, what came next.
-- $by: 'path' takes the path for the step, anything else the route or inferred template.
SELECT
    who_id,
    journey,
    step_name,
    ROW_NUMBER() OVER walk AS place,
    LEAD(step_name) OVER walk AS next_step,
    LEAD(seq) OVER walk AS next_seq
FROM (
    SELECT
        who_id,
        journey,
        seq,
        ts,
        CASE WHEN $by = 'path' THEN path ELSE template END AS step_name
    FROM journey_event
    WHERE is_page
) AS page
WINDOW walk AS (PARTITION BY who_id, journey ORDER BY ts, seq)
