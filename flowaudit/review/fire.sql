-- One row for each episode in which something fired: where it first did (role 'first'), and where it
-- first reached its highest severity (role 'best').
WITH firing AS (
    SELECT
        g.finding,
        g.key_names,
        g.key_a,
        g.key_b,
        m.episode,
        g.arm,
        g.scope,
        g.ts,
        g.seq,
        g.grade,
        g.is_shared,
        g.detail,
        g.window_us,
        g.quiet_us,
        ROW_NUMBER() OVER (
            PARTITION BY g.finding, g.key_names, g.key_a, g.key_b, m.episode
            ORDER BY g.ts, g.seq, g.arm, g.scope
        ) AS first_rank,
        ROW_NUMBER() OVER (
            PARTITION BY g.finding, g.key_names, g.key_a, g.key_b, m.episode
            ORDER BY g.grade DESC, g.ts, g.seq, g.arm, g.scope
        ) AS best_rank
    FROM graded AS g
    INNER JOIN moment AS m
        ON
            g.finding = m.finding AND g.key_names = m.key_names
            AND g.key_a = m.key_a AND g.key_b = m.key_b AND g.seq = m.seq
    WHERE g.part = 'hit' AND g.grade > 0
),
chosen AS (
    SELECT
        'first' AS fire_role,
        finding,
        key_names,
        key_a,
        key_b,
        episode,
        arm,
        scope,
        ts,
        seq,
        grade,
        is_shared,
        detail,
        window_us,
        quiet_us
    FROM firing
    WHERE first_rank = 1
    UNION ALL
    SELECT
        'best' AS fire_role,
        finding,
        key_names,
        key_a,
        key_b,
        episode,
        arm,
        scope,
        ts,
        seq,
        grade,
        is_shared,
        detail,
        window_us,
        quiet_us
    FROM firing
    WHERE best_rank = 1
)
SELECT
    fire_role,
    DENSE_RANK() OVER (ORDER BY finding, key_names, key_a, key_b, episode) AS fire_no,
    finding,
    key_names,
    key_a,
    key_b,
    episode,
    arm,
    scope,
    ts,
    seq,
    grade,
    is_shared,
    detail,
    window_us,
    quiet_us
FROM chosen
