-- One row for each journey: when, how much, where it began and ended, and why it ended.
-- ended: 'pause' (the visitor came back after more than $pause_us), 'left' (others went on for
-- longer than that and the visitor is not seen again), 'open' (requests end before one can tell).
SELECT
    j.who_id,
    j.journey,
    j.first_ts,
    j.last_ts,
    j.event_count,
    j.page_count,
    CASE
        WHEN LEAD(j.journey) OVER (PARTITION BY j.who_id ORDER BY j.journey) IS NOT NULL THEN 'pause'
        WHEN trail.end_ts - j.last_ts > $pause_us THEN 'left'
        ELSE 'open'
    END AS ended
FROM (
    SELECT
        who_id,
        journey,
        MIN(ts) AS first_ts,
        MAX(ts) AS last_ts,
        COUNT(*) AS event_count,
        COUNT(*) FILTER (WHERE is_page) AS page_count
    FROM journey_event
    GROUP BY who_id, journey
) AS j
CROSS JOIN (SELECT MAX(ts) AS end_ts FROM events WHERE counted) AS trail
