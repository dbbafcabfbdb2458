-- From one page to the next, different one of the same journey, most frequent first.
SELECT step_name, next_step, COUNT(*) AS times
FROM page_step
WHERE next_seq IS NOT NULL AND step_name IS DISTINCT FROM next_step
GROUP BY step_name, next_step
ORDER BY times DESC, step_name ASC NULLS LAST, next_step ASC NULLS LAST
LIMIT $top
