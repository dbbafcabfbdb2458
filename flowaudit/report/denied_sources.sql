-- Refusals by time for each client of `source(value)`, in buckets of $bucket_us.
SELECT client, ts - ts % $bucket_us AS bucket, COUNT(*) AS n
FROM denied_event
WHERE client IN (SELECT value FROM source)
GROUP BY 1, 2
ORDER BY client, bucket
