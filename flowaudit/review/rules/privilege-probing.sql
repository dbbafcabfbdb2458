-- id = "privilege-probing"
-- title = "One account tries many functions above its role"
-- version = 1
-- status = "stable"
-- level = "high"
-- description = "A signed-in account is forbidden on several different routes in a short time."
-- why = "Somebody looks for the one function that forgot to ask for the role."
-- action = """
-- Ask the person. Check what else the account did, and that each function it was allowed checks the
-- role."""
-- if_allowed = "something there was allowed"
-- if_refused = "nothing there was allowed"
-- tags = ["appsensor.ace3", "appsensor.ace4"]
-- appsensor = ["ACE3", "ACE4"]
-- attack = []
-- falsepositives = [
--   "An interface that asks for what its user may not have, for many users: info, for its makers.",
--   "A refusal that met three other people before: a fault of the interface or of a release.",
-- ]
-- filter = """
-- actor IS NOT NULL AND template IS NOT NULL
-- AND (
--   (counted AND outcome = 'denied')
--   OR (kind = 'websocket' AND action = 'refuse' AND (outcome IS NULL OR outcome = 'denied'))
-- )
-- AND (reason IS NULL OR reason NOT IN (
--   'bad-credentials', 'locked', 'login-required', 'csrf', 'origin', 'bad-host', 'method', 'rate-limit',
--   'legal'
-- ))"""
-- fields = ["actor", "actor_kind", "template", "method", "privileged"]
-- lookback_s = 604800
--
-- [parameters.routes]
-- default = 4
-- unit = "distinct routes"
-- meaning = "routes that were forbidden to one account"
-- [parameters.privileged_routes]
-- default = 2
-- unit = "distinct routes"
-- meaning = "privileged routes on which a change was forbidden to one account"
-- [parameters.window_s]
-- default = 1800
-- unit = "s"
-- meaning = "window of `routes` and `privileged_routes`"
-- [parameters.other_actors]
-- default = 3
-- unit = "accounts"
-- meaning = "a refusal that met so many others on the same route is nobody's probing"
-- [parameters.others_window_s]
-- default = 604800
-- unit = "s"
-- meaning = "window of `other_actors`"
-- [parameters.page_load_s]
-- default = 2
-- unit = "s"
-- meaning = "what is asked for so soon after a page was loaded, the page asked for"
--
-- [arms.routes]
-- window = "window_s"
-- thresholds = ["routes", "window_s"]
-- finding = "probing"
-- sentence = "{actor} was forbidden {items:route|different routes} ({examples}) in {span}; {success}"
-- [arms.privileged]
-- window = "window_s"
-- thresholds = ["privileged_routes", "window_s"]
-- finding = "probing"
-- sentence = """
-- {actor} tried to change something on {items:privileged route|different privileged routes} ({examples}) in {span},
-- each forbidden; {success}"""
-- [arms.interface]
-- window = "others_window_s"
-- thresholds = ["routes", "other_actors", "others_window_s", "page_load_s"]
-- finding = "interface"
-- sentence = """
-- The interface asks for what it may not have ({examples}), as soon as a page is loaded, {count:time|times}
-- in {span}"""
--
-- [[not_judged]]
-- why = "no actor: who was forbidden is not known"
-- where = "counted AND outcome = 'denied' AND actor IS NULL AND reason = 'forbidden'"
-- [[not_judged]]
-- why = "no mark of privilege: only the number of routes counts, not whether they are privileged"
-- where = """
-- counted AND outcome = 'denied' AND actor IS NOT NULL AND reason = 'forbidden'
-- AND privileged IS NULL AND method IN ('POST', 'PUT', 'PATCH', 'DELETE')"""
-- [[not_judged]]
-- why = "a signed-in account was sent to sign in: it may lack a role, or only a fresh sign-in"
-- where = """
-- counted AND outcome = 'denied' AND actor IS NOT NULL AND reason = 'login-required'"""
WITH refusal AS (
    SELECT
        m.seq,
        m.ts,
        m.actor,
        m.template AS place,
        CASE WHEN m.actor_kind IS NULL OR m.actor_kind = 'user' THEN 1 ELSE 0 END AS is_ordinary,
        CASE
            WHEN m.privileged AND m.method IN ('POST', 'PUT', 'PATCH', 'DELETE') THEN 1 ELSE 0
        END AS is_privileged
    FROM matched AS m
),
-- how many ordinary accounts a route was refused to, in the days before each refusal
meeting AS (
    SELECT
        seq,
        ts,
        place,
        ts - LAG(ts) OVER same AS since_same,
        LEAD(ts) OVER same - ts AS until_same
    FROM refusal
    WHERE is_ordinary = 1
    WINDOW same AS (PARTITION BY place, actor ORDER BY ts, seq)
),
meeting_change AS (
    SELECT
        seq,
        place,
        ts AS at_ts,
        1 AS phase,
        CASE WHEN since_same < $others_window_us THEN 0 ELSE 1 END AS delta
    FROM meeting
    UNION ALL
    SELECT seq, place, ts + $others_window_us AS at_ts, 0 AS phase, -1 AS delta FROM meeting
    WHERE until_same IS NULL OR until_same >= $others_window_us
    UNION ALL
    SELECT seq, place, ts AS at_ts, 1 AS phase, 0 AS delta FROM refusal
    WHERE is_ordinary = 0
),
met AS (
    SELECT
        seq,
        phase,
        CAST(SUM(delta) OVER (
            PARTITION BY place ORDER BY at_ts, phase, seq
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT) AS actors
    FROM meeting_change
),
-- refused to so many others that it says nothing about this account
common AS (
    SELECT r.seq FROM refusal AS r
    INNER JOIN met AS m ON r.seq = m.seq
    WHERE m.phase = 1 AND m.actors - r.is_ordinary >= $other_actors
),
own AS (
    SELECT r.seq, r.ts, r.actor, r.place, 'routes' AS arm FROM refusal AS r
    WHERE NOT EXISTS (SELECT 1 FROM common AS c WHERE c.seq = r.seq)
    UNION ALL
    SELECT r.seq, r.ts, r.actor, r.place, 'privileged' AS arm FROM refusal AS r
    WHERE
        r.is_privileged = 1 AND NOT EXISTS (SELECT 1 FROM common AS c WHERE c.seq = r.seq)
),
turn AS (
    SELECT
        seq,
        ts,
        actor,
        place,
        arm,
        ts - LAG(ts) OVER same AS since_same,
        LEAD(ts) OVER same - ts AS until_same
    FROM own
    WINDOW same AS (PARTITION BY arm, actor, place ORDER BY ts, seq)
),
-- distinct routes in the window: a route counts from its first refusal in it until it expires
change AS (
    SELECT
        seq,
        arm,
        actor,
        ts AS at_ts,
        1 AS phase,
        CASE WHEN since_same < $window_us THEN 0 ELSE 1 END AS delta
    FROM turn
    UNION ALL
    SELECT seq, arm, actor, ts + $window_us AS at_ts, 0 AS phase, -1 AS delta FROM turn
    WHERE until_same IS NULL OR until_same >= $window_us
),
running AS (
    SELECT
        seq,
        arm,
        phase,
        CAST(SUM(delta) OVER (
            PARTITION BY arm, actor ORDER BY at_ts, phase, seq
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT) AS routes
    FROM change
),
probing AS (
    SELECT
        t.seq,
        t.ts,
        t.actor,
        t.place,
        t.arm,
        CASE
            WHEN t.arm = 'routes' AND r.routes >= $routes THEN 4
            WHEN t.arm = 'privileged' AND r.routes >= $privileged_routes THEN 4
            ELSE 0
        END AS severity
    FROM turn AS t
    INNER JOIN running AS r ON t.seq = r.seq AND t.arm = r.arm
    WHERE r.phase = 1
),
prober AS (
    SELECT DISTINCT actor, place FROM probing
    WHERE actor IN (SELECT actor FROM probing WHERE severity > 0)
),
-- refusals by the page load that each came with, of accounts that met what enough others did
shared_place AS (
    SELECT place FROM refusal
    WHERE is_ordinary = 1
    GROUP BY place
    HAVING COUNT(DISTINCT actor) > $other_actors
),
sharer AS (
    SELECT DISTINCT actor FROM refusal
    WHERE is_ordinary = 1 AND place IN (SELECT place FROM shared_place)
),
seen AS (
    SELECT seq, ts, actor, place, 1 AS phase, CAST(NULL AS BIGINT) AS loaded_ts FROM refusal
    WHERE is_ordinary = 1 AND actor IN (SELECT actor FROM sharer)
    UNION ALL
    SELECT e.seq, e.ts, e.actor, '' AS place, 0 AS phase, e.ts AS loaded_ts FROM events AS e
    WHERE e.is_page AND e.actor IN (SELECT actor FROM sharer)
),
after_page AS (
    SELECT
        seq,
        ts,
        actor,
        place,
        phase,
        MAX(loaded_ts) OVER (
            PARTITION BY actor ORDER BY ts, phase, seq
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS page_ts
    FROM seen
),
burst AS (
    SELECT
        actor,
        page_ts,
        MAX(ts) AS last_ts,
        ARRAY_JOIN(ARRAY_SORT(ARRAY_AGG(DISTINCT place)), ' ') AS places
    FROM after_page
    WHERE phase = 1 AND ts - page_ts <= $page_load_us
    GROUP BY actor, page_ts
    HAVING COUNT(DISTINCT place) >= $routes
),
burst_turn AS (
    SELECT
        actor,
        page_ts,
        last_ts,
        places,
        last_ts - LAG(last_ts) OVER same AS since_same,
        LEAD(last_ts) OVER same - last_ts AS until_same
    FROM burst
    WINDOW same AS (PARTITION BY places, actor ORDER BY last_ts, page_ts)
),
burst_change AS (
    SELECT
        actor,
        page_ts,
        places,
        last_ts AS at_ts,
        1 AS phase,
        CASE WHEN since_same < $others_window_us THEN 0 ELSE 1 END AS delta
    FROM burst_turn
    UNION ALL
    SELECT
        actor, page_ts, places, last_ts + $others_window_us AS at_ts, 0 AS phase, -1 AS delta
    FROM burst_turn
    WHERE until_same IS NULL OR until_same >= $others_window_us
),
burst_running AS (
    SELECT
        actor,
        page_ts,
        places,
        phase,
        CAST(SUM(delta) OVER (
            PARTITION BY places ORDER BY at_ts, phase, actor, page_ts
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT) AS actors
    FROM burst_change
),
interface AS (
    SELECT
        a.seq,
        a.ts,
        a.place,
        b.places,
        b.actors,
        ROW_NUMBER() OVER (PARTITION BY b.actor, b.page_ts ORDER BY a.ts DESC, a.seq DESC) AS from_end
    FROM after_page AS a
    INNER JOIN burst_running AS b ON a.actor = b.actor AND a.page_ts = b.page_ts
    WHERE a.phase = 1 AND b.phase = 1 AND a.ts - a.page_ts <= $page_load_us
)
SELECT
    arm,
    'actor' AS key_names,
    actor AS key_a,
    '' AS key_b,
    '' AS scope,
    ts,
    seq,
    'hit' AS part,
    severity,
    severity AS shared_severity,
    CAST(NULL AS STRING) AS from_source,
    FALSE AS is_ok,
    place AS item,
    '' AS detail
FROM probing
UNION ALL
SELECT
    'routes' AS arm,
    'actor' AS key_names,
    e.actor AS key_a,
    '' AS key_b,
    '' AS scope,
    e.ts,
    e.seq,
    'result' AS part,
    0 AS severity,
    0 AS shared_severity,
    CAST(NULL AS STRING) AS from_source,
    TRUE AS is_ok,
    e.template AS item,
    '' AS detail
FROM events AS e
INNER JOIN prober AS p ON e.actor = p.actor AND e.template = p.place
WHERE
    e.counted AND e.outcome = 'ok'
    AND (e.resource IS NULL OR e.resource <> 'flowaudit-beacon')
UNION ALL
SELECT
    'interface' AS arm,
    'routes' AS key_names,
    places AS key_a,
    '' AS key_b,
    '' AS scope,
    ts,
    seq,
    'hit' AS part,
    CASE WHEN actors > $other_actors AND from_end = 1 THEN 1 ELSE 0 END AS severity,
    CASE WHEN actors > $other_actors AND from_end = 1 THEN 1 ELSE 0 END AS shared_severity,
    CAST(NULL AS STRING) AS from_source,
    FALSE AS is_ok,
    place AS item,
    '' AS detail
FROM interface
