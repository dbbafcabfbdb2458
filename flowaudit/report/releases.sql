-- What may mark a release: recorded deployments, and starts of processes.
SELECT ts, kind, facts
FROM events
WHERE (kind = 'ops' AND action = 'deploy') OR (kind = 'process' AND action = 'start')
ORDER BY ts, seq
