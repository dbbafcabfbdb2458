-- Refusals by client, most frequent first; without one they stand in a row of their own.
SELECT client, COUNT(*) AS times
FROM denied_event
GROUP BY client
ORDER BY times DESC, client ASC NULLS LAST
LIMIT $top
