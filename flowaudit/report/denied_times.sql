-- Refusals by time, in buckets of $bucket_us; empty buckets are left out.
SELECT ts - ts % $bucket_us AS bucket, COUNT(*) AS n
FROM denied_event
GROUP BY 1
ORDER BY 1
