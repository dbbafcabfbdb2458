-- How many transitions there are, to another page and to the same.
SELECT
    COUNT(*) FILTER (WHERE step_name IS DISTINCT FROM next_step) AS transitions_total,
    COUNT(*) FILTER (WHERE step_name IS NOT DISTINCT FROM next_step) AS self_transitions_total
FROM page_step
WHERE next_seq IS NOT NULL
