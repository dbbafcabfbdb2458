-- What changes what an account may do, and when: its sign-ins, what it was granted, what was shared
-- with it.
SELECT
    actor AS about,
    ts
FROM events
WHERE kind = 'auth' AND action = 'login' AND actor IS NOT NULL
UNION ALL
SELECT
    session AS about,
    ts
FROM events
WHERE kind = 'auth' AND action = 'login' AND session IS NOT NULL
UNION ALL
SELECT
    GET_JSON_OBJECT(data, '$.target') AS about,
    ts
FROM events
WHERE
    data IS NOT NULL
    AND ((kind = 'auth' AND action IN ('grant', 'enabled', 'reset')) OR kind = 'change')
    AND GET_JSON_OBJECT(data, '$.target') IS NOT NULL
UNION ALL
SELECT
    resource_id AS about,
    ts
FROM events
WHERE
    kind = 'auth' AND action IN ('grant', 'enabled', 'reset')
    AND resource = 'user' AND resource_id IS NOT NULL
