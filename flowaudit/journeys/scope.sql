-- What an analysis looked at: counted requests, how many have no visitor, and the time they span.
SELECT
    COUNT(*) AS requests,
    COUNT(*) FILTER (WHERE who IS NULL) AS not_joined,
    COUNT(DISTINCT who) AS visitors,
    MIN(ts) AS first_ts,
    MAX(ts) AS last_ts
FROM events
WHERE counted
