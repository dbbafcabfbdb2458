-- The totals of a flow report. Events without a visitor are counted, and told apart.
SELECT
    counted_events.times AS events_total,
    counted_events.not_joined,
    counted_events.page_total,
    counted_events.first_ts,
    counted_events.last_ts,
    walked.visitors,
    walked.journeys,
    walked.with_page,
    walked.bounces
FROM (
    SELECT
        COUNT(*) AS times,
        COUNT(*) FILTER (WHERE who IS NULL) AS not_joined,
        COUNT(*) FILTER (WHERE is_page) AS page_total,
        MIN(ts) AS first_ts,
        MAX(ts) AS last_ts
    FROM events
    WHERE counted
) AS counted_events
CROSS JOIN (
    SELECT
        COUNT(DISTINCT who_id) AS visitors,
        COUNT(*) AS journeys,
        COUNT(*) FILTER (WHERE page_count > 0) AS with_page,
        COUNT(*) FILTER (WHERE page_count = 1) AS bounces
    FROM journey
) AS walked
