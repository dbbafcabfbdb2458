-- id = "sensitive-path-probe"
-- title = "Requests for well-known sensitive paths"
-- version = 1
-- status = "stable"
-- level = "low"
-- description = "Requests for files and consoles that scanners know and people do not ask for."
-- why = "It is how most break-ins begin; and what is answered is exposed to everybody."
-- action = """
-- If anything was answered with content, take it off the web at once and change every secret in it.
-- Else block the source."""
-- if_allowed = "something was answered with content"
-- if_refused = "nothing was answered with content"
-- tags = ["attack.reconnaissance", "attack.t1595.003", "appsensor.ace3"]
-- appsensor = ["ACE3"]
-- attack = ["T1595.003"]
-- falsepositives = [
--   "Certificate renewal and password managers below /.well-known/, phones, browsers: never listed.",
--   "The app's own /admin/ used by staff: tier B is left out where the app's routes match.",
--   "A single-page app that answers everything with its start page: probed, but not exposed.",
-- ]
-- filter = "counted AND path IS NOT NULL AND client IS NOT NULL"
-- fields = ["path_decoded", "client_key", "status", "bytes_out", "method", "host"]
-- lookback_s = 300
--
-- [parameters.hits]
-- default = 1
-- unit = "requests"
-- meaning = "requests for tier A that give a low finding"
-- [parameters.paths]
-- default = 3
-- unit = "distinct paths"
-- meaning = "distinct paths of one tier that give a medium finding"
-- [parameters.window_s]
-- default = 300
-- unit = "s"
-- meaning = "window of `hits` and `paths`"
-- [parameters.catch_all_percent]
-- default = 10
-- unit = "%"
-- meaning = """
-- if this share of all other answered paths has the same length, something answers everything"""
--
-- [arms.tier_a]
-- window = "window_s"
-- thresholds = ["hits", "paths", "window_s"]
-- doubled = ["hits", "paths"]
-- finding = "probe"
-- sentence = "{client} asked for {items:sensitive path|sensitive paths} ({examples}){within}; {success}"
-- [arms.tier_b]
-- window = "window_s"
-- thresholds = ["paths", "window_s"]
-- doubled = ["paths"]
-- finding = "probe"
-- sentence = "{client} asked for {items:sensitive path|sensitive paths} ({examples}){within}; {success}"
-- [arms.exposed]
-- window = "window_s"
-- thresholds = ["window_s"]
-- finding = "exposed"
-- sentence = "{examples} is exposed: {client} asked for it and got content, {count:time|times}"
--
-- [[not_judged]]
-- why = "no path: it was not in the log, or it was erased"
-- where = "counted AND path IS NULL"
-- [[not_judged]]
-- why = "no client: it was not in the log, or it was erased"
-- where = "counted AND path IS NOT NULL AND client IS NULL"
-- [[not_judged]]
-- why = "no type of content is recorded: answers are compared by their length alone"
-- where = """
-- counted AND status BETWEEN 200 AND 299 AND bytes_out > 0 AND path_decoded IN (
--   SELECT entry FROM sensitive_path WHERE tier = 'A'
-- )"""
WITH asked AS (
    SELECT
        path_decoded AS path,
        REGEXP_EXTRACT(path_decoded, '[^/]*$', 0) AS last_part
    FROM (SELECT DISTINCT path_decoded FROM matched) AS distinct_path
),
-- a file matches at the end of a path, a folder anywhere in it
tiered AS (
    SELECT a.path, s.entry, s.tier
    FROM asked AS a
    INNER JOIN sensitive_path AS s ON a.last_part = s.last_part
    WHERE
        s.last_part <> ''
        AND LENGTH(a.path) >= LENGTH(s.entry)
        AND SUBSTR(a.path, LENGTH(a.path) - LENGTH(s.entry) + 1) = s.entry
    UNION ALL
    SELECT a.path, s.entry, s.tier
    FROM asked AS a
    INNER JOIN (SELECT entry, tier FROM sensitive_path WHERE last_part = '') AS s
        ON POSITION(s.entry IN CONCAT(a.path, '/')) > 0
),
innocent AS (
    SELECT a.path
    FROM asked AS a
    INNER JOIN never_path AS n ON SUBSTR(a.path, 1, LENGTH(n.entry)) = n.entry
    WHERE
        (n.last_part = '' AND POSITION('/..' IN a.path) = 0) OR a.path = n.entry
),
route AS (
    SELECT DISTINCT CONCAT('/', LOWER(TRIM(LEADING '^/' FROM e.route)), '/') AS route_text
    FROM events AS e
    WHERE e.route IS NOT NULL
),
-- where the log knows no route, as an access log does not, what is answered is what is routed
served AS (
    SELECT route_text FROM route
    UNION ALL
    SELECT DISTINCT CONCAT(path_decoded, '/') AS route_text FROM matched
    WHERE
        status BETWEEN 200 AND 299
        AND path_decoded IN (SELECT path FROM tiered WHERE tier = 'B')
        AND NOT EXISTS (SELECT 1 FROM route AS r)
),
routed AS (
    SELECT DISTINCT s.entry
    FROM sensitive_path AS s
    INNER JOIN served AS r
        ON POSITION(CONCAT(TRIM(TRAILING '/' FROM s.entry), '/') IN r.route_text) > 0
    WHERE s.tier = 'B'
),
listed AS (
    SELECT
        path,
        MIN(entry) AS first_entry,
        MIN(tier) AS first_tier
    FROM tiered AS t
    WHERE
        NOT EXISTS (SELECT 1 FROM routed AS r WHERE t.tier = 'B' AND r.entry = t.entry)
        AND NOT EXISTS (SELECT 1 FROM innocent AS i WHERE i.path = t.path)
    GROUP BY path
),
probe AS (
    SELECT
        m.seq,
        m.ts,
        m.client_key,
        l.path,
        l.first_tier AS tier,
        l.first_entry AS entry,
        m.bytes_out AS size,
        COALESCE(m.host, '') AS on_host,
        COALESCE(
            l.first_tier = 'A' AND m.status BETWEEN 200 AND 299 AND m.bytes_out > 0
            AND (m.method IS NULL OR m.method <> 'HEAD'),
            FALSE
        ) AS has_content
    FROM matched AS m
    INNER JOIN listed AS l ON m.path_decoded = l.path
),
-- answers that could show that something answers everything alike
content AS (
    SELECT DISTINCT entry, client_key, size, on_host FROM probe
    WHERE has_content
),
answer AS (
    SELECT DISTINCT m.client_key AS by_client, m.path_decoded AS other, s.size, s.on_host
    FROM matched AS m
    INNER JOIN (SELECT DISTINCT size, on_host FROM content) AS s
        ON m.bytes_out = s.size AND COALESCE(m.host, '') = s.on_host
    WHERE m.status BETWEEN 200 AND 299
),
-- by entry and not by request: what many ask for of an app that answers alike stays small
alike AS (
    SELECT c.entry, c.size, c.on_host, a.other
    FROM (SELECT DISTINCT entry, size, on_host FROM content) AS c
    INNER JOIN (SELECT DISTINCT other, size, on_host FROM answer) AS a
        ON c.size = a.size AND c.on_host = a.on_host
    WHERE POSITION(c.entry IN a.other) = 0
),
answered AS (
    SELECT on_host, COUNT(DISTINCT path_decoded) AS paths
    FROM (
        SELECT m.path_decoded, COALESCE(m.host, '') AS on_host
        FROM matched AS m
        WHERE m.status BETWEEN 200 AND 299 AND m.bytes_out > 0
    ) AS answer_with_body
    WHERE
        on_host IN (SELECT on_host FROM content)
        AND path_decoded NOT IN (SELECT path FROM listed)
    GROUP BY on_host
),
catch_all AS (
    SELECT entry, size, on_host FROM alike
    WHERE
        other IN ('/', '/index.html')
        OR other IN (SELECT path FROM listed WHERE first_tier = 'A')
    UNION
    SELECT a.entry, a.size, a.on_host
    FROM alike AS a
    INNER JOIN answered AS t ON a.on_host = t.on_host
    WHERE a.other NOT IN (SELECT path FROM listed)
    GROUP BY a.entry, a.size, a.on_host, t.paths
    HAVING COUNT(*) * 100 >= t.paths * $catch_all_percent
),
-- whoever got it got the same for something else
same_for_other AS (
    SELECT DISTINCT c.entry, c.client_key, c.size, c.on_host
    FROM content AS c
    INNER JOIN answer AS a
        ON c.client_key = a.by_client AND c.size = a.size AND c.on_host = a.on_host
    WHERE POSITION(c.entry IN a.other) = 0
),
exposed AS (
    SELECT p.seq FROM probe AS p
    WHERE
        p.has_content
        AND NOT EXISTS (
            SELECT 1 FROM catch_all AS c
            WHERE c.entry = p.entry AND c.size = p.size AND c.on_host = p.on_host
        )
        AND NOT EXISTS (
            SELECT 1 FROM same_for_other AS o
            WHERE
                o.entry = p.entry AND o.client_key = p.client_key
                AND o.size = p.size AND o.on_host = p.on_host
        )
),
turn AS (
    SELECT
        seq,
        ts,
        client_key,
        path,
        tier,
        ts - LAG(ts) OVER same AS since_same,
        LEAD(ts) OVER same - ts AS until_same,
        LAG(ts, $hits - 1) OVER every > ts - $window_us AS is_hit,
        LAG(ts, 2 * $hits - 1) OVER every > ts - $window_us AS is_doubly_hit
    FROM probe
    WINDOW
        same AS (PARTITION BY client_key, tier, path ORDER BY ts, seq),
        every AS (PARTITION BY client_key, tier ORDER BY ts, seq)
),
-- distinct paths in the window: a path counts from its first request in it until it expires
change AS (
    SELECT
        seq,
        client_key,
        tier,
        ts AS at_ts,
        1 AS phase,
        CASE WHEN since_same < $window_us THEN 0 ELSE 1 END AS delta
    FROM turn
    UNION ALL
    SELECT seq, client_key, tier, ts + $window_us AS at_ts, 0 AS phase, -1 AS delta FROM turn
    WHERE until_same IS NULL OR until_same >= $window_us
),
running AS (
    SELECT
        seq,
        phase,
        CAST(SUM(delta) OVER (
            PARTITION BY client_key, tier ORDER BY at_ts, phase, seq
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT) AS distinct_paths
    FROM change
)
SELECT
    CASE WHEN t.tier = 'A' THEN 'tier_a' ELSE 'tier_b' END AS arm,
    'client' AS key_names,
    t.client_key AS key_a,
    '' AS key_b,
    '' AS scope,
    t.ts,
    t.seq,
    'hit' AS part,
    CASE
        WHEN r.distinct_paths >= $paths THEN 3
        WHEN t.tier = 'A' AND t.is_hit THEN 2
        ELSE 0
    END AS severity,
    CASE
        WHEN r.distinct_paths >= 2 * $paths THEN 3
        WHEN t.tier = 'A' AND t.is_doubly_hit THEN 2
        ELSE 0
    END AS shared_severity,
    t.client_key AS from_source,
    FALSE AS is_ok,
    t.path AS item,
    '' AS detail
FROM turn AS t
INNER JOIN running AS r ON t.seq = r.seq
WHERE r.phase = 1
UNION ALL
SELECT
    'tier_a' AS arm,
    'client' AS key_names,
    p.client_key AS key_a,
    '' AS key_b,
    '' AS scope,
    p.ts,
    p.seq,
    'result' AS part,
    0 AS severity,
    0 AS shared_severity,
    p.client_key AS from_source,
    TRUE AS is_ok,
    '' AS item,
    '' AS detail
FROM probe AS p
INNER JOIN exposed AS x ON p.seq = x.seq
UNION ALL
SELECT
    'exposed' AS arm,
    'client' AS key_names,
    p.client_key AS key_a,
    '' AS key_b,
    '' AS scope,
    p.ts,
    p.seq,
    'hit' AS part,
    5 AS severity,
    5 AS shared_severity,
    CAST(NULL AS STRING) AS from_source,
    TRUE AS is_ok,
    p.path AS item,
    '' AS detail
FROM probe AS p
INNER JOIN exposed AS x ON p.seq = x.seq
