-- One row for each event that keeps a finding open, with the number of its episode: a new one starts
-- when the key was quiet for one whole window.
WITH once AS (
    SELECT
        finding,
        key_names,
        key_a,
        key_b,
        ts,
        seq,
        MAX(quiet_us) AS quiet_us
    FROM graded
    WHERE part = 'hit'
    GROUP BY finding, key_names, key_a, key_b, ts, seq
),
paused AS (
    SELECT
        finding,
        key_names,
        key_a,
        key_b,
        ts,
        seq,
        CASE
            WHEN ts - LAG(ts) OVER (
                PARTITION BY finding, key_names, key_a, key_b ORDER BY ts, seq
            ) < quiet_us THEN 0
            ELSE 1
        END AS opens
    FROM once
)
SELECT
    finding,
    key_names,
    key_a,
    key_b,
    ts,
    seq,
    CAST(SUM(opens) OVER (
        PARTITION BY finding, key_names, key_a, key_b ORDER BY ts, seq
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS BIGINT) AS episode
FROM paused
