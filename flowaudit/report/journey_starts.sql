-- Journeys by the time they start, in buckets of $bucket_us; empty buckets are left out.
SELECT first_ts - first_ts % $bucket_us AS bucket, COUNT(*) AS n
FROM journey
GROUP BY 1
ORDER BY 1
