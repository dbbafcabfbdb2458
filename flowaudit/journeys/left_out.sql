-- Of each process its start, with the rules in force, and its last sign of life, with what these
-- left out so far. From the table, not the view: who is counted does not change it.
SELECT source, action, facts
FROM (
    SELECT
        source,
        action,
        facts,
        ROW_NUMBER() OVER (
            PARTITION BY source, CASE WHEN action = 'start' THEN 0 ELSE 1 END
            ORDER BY n DESC, seq DESC
        ) AS place
    FROM event
    WHERE kind = 'process'
) AS sign
WHERE place = 1
ORDER BY source, action
