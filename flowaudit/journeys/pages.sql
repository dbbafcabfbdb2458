-- Pages by how often they were seen, also by those whose visitor is not known.
SELECT step_name, COUNT(*) AS times
FROM (
    SELECT CASE WHEN $by = 'path' THEN path ELSE template END AS step_name
    FROM events
    WHERE is_page
) AS page
GROUP BY step_name
ORDER BY times DESC, step_name ASC NULLS LAST
LIMIT $top
