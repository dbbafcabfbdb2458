-- id = "object-id-enumeration"
-- title = "Walking over ids of objects that belong to others"
-- version = 1
-- status = "stable"
-- level = "high"
-- description = "Many objects of one route asked for by their ids, many of them refused or missing."
-- why = "Somebody tries which records of other people the app gives away."
-- action = """
-- Check whether the answers that were allowed belong to whoever asked. Then block the account or
-- the source."""
-- if_allowed = "others were allowed"
-- if_refused = "none was allowed"
-- tags = ["attack.collection", "attack.t1119", "appsensor.ace1", "appsensor.ace2"]
-- appsensor = ["ACE1", "ACE2"]
-- attack = ["T1119"]
-- falsepositives = [
--   "A list page whose fifty cards are each fetched, and all allowed.",
--   "A customer who opens nine old links to deleted orders over an hour.",
--   "A crawler on public ids of which some are gone.",
-- ]
-- filter = """
-- counted AND outcome IN ('denied', 'hidden', 'missing')
-- AND (reason IS NULL OR reason NOT IN ('csrf', 'origin', 'method', 'bad-host'))
-- AND (actor IS NOT NULL OR session IS NOT NULL OR client IS NOT NULL)
-- AND (
--   (resource_id IS NOT NULL AND (route IS NOT NULL OR resource IS NOT NULL))
--   OR (path IS NOT NULL AND (POSITION('{' IN route) > 0 OR POSITION('<' IN route) > 0))
-- )"""
-- fields = [
--   "actor", "session", "client_key", "route", "resource", "resource_id", "path", "outcome", "ua"
-- ]
-- lookback_s = 600
-- agents = """
-- SELECT m.ua FROM matched AS m
-- INNER JOIN (
--   SELECT COALESCE(session, client_key) AS who_key, COALESCE(route, resource) AS place
--   FROM matched
--   WHERE actor IS NULL AND outcome = 'missing'
--   GROUP BY 1, 2
--   HAVING COUNT(DISTINCT COALESCE(resource_id, path)) >= $walk_refused_ids
-- ) AS w
--   ON w.who_key = COALESCE(m.session, m.client_key) AND w.place = COALESCE(m.route, m.resource)
-- WHERE m.actor IS NULL AND m.outcome = 'missing'"""
--
-- [parameters.refused_ids]
-- default = 8
-- unit = "distinct ids"
-- meaning = "ids on one route that were refused, hidden or missing"
-- [parameters.walk_ids]
-- default = 20
-- unit = "distinct ids"
-- meaning = "ids on one route, whatever the answer, of which `walk_refused_ids` were refused"
-- [parameters.walk_refused_ids]
-- default = 5
-- unit = "distinct ids"
-- meaning = "ids of a walk that were refused, hidden or missing"
-- [parameters.window_s]
-- default = 600
-- unit = "s"
-- meaning = "window of all three"
--
-- [arms.refused]
-- window = "window_s"
-- thresholds = ["refused_ids", "window_s"]
-- doubled = ["refused_ids"]
-- finding = "walk"
-- is_walk = true
-- sentence = """
-- {key} asked for {items:id|different ids} of {scope} in {span} that were refused or not there;
-- {success}"""
-- [arms.walk]
-- window = "window_s"
-- thresholds = ["walk_ids", "walk_refused_ids", "window_s"]
-- doubled = ["walk_ids", "walk_refused_ids"]
-- finding = "walk"
-- is_walk = true
-- sentence = """
-- {key} walked over {items:id|different ids} of {scope} in {span}, many of them refused or not there;
-- {success}"""
--
-- [[not_judged]]
-- why = "no route or no id: the object that was refused is not known"
-- where = """
-- counted AND outcome IN ('denied', 'hidden', 'missing') AND (
--   (resource_id IS NULL AND (
--     path IS NULL OR route IS NULL
--     OR (POSITION('{' IN route) = 0 AND POSITION('<' IN route) = 0)
--   ))
--   OR (resource_id IS NOT NULL AND route IS NULL AND resource IS NULL)
-- )"""
-- [[not_judged]]
-- why = "ids shown in lists are not recorded: whether an allowed object was the actor's own is open"
-- where = """
-- counted AND outcome = 'ok' AND resource_id IS NOT NULL"""
WITH refused AS (
    SELECT
        m.seq,
        CASE
            WHEN m.actor IS NOT NULL THEN 'actor'
            WHEN m.session IS NOT NULL THEN 'session'
            ELSE 'client'
        END AS key_names,
        COALESCE(m.actor, m.session, m.client_key) AS key_a,
        COALESCE(m.route, m.resource) AS place,
        COALESCE(m.resource_id, m.path) AS object_id
    FROM matched AS m
    WHERE
        m.outcome <> 'missing' OR m.actor IS NOT NULL
        -- what is gone is no news where crawlers read public pages
        OR NOT EXISTS (SELECT 1 FROM agent AS g WHERE g.ua = m.ua AND g.is_crawler)
),
walker AS (
    SELECT key_names, key_a, place
    FROM refused
    GROUP BY key_names, key_a, place
    HAVING
        COUNT(DISTINCT object_id) >= $walk_refused_ids
        OR COUNT(DISTINCT object_id) >= $refused_ids
),
asked AS (
    SELECT
        e.seq,
        e.ts,
        CASE
            WHEN e.actor IS NOT NULL THEN 'actor'
            WHEN e.session IS NOT NULL THEN 'session'
            ELSE 'client'
        END AS key_names,
        COALESCE(e.actor, e.session, e.client_key) AS key_a,
        COALESCE(e.route, e.resource) AS place,
        COALESCE(e.resource_id, e.path) AS object_id,
        e.outcome
    FROM events AS e
    WHERE
        e.counted
        AND COALESCE(e.route, e.resource) IN (SELECT place FROM walker)
        AND COALESCE(e.actor, e.session, e.client_key) IN (SELECT key_a FROM walker)
        AND COALESCE(e.resource_id, e.path) IS NOT NULL
),
walk AS (
    SELECT
        a.seq, a.ts, a.key_names, a.key_a, a.place, a.object_id, a.outcome, 1 AS is_refused
    FROM asked AS a
    INNER JOIN refused AS r ON a.seq = r.seq
    INNER JOIN walker AS w
        ON a.key_names = w.key_names AND a.key_a = w.key_a AND a.place = w.place
    UNION ALL
    SELECT
        a.seq, a.ts, a.key_names, a.key_a, a.place, a.object_id, a.outcome, 0 AS is_refused
    FROM asked AS a
    INNER JOIN walker AS w
        ON a.key_names = w.key_names AND a.key_a = w.key_a AND a.place = w.place
    WHERE a.outcome = 'ok'
),
turn AS (
    SELECT
        seq,
        ts,
        key_names,
        key_a,
        place,
        is_refused,
        ts - LAG(ts) OVER same AS since_same,
        LEAD(ts) OVER same - ts AS until_same,
        ts - LAG(ts) OVER same_answer AS since_answer,
        LEAD(ts) OVER same_answer - ts AS until_answer
    FROM walk
    WINDOW
        same AS (PARTITION BY key_names, key_a, place, object_id ORDER BY ts, seq),
        same_answer AS (
            PARTITION BY key_names, key_a, place, object_id, is_refused ORDER BY ts, seq
        )
),
-- distinct ids in the window, of all and of the refused ones
change AS (
    SELECT
        seq,
        key_names,
        key_a,
        place,
        ts AS at_ts,
        1 AS phase,
        CASE WHEN since_same < $window_us THEN 0 ELSE 1 END AS delta,
        CASE WHEN since_answer < $window_us THEN 0 ELSE is_refused END AS refused_delta
    FROM turn
    UNION ALL
    SELECT
        seq,
        key_names,
        key_a,
        place,
        ts + $window_us AS at_ts,
        0 AS phase,
        CASE WHEN until_same < $window_us THEN 0 ELSE -1 END AS delta,
        CASE WHEN until_answer < $window_us THEN 0 ELSE -is_refused END AS refused_delta
    FROM turn
),
running AS (
    SELECT
        seq,
        phase,
        CAST(SUM(delta) OVER upto AS BIGINT) AS ids,
        CAST(SUM(refused_delta) OVER upto AS BIGINT) AS refused_ids
    FROM change
    WINDOW upto AS (
        PARTITION BY key_names, key_a, place ORDER BY at_ts, phase, seq
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
),
judged AS (
    SELECT
        w.seq,
        w.ts,
        w.key_names,
        w.key_a,
        w.place,
        w.object_id,
        w.outcome,
        w.is_refused,
        CASE WHEN w.key_names = 'client' THEN w.key_a END AS from_source,
        r.refused_ids >= $refused_ids AS is_refused_full,
        r.refused_ids >= 2 * $refused_ids AS is_refused_doubly_full,
        r.ids >= $walk_ids AND r.refused_ids >= $walk_refused_ids AS is_walk,
        r.ids >= 2 * $walk_ids AND r.refused_ids >= 2 * $walk_refused_ids AS is_double_walk
    FROM walk AS w
    INNER JOIN running AS r ON w.seq = r.seq
    WHERE r.phase = 1
)
SELECT
    'refused' AS arm,
    key_names,
    key_a,
    '' AS key_b,
    place AS scope,
    ts,
    seq,
    'hit' AS part,
    CASE WHEN is_refused_full THEN 4 ELSE 0 END AS severity,
    CASE WHEN is_refused_doubly_full THEN 4 ELSE 0 END AS shared_severity,
    from_source,
    FALSE AS is_ok,
    object_id AS item,
    outcome AS detail
FROM judged
WHERE is_refused = 1
UNION ALL
SELECT
    'walk' AS arm,
    key_names,
    key_a,
    '' AS key_b,
    place AS scope,
    ts,
    seq,
    CASE WHEN is_walk OR is_refused = 1 THEN 'hit' ELSE 'context' END AS part,
    CASE WHEN is_walk THEN 4 ELSE 0 END AS severity,
    CASE WHEN is_double_walk THEN 4 ELSE 0 END AS shared_severity,
    from_source,
    outcome = 'ok' AS is_ok,
    object_id AS item,
    outcome AS detail
FROM judged
