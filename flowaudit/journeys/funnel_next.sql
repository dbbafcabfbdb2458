-- Of the journeys in `funnel_reached`, those that reach step $position later: its first match.
SELECT
    r.who_id,
    r.journey,
    MIN(m.place) AS at_place,
    MIN(m.ts) AS at_ts,
    MIN(m.ts) - MIN(r.at_ts) AS took_us
FROM funnel_reached AS r
JOIN funnel_match AS m
    ON m.who_id = r.who_id AND m.journey = r.journey AND m.place > r.at_place
WHERE m.position = $position
GROUP BY r.who_id, r.journey
