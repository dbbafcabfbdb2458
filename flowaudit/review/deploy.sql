-- When something was deployed.
SELECT ts
FROM events
WHERE kind = 'ops' AND action = 'deploy' AND ts IS NOT NULL
