-- Every refusal: outcome denied or hidden, refused websockets, and with $login_path (else empty) a
-- redirect whose visitor's next request within $login_us begins with that path.
SELECT seq, ts, hour, client, actor, template, reason, who
FROM events
WHERE
    (counted AND outcome IN ('denied', 'hidden'))
    OR (
        kind = 'websocket' AND action = 'refuse'
        AND (outcome IS NULL OR outcome IN ('denied', 'hidden'))
    )
UNION ALL
SELECT seq, ts, hour, client, actor, template, 'login-required' AS why, who
FROM (
    SELECT
        seq,
        ts,
        hour,
        client,
        actor,
        template,
        who,
        status,
        outcome,
        LEAD(ts) OVER walk AS next_ts,
        LEAD(path) OVER walk AS next_path
    FROM events
    WHERE counted AND who IS NOT NULL AND $login_path <> ''
    WINDOW walk AS (PARTITION BY who_id ORDER BY ts, seq)
) AS visit
WHERE
    status IN (301, 302, 303, 307)
    AND next_ts - ts <= $login_us
    AND SUBSTR(next_path, 1, LENGTH($login_path)) = $login_path
    AND (outcome IS NULL OR outcome NOT IN ('denied', 'hidden'))
