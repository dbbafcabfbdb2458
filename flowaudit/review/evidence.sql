-- The events in the window of each firing, up to the event at which it fired.
SELECT
    f.fire_role,
    f.fire_no,
    g.ts,
    g.seq,
    g.part,
    g.item,
    g.detail,
    CASE WHEN g.seq = f.seq THEN 0 ELSE 1 END AS is_before,
    ROW_NUMBER() OVER (
        PARTITION BY f.fire_role, f.fire_no, g.item ORDER BY g.ts, g.seq
    ) AS nth
FROM fire AS f
INNER JOIN graded AS g
    ON
        f.finding = g.finding AND f.key_names = g.key_names
        AND f.key_a = g.key_a AND f.key_b = g.key_b
        AND f.arm = g.arm AND f.scope = g.scope
WHERE
    g.part <> 'result'
    AND g.ts > f.ts - f.window_us
    AND (g.ts < f.ts OR (g.ts = f.ts AND g.seq <= f.seq))
