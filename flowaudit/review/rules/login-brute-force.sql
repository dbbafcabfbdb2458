-- id = "login-brute-force"
-- title = "Many failed sign-ins to one account"
-- version = 1
-- status = "stable"
-- level = "medium"
-- description = "Repeated failed sign-ins against one account, from one source or spread over many."
-- why = "Guessing works in the end where nobody counts the failures."
-- action = """
-- Look whether a sign-in succeeded afterwards. Lock or slow the account, block the source, tell the
-- person."""
-- if_allowed = "a sign-in succeeded"
-- if_refused = "no sign-in succeeded"
-- tags = ["attack.credential-access", "attack.t1110.001", "appsensor.ae2", "appsensor.ae3"]
-- appsensor = ["AE2", "AE3"]
-- attack = ["T1110.001"]
-- falsepositives = [
--   "A phone with an old saved password: constant interval, known client, so info only.",
--   "Four typing errors and then success.",
--   "An outage of the identity provider: outcome error, which counts for nothing.",
-- ]
-- filter = """
-- kind = 'auth' AND action = 'login-failed' AND login IS NOT NULL
-- AND (outcome IS NULL OR outcome <> 'error')"""
-- fields = ["login", "client_key", "net", "ua", "actor", "privileged"]
-- lookback_s = 2592000
-- agents = """
-- WITH tried AS (
--   SELECT login FROM matched
--   GROUP BY login
--   HAVING COUNT(*) >= $failures OR COUNT(*) >= $spread_failures
-- ), account AS (
--   SELECT login, actor FROM matched WHERE actor IS NOT NULL
--   UNION
--   SELECT login, actor FROM events
--   WHERE kind = 'auth' AND action = 'login' AND login IS NOT NULL AND actor IS NOT NULL
-- )
-- SELECT ua FROM matched WHERE login IN (SELECT login FROM tried)
-- UNION
-- SELECT ua FROM events
-- WHERE
--   (kind = 'auth' AND action = 'login' AND login IN (SELECT login FROM tried))
--   OR (
--     outcome = 'ok' AND client IS NOT NULL
--     AND actor IN (
--       SELECT a.actor FROM account AS a INNER JOIN tried AS t ON a.login = t.login
--     )
--   )"""
--
-- [parameters.failures]
-- default = 5
-- minimum = 2
-- unit = "failed sign-ins"
-- meaning = "failures for one login from one source"
-- [parameters.window_s]
-- default = 600
-- unit = "s"
-- meaning = "window of `failures`"
-- [parameters.spread_failures]
-- default = 20
-- minimum = 2
-- unit = "failed sign-ins"
-- meaning = "failures for one login from any number of sources"
-- [parameters.spread_window_s]
-- default = 3600
-- unit = "s"
-- meaning = "window of `spread_failures`"
-- [parameters.jitter_percent]
-- default = 10
-- minimum = 0
-- unit = "%"
-- meaning = "pauses that differ by no more than this share of the longest are a constant interval"
-- [parameters.shortest_pause_s]
-- default = 1
-- unit = "s"
-- meaning = "shorter pauses are never taken for a device that retries by itself"
-- [parameters.known_for_s]
-- default = 2592000
-- unit = "s"
-- meaning = "a client is known to an account if it was let in within this time"
--
-- [arms.source]
-- window = "window_s"
-- thresholds = ["failures", "window_s"]
-- doubled = ["failures"]
-- finding = "source"
-- sentence = """
-- {count:failed sign-in|failed sign-ins} as {login} from {client} in {span}; {success}"""
-- [arms.source.notes]
-- retry = """
-- At a constant interval from a client that the account knows: a device with an old password."""
-- [arms.spread]
-- window = "spread_window_s"
-- thresholds = ["spread_failures", "spread_window_s"]
-- finding = "spread"
-- sentence = """
-- {count:failed sign-in|failed sign-ins} as {login} in {span}, from {items:source|sources}; {success}"""
--
-- [[not_judged]]
-- why = "no login: the app did not say which name was typed, or it was erased"
-- where = "kind = 'auth' AND action = 'login-failed' AND login IS NULL"
-- [[not_judged]]
-- why = "no client: judged by account only"
-- where = """
-- kind = 'auth' AND action = 'login-failed' AND login IS NOT NULL AND client IS NULL"""
-- [[not_judged]]
-- why = "no secret_tag is recorded: repeats of one wrong secret are not told from other secrets"
-- where = "kind = 'auth' AND action = 'login-failed' AND login IS NOT NULL"
-- [[not_judged]]
-- why = "no sign-in events in this log: sign-ins show only as requests"
-- where = "counted AND NOT EXISTS (SELECT 1 FROM events AS a WHERE a.kind = 'auth')"
WITH tried AS (
    SELECT login FROM matched
    GROUP BY login
    HAVING COUNT(*) >= $failures OR COUNT(*) >= $spread_failures
),
failure AS (
    SELECT m.seq, m.ts, m.login, m.client_key, m.net, COALESCE(m.ua, '') AS agent_text, m.privileged
    FROM matched AS m
    INNER JOIN tried AS t ON m.login = t.login
),
account AS (
    SELECT login, actor FROM matched
    WHERE actor IS NOT NULL
    UNION
    SELECT login, actor FROM events
    WHERE kind = 'auth' AND action = 'login' AND login IS NOT NULL AND actor IS NOT NULL
),
tried_account AS (
    SELECT a.login, a.actor FROM account AS a
    INNER JOIN tried AS t ON a.login = t.login
),
privileged_login AS (
    SELECT login, MIN(mark_ts) AS since_ts
    FROM (
        SELECT a.login, p.since_ts AS mark_ts FROM tried_account AS a
        INNER JOIN privileged_actor AS p ON a.actor = p.actor
        UNION ALL
        SELECT login, ts AS mark_ts FROM failure
        WHERE privileged
    ) AS mark
    GROUP BY login
),
-- events in which a client was let in to an account
entry AS (
    SELECT a.login, e.ua, e.net, e.ts, e.hour
    FROM events AS e
    INNER JOIN tried_account AS a ON e.actor = a.actor
    WHERE e.outcome = 'ok' AND e.net IS NOT NULL
    UNION ALL
    SELECT e.login, e.ua, e.net, e.ts, e.hour
    FROM events AS e
    INNER JOIN tried AS t ON e.login = t.login
    WHERE e.kind = 'auth' AND e.action = 'login' AND e.net IS NOT NULL
),
-- by the hour, the first and the last of them
known AS (
    SELECT
        e.login,
        g.client_class,
        e.net,
        MIN(e.ts) AS first_ts,
        MAX(e.ts) AS last_ts
    FROM entry AS e
    INNER JOIN agent AS g ON g.ua = COALESCE(e.ua, '')
    GROUP BY e.login, g.client_class, e.net, e.hour
),
from_known AS (
    SELECT DISTINCT f.seq
    FROM failure AS f
    INNER JOIN agent AS g ON f.agent_text = g.ua
    INNER JOIN known AS k ON f.login = k.login AND f.net = k.net AND g.client_class = k.client_class
    WHERE k.first_ts < f.ts AND k.last_ts > f.ts - $known_for_us
),
paused AS (
    SELECT
        seq,
        ts,
        login,
        client_key,
        ts - LAG(ts) OVER (PARTITION BY login, client_key ORDER BY ts, seq) AS pause
    FROM failure
),
measured AS (
    SELECT
        seq,
        ts,
        login,
        client_key,
        COUNT(pause) OVER lately AS pauses,
        MIN(pause) OVER lately AS shortest,
        MAX(pause) OVER lately AS longest
    FROM paused
    WINDOW lately AS (
        PARTITION BY login, client_key ORDER BY ts, seq
        ROWS BETWEEN $failures - 2 PRECEDING AND CURRENT ROW
    )
),
-- a device that retries by itself: constant pauses, and a client that the account knows
retry AS (
    SELECT m.seq
    FROM measured AS m
    INNER JOIN from_known AS k ON m.seq = k.seq
    WHERE
        m.pauses = $failures - 1
        AND m.shortest >= $shortest_pause_us
        AND (m.longest - m.shortest) * 100 <= m.longest * $jitter_percent
),
judged AS (
    SELECT seq, ts, login, client_key, 1 AS is_retry FROM failure
    WHERE seq IN (SELECT seq FROM retry)
    UNION ALL
    SELECT seq, ts, login, client_key, 0 AS is_retry FROM failure
    WHERE seq NOT IN (SELECT seq FROM retry)
),
by_source AS (
    SELECT
        seq,
        ts,
        login,
        client_key,
        is_retry,
        LAG(ts, $failures - 1) OVER turn > ts - $window_us AS is_full,
        LAG(ts, 2 * $failures - 1) OVER turn > ts - $window_us AS is_doubly_full
    FROM judged
    WHERE client_key IS NOT NULL
    WINDOW turn AS (PARTITION BY login, client_key ORDER BY ts, seq)
),
spread AS (
    SELECT
        seq,
        ts,
        login,
        client_key,
        LAG(ts, $spread_failures - 1) OVER turn > ts - $spread_window_us AS is_full
    FROM judged
    WHERE is_retry = 0
    WINDOW turn AS (PARTITION BY login ORDER BY ts, seq)
),
privileged_failure AS (
    SELECT DISTINCT f.seq FROM failure AS f
    INNER JOIN privileged_login AS p ON f.login = p.login
    WHERE p.since_ts < f.ts + $window_us
),
levelled AS (
    SELECT seq, 4 AS grade FROM privileged_failure
    UNION ALL
    SELECT seq, 3 AS grade FROM failure
    WHERE seq NOT IN (SELECT seq FROM privileged_failure)
)
SELECT
    'source' AS arm,
    'login,client' AS key_names,
    s.login AS key_a,
    s.client_key AS key_b,
    '' AS scope,
    s.ts,
    s.seq,
    'hit' AS part,
    CASE WHEN s.is_full THEN CASE WHEN s.is_retry = 1 THEN 1 ELSE l.grade END ELSE 0 END
        AS severity,
    CASE WHEN s.is_doubly_full THEN CASE WHEN s.is_retry = 1 THEN 1 ELSE l.grade END ELSE 0 END
        AS shared_severity,
    s.client_key AS from_source,
    FALSE AS is_ok,
    s.client_key AS item,
    CASE WHEN s.is_retry = 1 THEN 'retry' ELSE '' END AS detail
