-- Changes of things by whom and when: one may be what made a thing visible to somebody else.
SELECT
    COALESCE(resource, GET_JSON_OBJECT(data, '$.resource')) AS resource_kind,
    COALESCE(resource_id, GET_JSON_OBJECT(data, '$.resource_id')) AS object_id,
    COALESCE(actor, '') AS by_whom,
    ts
FROM events
WHERE
    (kind = 'change' OR (kind = 'auth' AND action = 'grant'))
    AND COALESCE(resource, GET_JSON_OBJECT(data, '$.resource')) IS NOT NULL
    AND COALESCE(resource_id, GET_JSON_OBJECT(data, '$.resource_id')) IS NOT NULL
