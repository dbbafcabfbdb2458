-- The events of `evidence(value)`, a list of seq.
SELECT seq, ts, kind, action, method, COALESCE(path, template) AS target, status, outcome, reason
FROM events
WHERE seq IN (SELECT value FROM shown_event)
ORDER BY ts, seq
