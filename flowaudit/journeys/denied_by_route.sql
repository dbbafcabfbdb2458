-- Refusals by route, most frequent first; without one they stand in a row of their own.
SELECT template, COUNT(*) AS n
FROM denied_event
GROUP BY template
ORDER BY n DESC, template ASC NULLS LAST
LIMIT $top
