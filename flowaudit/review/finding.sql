-- One row for each finding.
WITH shown AS (
    SELECT
        fire_no,
        COUNT(*) AS evidence_total,
        COUNT(*) FILTER (WHERE part = 'context') AS context_total
    FROM evidence
    WHERE fire_role = 'best'
    GROUP BY fire_no
),
opened AS (
    SELECT
        fire_no,
        MIN(ts) AS first_ts
    FROM evidence
    GROUP BY fire_no
),
counted_moment AS (
    SELECT
        f.fire_no,
        o.first_ts,
        m.ts,
        m.seq
    FROM fire AS f
    INNER JOIN opened AS o ON f.fire_no = o.fire_no
    INNER JOIN moment AS m
        ON
            f.finding = m.finding AND f.key_names = m.key_names
            AND f.key_a = m.key_a AND f.key_b = m.key_b AND f.episode = m.episode
    WHERE f.fire_role = 'best' AND m.ts >= o.first_ts
),
lateness AS (
    SELECT
        fire_no,
        MAX(mark) AS late_mark
    FROM (
        SELECT
            fire_no,
            0 AS mark
        FROM counted_moment
        UNION ALL
        SELECT
            fire_no,
            1 AS mark
        FROM counted_moment
        WHERE seq IN (SELECT seq FROM late_event)
    ) AS marked
    GROUP BY fire_no
),
span AS (
    SELECT
        fire_no,
        first_ts,
        MAX(ts) AS last_ts,
        COUNT(*) AS moments
    FROM counted_moment
    GROUP BY fire_no, first_ts
),
content AS (
    SELECT
        f.fire_no,
        COUNT(DISTINCT g.item) FILTER (
            WHERE g.part = 'hit' AND g.arm = f.arm AND g.scope = f.scope AND g.ts <= s.last_ts
        ) AS items,
        COUNT(*) FILTER (WHERE g.is_ok) AS allowed
    FROM fire AS f
    INNER JOIN span AS s ON f.fire_no = s.fire_no
    INNER JOIN graded AS g
        ON
            f.finding = g.finding AND f.key_names = g.key_names
            AND f.key_a = g.key_a AND f.key_b = g.key_b
    WHERE f.fire_role = 'best' AND g.ts >= s.first_ts AND g.ts < s.last_ts + f.quiet_us
    GROUP BY f.fire_no
)
SELECT
    f.fire_no,
    f.arm,
    f.key_names,
    f.key_a,
    f.key_b,
    f.scope,
    f.grade,
    f.is_shared,
    f.detail,
    s.first_ts,
    s.last_ts,
    s.moments + h.context_total AS events,
    l.late_mark = 1 AS is_late,
    c.items,
    c.allowed > 0 AS is_allowed,
    h.evidence_total
FROM fire AS f
INNER JOIN span AS s ON f.fire_no = s.fire_no
INNER JOIN lateness AS l ON f.fire_no = l.fire_no
INNER JOIN content AS c ON f.fire_no = c.fire_no
INNER JOIN shown AS h ON f.fire_no = h.fire_no
WHERE f.fire_role = 'best'
ORDER BY f.fire_no