FROM by_source AS s
INNER JOIN levelled AS l ON s.seq = l.seq
UNION ALL
SELECT
    'spread' AS arm,
    'login' AS key_names,
    login AS key_a,
    '' AS key_b,
    '' AS scope,
    ts,
    seq,
    'hit' AS part,
    CASE WHEN is_full THEN 4 ELSE 0 END AS severity,
    CASE WHEN is_full THEN 4 ELSE 0 END AS shared_severity,
    CAST(NULL AS STRING) AS from_source,
    FALSE AS is_ok,
    client_key AS item,
    '' AS detail
FROM spread
UNION ALL
SELECT
    'source' AS arm,
    'login,client' AS key_names,
    e.login AS key_a,
    e.client_key AS key_b,
    '' AS scope,
    e.ts,
    e.seq,
    'result' AS part,
    0 AS severity,
    0 AS shared_severity,
    e.client_key AS from_source,
    TRUE AS is_ok,
    '' AS item,
    '' AS detail
FROM events AS e
INNER JOIN tried AS t ON e.login = t.login
WHERE e.kind = 'auth' AND e.action = 'login' AND e.client_key IS NOT NULL
UNION ALL
SELECT
    'spread' AS arm,
    'login' AS key_names,
    e.login AS key_a,
    '' AS key_b,
    '' AS scope,
    e.ts,
    e.seq,
    'result' AS part,
    0 AS severity,
    0 AS shared_severity,
    CAST(NULL AS STRING) AS from_source,
    TRUE AS is_ok,
    '' AS item,
    '' AS detail
FROM events AS e
INNER JOIN tried AS t ON e.login = t.login
WHERE e.kind = 'auth' AND e.action = 'login'
