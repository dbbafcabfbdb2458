-- id = "denied-then-allowed"
-- title = "Refused, then allowed, and nothing explains it"
-- version = 1
-- status = "stable"
-- level = "high"
-- description = "An account gets, shortly after a refusal, what was refused to it."
-- why = "Either the check can be walked around, or somebody changed rights without a trace."
-- action = """
-- Repeat both requests. If the way they are written makes the difference, the check is broken: treat
-- what it guards as read. Else find out who changed the rights."""
-- if_allowed = "it was allowed"
-- if_refused = "it was not allowed"
-- tags = ["appsensor.ace1", "appsensor.ace3"]
-- appsensor = ["ACE1", "ACE3"]
-- attack = []
-- falsepositives = [
--   "Refused, signed in, allowed; or a colleague granted or shared it in between.",
--   "An expired form token, a rate limit, a locked account.",
--   "A release in between that changed the rule: info only.",
--   "Somebody who may read but not change, and reads again after a change was refused.",
-- ]
-- filter = """
-- (actor IS NOT NULL OR session IS NOT NULL)
-- AND (
--   (counted AND outcome IN ('denied', 'hidden'))
--   OR (
--     kind = 'websocket' AND action = 'refuse'
--     AND (outcome IS NULL OR outcome IN ('denied', 'hidden'))
--   )
-- )
-- AND (reason IS NULL OR reason NOT IN (
--   'csrf', 'rate-limit', 'locked', 'bad-credentials', 'method', 'origin', 'bad-host'
-- ))"""
-- fields = [
--   "actor", "session", "route", "resource", "resource_id", "path", "method", "query", "flags"
-- ]
-- lookback_s = 86400
-- spellings = """
-- SELECT path FROM matched
-- UNION
-- SELECT path FROM events
-- WHERE
--   COALESCE(actor, session) IN (SELECT COALESCE(actor, session) FROM matched)
--   AND outcome = 'ok'"""
--
-- [parameters.window_s]
-- default = 3600
-- unit = "s"
-- meaning = "longest time from the refusal to the permission"
-- [parameters.remembered_s]
-- default = 86400
-- unit = "s"
-- meaning = "another verb that was allowed within this time before the refusal is nothing new"
-- [parameters.deploy_grace_s]
-- default = 600
-- unit = "s"
-- meaning = "after a deployment, the finding is info only"
--
-- [arms.allowed]
-- window = "window_s"
-- thresholds = ["window_s"]
-- finding = "allowed"
-- sentence = "{key} was refused {resource} and allowed it {pause} later; what changed: {detail}"
--
-- [[not_judged]]
-- why = "no actor and no session: whether it was the same visitor is not known"
-- where = "counted AND outcome IN ('denied', 'hidden') AND actor IS NULL AND session IS NULL"
-- [[not_judged]]
-- why = "no path and no route: what was refused is not known"
-- where = """
-- counted AND outcome IN ('denied', 'hidden') AND COALESCE(actor, session) IS NOT NULL
-- AND path IS NULL AND route IS NULL"""
-- [[not_judged]]
-- why = "no parameters are recorded but those allowed by policy: a changed one may not show"
-- where = """
-- counted AND outcome IN ('denied', 'hidden') AND COALESCE(actor, session) IS NOT NULL
-- AND query IS NULL"""
WITH refused_one AS (
    SELECT DISTINCT COALESCE(actor, session) AS who_key FROM matched
),
refused AS (
    SELECT
        m.seq,
        m.ts,
        m.ts AS end_ts,
        CASE WHEN m.actor IS NOT NULL THEN 'actor' ELSE 'session' END AS who_kind,
        COALESCE(m.actor, m.session) AS who_key,
        1 AS is_refused,
        m.route, m.resource, m.resource_id, m.path,
        COALESCE(m.method, '') AS verb,
        COALESCE(m.query, '') AS parameters,
        m.flags
    FROM matched AS m
),
-- one thing is known by its path in one spelling, and by its route and id
refused_place AS (
    SELECT s.place FROM spelled AS s
    INNER JOIN refused AS r ON s.path = r.path
    UNION
    SELECT r.path AS place FROM refused AS r
    WHERE r.path IS NOT NULL AND NOT EXISTS (SELECT 1 FROM spelled AS s WHERE s.path = r.path)
),
refused_object AS (
    SELECT DISTINCT
        route,
        COALESCE(resource_id, '') AS object_id,
        CASE WHEN resource_id IS NULL THEN route ELSE CONCAT(route, ' ', resource_id) END AS thing
    FROM refused
    WHERE
        route IS NOT NULL
        AND (
            resource_id IS NOT NULL
            OR (POSITION('{' IN route) = 0 AND POSITION('<' IN route) = 0)
        )
),
-- every way to write those paths that was used: the one spelling, and the others
spelling_of AS (
    SELECT s.path, s.place FROM spelled AS s
    INNER JOIN refused_place AS p ON s.place = p.place
    UNION ALL
    SELECT p.place AS path, p.place FROM refused_place AS p
    WHERE NOT EXISTS (SELECT 1 FROM spelled AS s WHERE s.path = p.place)
),
allowed AS (
    SELECT
        e.seq,
        e.ts,
        e.ts + COALESCE(e.duration_us, 0) AS end_ts,
        CASE WHEN e.actor IS NOT NULL THEN 'actor' ELSE 'session' END AS who_kind,
        COALESCE(e.actor, e.session) AS who_key,
        0 AS is_refused,
        e.route, e.resource, e.resource_id, e.path,
        COALESCE(e.method, '') AS verb,
        COALESCE(e.query, '') AS parameters,
        e.flags
    FROM events AS e
    WHERE
        COALESCE(e.actor, e.session) IN (SELECT who_key FROM refused_one)
        AND (
            e.path IN (SELECT path FROM spelling_of)
            OR e.route IN (SELECT route FROM refused_object)
        )
        AND (
            (e.counted AND e.outcome = 'ok')
            OR (e.kind = 'websocket' AND e.action = 'accept')
        )
        AND (e.method IS NULL OR e.method <> 'OPTIONS')
        -- what a browser says of itself is no answer of the server's
        AND (e.resource IS NULL OR e.resource <> 'flowaudit-beacon')
        -- a redirect gives nothing away; after a change it is how success looks
        AND (
            e.status IS NULL OR e.status < 300 OR e.status = 304
            OR (e.status IN (302, 303) AND e.method IN ('POST', 'PUT', 'PATCH', 'DELETE'))
        )
),
request AS (
    SELECT
        seq, ts, end_ts, who_kind, who_key, is_refused, route, resource, resource_id, path, verb,
        parameters, flags
    FROM refused
    UNION ALL
    SELECT
        seq, ts, end_ts, who_kind, who_key, is_refused, route, resource, resource_id, path, verb,
        parameters, flags
    FROM allowed
),
named AS (
    SELECT r.seq, s.place AS thing, 1 AS by_path
    FROM request AS r
    INNER JOIN spelling_of AS s ON r.path = s.path
    UNION ALL
    SELECT r.seq, o.thing, 0 AS by_path
    FROM request AS r
    INNER JOIN refused_object AS o
        ON r.route = o.route AND COALESCE(r.resource_id, '') = o.object_id
),
known AS (
    SELECT
        n.thing, n.by_path, r.seq, r.ts, r.end_ts, r.who_kind, r.who_key, r.is_refused, r.resource,
        r.resource_id, r.path, r.verb, r.parameters,
        CASE WHEN r.flags IS NULL THEN 0 ELSE
            CASE WHEN ARRAY_CONTAINS(r.flags, 'method-override') THEN 1 ELSE 0 END
            + CASE WHEN ARRAY_CONTAINS(r.flags, 'url-override') THEN 2 ELSE 0 END
            + CASE WHEN ARRAY_CONTAINS(r.flags, 'forwarded-untrusted') THEN 4 ELSE 0 END
            + CASE WHEN ARRAY_CONTAINS(r.flags, 'bad-host') THEN 8 ELSE 0 END
            + CASE WHEN ARRAY_CONTAINS(r.flags, 'origin-mismatch') THEN 16 ELSE 0 END
            + CASE WHEN ARRAY_CONTAINS(r.flags, 'no-accept') THEN 32 ELSE 0 END
            + CASE WHEN ARRAY_CONTAINS(r.flags, 'no-ua') THEN 64 ELSE 0 END
        END AS headers
    FROM named AS n
    INNER JOIN request AS r ON n.seq = r.seq
),
turn AS (
    SELECT
        thing, by_path, who_kind, who_key, seq, is_refused,
        CAST(SUM(is_refused) OVER (
            PARTITION BY who_kind, who_key, by_path, thing ORDER BY ts, seq
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT) AS refusals
    FROM known
),
-- each permission with the latest refusal of the same thing before it
candidate AS (
    SELECT
        a.thing,
        a.by_path,
        a.seq AS allowed_seq,
        r.seq AS refused_seq
    FROM turn AS a
    INNER JOIN turn AS r
        ON
            a.who_kind = r.who_kind AND a.who_key = r.who_key
            AND a.by_path = r.by_path AND a.thing = r.thing
            AND a.refusals = r.refusals
    WHERE a.is_refused = 0 AND r.is_refused = 1
),
ranked AS (
    SELECT
        a.who_kind, a.who_key, c.allowed_seq, a.ts AS allowed_ts, a.end_ts, c.refused_seq,
        r.ts AS refused_ts,
        COALESCE(r.resource, a.resource) AS resource_kind,
        COALESCE(r.resource_id, a.resource_id) AS object_id,
        c.thing, c.by_path, a.verb AS verb_allowed, r.verb AS verb_refused,
        COALESCE(a.path, '') AS path_allowed,
        COALESCE(r.path, '') AS path_refused,
        a.parameters <> r.parameters AS is_other_parameters,
        a.headers <> r.headers AS is_other_headers,
        ROW_NUMBER() OVER (
            PARTITION BY a.seq ORDER BY r.ts DESC, r.seq DESC, c.by_path DESC
        ) AS choice
    FROM candidate AS c
    INNER JOIN known AS a
        ON c.allowed_seq = a.seq AND c.by_path = a.by_path AND c.thing = a.thing
    INNER JOIN known AS r
        ON c.refused_seq = r.seq AND c.by_path = r.by_path AND c.thing = r.thing
    WHERE
        a.ts - r.ts < $window_us
        AND (a.resource_id IS NULL OR r.resource_id IS NULL OR a.resource_id = r.resource_id)
),
pair AS (
    SELECT
        who_kind, who_key, allowed_seq, allowed_ts, end_ts, refused_seq, refused_ts, resource_kind,
        object_id, thing, by_path, verb_allowed, verb_refused, path_allowed, path_refused,
        is_other_parameters, is_other_headers
    FROM ranked
    WHERE choice = 1
),
-- by the hour, when a verb was allowed on a thing
allowed_hour AS (
    SELECT who_kind, who_key, by_path, thing, verb, MIN(ts) AS hour_first, MAX(ts) AS hour_last
    FROM known
    WHERE is_refused = 0
    GROUP BY who_kind, who_key, by_path, thing, verb, ts - ts % 3600000000
),
usual AS (
    SELECT DISTINCT p.allowed_seq
    FROM pair AS p
    INNER JOIN allowed_hour AS k
        ON
            p.who_kind = k.who_kind AND p.who_key = k.who_key
            AND p.by_path = k.by_path AND p.thing = k.thing AND p.verb_allowed = k.verb
    WHERE
        p.verb_allowed <> p.verb_refused
        AND k.hour_first < p.refused_ts AND k.hour_last > p.refused_ts - $remembered_us
),
-- sign-ins, grants and shares between the refusal and the end of what was allowed
explained AS (
    SELECT p.allowed_seq
    FROM pair AS p
    INNER JOIN account_event AS x ON p.who_key = x.about
    WHERE x.ts >= p.refused_ts AND x.ts <= p.end_ts
    UNION
    SELECT p.allowed_seq
    FROM pair AS p
    INNER JOIN share_event AS x ON p.resource_kind = x.resource_kind AND p.object_id = x.object_id
    WHERE x.ts >= p.refused_ts AND x.ts <= p.end_ts AND x.by_whom <> p.who_key
),
deployed AS (
    SELECT DISTINCT p.allowed_seq
    FROM pair AS p
    INNER JOIN deploy AS d ON d.ts <= p.allowed_ts
    WHERE d.ts >= p.refused_ts OR d.ts > p.allowed_ts - $deploy_grace_us
),
unexplained AS (
    SELECT
        p.who_kind, p.who_key, p.allowed_seq, p.allowed_ts, p.refused_seq, p.refused_ts,
        p.thing AS shown, p.verb_allowed, p.verb_refused, p.path_allowed, p.path_refused,
        p.is_other_parameters, p.is_other_headers
    FROM pair AS p
    WHERE
        NOT EXISTS (SELECT 1 FROM usual AS u WHERE u.allowed_seq = p.allowed_seq)
        AND NOT EXISTS (SELECT 1 FROM explained AS x WHERE x.allowed_seq = p.allowed_seq)
),
respelled AS (
    SELECT DISTINCT u.allowed_seq
    FROM unexplained AS u
    INNER JOIN spelling_of AS x ON u.path_allowed = x.path
    INNER JOIN spelling_of AS y ON u.path_refused = y.path
    WHERE x.place = y.place AND x.path <> y.path
),
mark AS (
    SELECT allowed_seq, 0 AS deploy_mark, 0 AS spelling_mark FROM unexplained
    UNION ALL
    SELECT allowed_seq, 1 AS deploy_mark, 0 AS spelling_mark FROM deployed
    UNION ALL
    SELECT allowed_seq, 0 AS deploy_mark, 1 AS spelling_mark FROM respelled
),
marked AS (
    SELECT allowed_seq, MAX(deploy_mark) AS is_deployed, MAX(spelling_mark) AS is_respelled
    FROM mark
    GROUP BY allowed_seq
),
changed AS (
    SELECT
        u.who_kind, u.who_key, u.allowed_seq, u.allowed_ts, u.refused_seq, u.refused_ts, u.shown,
        u.verb_allowed, u.verb_refused,
        u.verb_allowed <> u.verb_refused AS is_other_verb,
        u.is_other_parameters, u.is_other_headers, m.is_deployed, m.is_respelled,
        CASE
            WHEN
                u.path_allowed = u.path_refused OR u.path_allowed = '' OR u.path_refused = ''
                THEN ''
            WHEN m.is_respelled = 0 THEN 'another path to it'
            WHEN LOWER(u.path_allowed) = LOWER(u.path_refused) THEN 'case of the path'
            WHEN TRIM(TRAILING '/' FROM u.path_allowed) = TRIM(TRAILING '/' FROM u.path_refused)
                THEN 'slash at the end of the path'
            WHEN POSITION(';' IN CONCAT(u.path_allowed, u.path_refused)) > 0
                THEN 'a ; in the path'
            WHEN POSITION('%' IN CONCAT(u.path_allowed, u.path_refused)) > 0
                THEN 'encoding of the path'
            WHEN POSITION('/.' IN CONCAT(u.path_allowed, u.path_refused)) > 0
                THEN 'a dot segment in the path'
            WHEN POSITION('//' IN u.path_allowed) > 0 OR POSITION('//' IN u.path_refused) > 0
                THEN 'a doubled slash in the path'
            ELSE 'spelling of the path'
        END AS spelling
    FROM unexplained AS u
    INNER JOIN marked AS m ON u.allowed_seq = m.allowed_seq
),
told AS (
    SELECT
        who_kind, who_key, allowed_seq, allowed_ts, refused_seq, refused_ts, shown,
        CASE
            WHEN is_deployed = 1 THEN 1
            WHEN
                is_respelled = 1
                AND NOT (is_other_verb OR is_other_parameters OR is_other_headers) THEN 5
            ELSE 4
        END AS grade,
        TRIM(TRAILING ', ' FROM CONCAT(
            CASE
                WHEN is_other_verb THEN CONCAT('verb (', verb_refused, ' to ', verb_allowed, '), ')
                ELSE ''
            END,
            CASE WHEN spelling <> '' THEN CONCAT(spelling, ', ') ELSE '' END,
            CASE WHEN is_other_headers THEN 'headers, ' ELSE '' END,
            CASE WHEN is_other_parameters THEN 'parameters, ' ELSE '' END
        )) AS difference
    FROM changed
)
SELECT
    'allowed' AS arm,
    CONCAT(who_kind, ',resource') AS key_names,
    who_key AS key_a,
    shown AS key_b,
    CAST(allowed_seq AS STRING) AS scope,
    allowed_ts AS ts,
    allowed_seq AS seq,
    'hit' AS part,
    grade AS severity,
    grade AS shared_severity,
    CAST(NULL AS STRING) AS from_source,
    TRUE AS is_ok,
    '' AS item,
    CONCAT(
        CASE WHEN difference = '' THEN 'nothing' ELSE difference END,
        CASE WHEN grade = 1 THEN ', after a deployment' ELSE '' END
    ) AS detail
FROM told
UNION ALL
SELECT
    'allowed' AS arm,
    CONCAT(who_kind, ',resource') AS key_names,
    who_key AS key_a,
    shown AS key_b,
    CAST(allowed_seq AS STRING) AS scope,
    refused_ts AS ts,
    refused_seq AS seq,
    'hit' AS part,
    0 AS severity,
    0 AS shared_severity,
    CAST(NULL AS STRING) AS from_source,
    FALSE AS is_ok,
    '' AS item,
    '' AS detail
FROM told
