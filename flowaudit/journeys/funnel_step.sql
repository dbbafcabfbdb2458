-- How many journeys stand in `funnel_reached`, and how long the step took: the lower median.
SELECT
    CAST(MAX(total) AS BIGINT) AS reached,
    MIN(took_us) FILTER (WHERE 2 * upto >= total) AS median_us
FROM (
    SELECT
        took_us,
        SUM(n) OVER (ORDER BY took_us) AS upto,
        SUM(n) OVER () AS total
    FROM (
        SELECT took_us, COUNT(*) AS n
        FROM funnel_reached
        GROUP BY took_us
    ) AS counted_times
) AS ranked
