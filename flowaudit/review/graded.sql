-- Rows of `hit` whose key fired at all, with the severity that holds for their source: a shared
-- source has doubled thresholds.
WITH fired AS (
    SELECT DISTINCT
        a.finding,
        h.key_names,
        h.key_a,
        h.key_b
    FROM hit AS h
    INNER JOIN arm AS a ON h.arm = a.arm
    WHERE h.severity > 0
),
near AS (
    SELECT
        a.finding,
        h.key_names,
        h.key_a,
        h.key_b,
        h.arm,
        h.scope,
        h.ts,
        h.seq,
        h.part,
        h.severity,
        h.shared_severity,
        h.from_source,
        h.is_ok,
        h.item,
        h.detail,
        a.window_us,
        a.quiet_us
    FROM hit AS h
    INNER JOIN arm AS a ON h.arm = a.arm
    INNER JOIN fired AS f
        ON
            a.finding = f.finding AND h.key_names = f.key_names
            AND h.key_a = f.key_a AND h.key_b = f.key_b
)
SELECT
    n.finding,
    n.key_names,
    n.key_a,
    n.key_b,
    n.arm,
    n.scope,
    n.ts,
    n.seq,
    n.part,
    n.shared_severity AS grade,
    TRUE AS is_shared,
    n.is_ok,
    n.item,
    n.detail,
    n.window_us,
    n.quiet_us
FROM near AS n
WHERE EXISTS (
    SELECT 1 FROM shared_source AS s
    WHERE
        s.client_key = n.from_source AND s.from_ts <= n.ts
        AND (s.until_ts IS NULL OR n.ts < s.until_ts)
)
UNION ALL
SELECT
    n.finding,
    n.key_names,
    n.key_a,
    n.key_b,
    n.arm,
    n.scope,
    n.ts,
    n.seq,
    n.part,
    n.severity AS grade,
    FALSE AS is_shared,
    n.is_ok,
    n.item,
    n.detail,
    n.window_us,
    n.quiet_us
FROM near AS n
WHERE NOT EXISTS (
    SELECT 1 FROM shared_source AS s
    WHERE
        s.client_key = n.from_source AND s.from_ts <= n.ts
        AND (s.until_ts IS NULL OR n.ts < s.until_ts)
)
