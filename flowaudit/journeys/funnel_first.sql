-- Journeys that reach the first step, where they do so first.
SELECT who_id, journey, MIN(place) AS at_place, MIN(ts) AS at_ts, CAST(0 AS BIGINT) AS took_us
FROM funnel_match
WHERE position = 1
GROUP BY who_id, journey
