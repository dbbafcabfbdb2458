-- Refusals by hour (its start), in order of time, without empty hours.
SELECT hour, COUNT(*) AS times
FROM denied_event
GROUP BY hour
ORDER BY hour
