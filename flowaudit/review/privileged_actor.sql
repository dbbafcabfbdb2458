-- Accounts with elevated rights, and since when that shows: a role that is declared privileged, or a
-- privileged action that was allowed.
SELECT
    actor,
    MIN(seen_ts) AS since_ts
FROM (
    SELECT
        actor,
        ts AS seen_ts
    FROM events
    WHERE privileged AND outcome = 'ok' AND actor IS NOT NULL
    UNION ALL
    SELECT
        held.actor,
        held.seen_ts
    FROM (
        SELECT
            actor,
            roles,
            MIN(ts) AS seen_ts
        FROM events
        WHERE
            actor IS NOT NULL AND roles IS NOT NULL
            AND EXISTS (SELECT 1 FROM privileged_role AS p)
        GROUP BY actor, roles
    ) AS held
    INNER JOIN privileged_role AS r ON ARRAY_CONTAINS(held.roles, r.value)
) AS mark
GROUP BY actor
