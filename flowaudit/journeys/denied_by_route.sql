-- Refusals by route, most frequent first; without one they stand in a row of their own.
SELECT template, COUNT(*) AS times
FROM denied_event
GROUP BY template
ORDER BY times DESC, template ASC NULLS LAST
LIMIT $top
