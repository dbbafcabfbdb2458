-- Refusals by client, most frequent first; without one they stand in a row of their own.
SELECT client, COUNT(*) AS n
FROM denied_event
GROUP BY client
ORDER BY n DESC, client ASC NULLS LAST
LIMIT $top
