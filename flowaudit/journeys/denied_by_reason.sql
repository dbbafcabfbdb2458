-- Refusals by reason, most frequent first; without one they stand in a row of their own.
SELECT reason, COUNT(*) AS times
FROM denied_event
GROUP BY reason
ORDER BY times DESC, reason ASC NULLS LAST
LIMIT $top
