-- Events that are a step of the funnel `flow_step(position, value)` and went well, numbered in
-- their journey; filtered before they are numbered.
SELECT m.who_id, m.journey, m.ts, m.place, s.position
FROM (
    SELECT
        who_id,
        journey,
        ts,
        step_name,
        ROW_NUMBER() OVER (PARTITION BY who_id, journey ORDER BY ts, seq) AS place
    FROM (
        SELECT
            who_id,
            journey,
            ts,
            seq,
            CASE WHEN $by = 'path' THEN path ELSE template END AS step_name
        FROM journey_event
        WHERE outcome = 'ok'
    ) AS fine
    WHERE step_name IN (SELECT value FROM flow_step)
) AS m
JOIN flow_step AS s ON s.value = m.step_name
