-- Refusals by actor, most frequent first; without one they stand in a row of their own.
SELECT actor, COUNT(*) AS times
FROM denied_event
GROUP BY actor
ORDER BY times DESC, actor ASC NULLS LAST
LIMIT $top
