-- How many journeys stand in `funnel_reached`, and how long the step took: the lower median.
SELECT MAX(total) AS reached, MIN(took_us) FILTER (WHERE 2 * upto >= total) AS median_us
FROM (
    SELECT
        took_us,
        CAST(SUM(times) OVER (ORDER BY took_us) AS BIGINT) AS upto,
        CAST(SUM(times) OVER () AS BIGINT) AS total
    FROM (
        SELECT took_us, COUNT(*) AS times
        FROM funnel_reached
        GROUP BY took_us
    ) AS by_time
) AS ranked
