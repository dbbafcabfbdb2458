-- First pages of the journeys that have a page, most frequent first.
SELECT step_name, COUNT(*) AS times
FROM page_step
WHERE place = 1
GROUP BY step_name
ORDER BY times DESC, step_name ASC NULLS LAST
LIMIT $top
