-- Journeys in `drop_here`, and of these the ones in `drop_there`, that began the funnel before or
-- after $release_ts.
SELECT
    COUNT(*) FILTER (WHERE at_ts < $release_ts) AS here_before,
    COUNT(*) FILTER (WHERE at_ts < $release_ts AND went_on) AS there_before,
    COUNT(*) FILTER (WHERE at_ts >= $release_ts) AS here_after,
    COUNT(*) FILTER (WHERE at_ts >= $release_ts AND went_on) AS there_after
FROM (
    SELECT
        h.who_id,
        h.journey,
        f.at_ts,
        EXISTS (
            SELECT 1 FROM drop_there AS t WHERE t.who_id = h.who_id AND t.journey = h.journey
        ) AS went_on
    FROM drop_here AS h
    JOIN drop_first AS f ON f.who_id = h.who_id AND f.journey = h.journey
) AS followed
