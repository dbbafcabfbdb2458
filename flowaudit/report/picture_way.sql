-- The ways through the picture's columns, as the rank of the node in each (0: the rest of a column),
-- whether they go on behind the last column, and whether they reach the goal; most frequent first.
SELECT
    rank_1, rank_2, rank_3, rank_4, rank_5, rank_6, rank_7, goes_on, has_goal, COUNT(*) AS n
FROM (
    SELECT
        s.who_id,
        s.journey,
        MAX(CASE WHEN k.rank > k.shown THEN 0 ELSE k.rank END) FILTER (WHERE s.place = 1) AS rank_1,
        MAX(CASE WHEN k.rank > k.shown THEN 0 ELSE k.rank END) FILTER (WHERE s.place = 2) AS rank_2,
        MAX(CASE WHEN k.rank > k.shown THEN 0 ELSE k.rank END) FILTER (WHERE s.place = 3) AS rank_3,
        MAX(CASE WHEN k.rank > k.shown THEN 0 ELSE k.rank END) FILTER (WHERE s.place = 4) AS rank_4,
        MAX(CASE WHEN k.rank > k.shown THEN 0 ELSE k.rank END) FILTER (WHERE s.place = 5) AS rank_5,
        MAX(CASE WHEN k.rank > k.shown THEN 0 ELSE k.rank END) FILTER (WHERE s.place = 6) AS rank_6,
        MAX(CASE WHEN k.rank > k.shown THEN 0 ELSE k.rank END) FILTER (WHERE s.place = 7) AS rank_7,
        MAX(s.last_place) > $columns AS goes_on,
        MAX(s.goals) > 0 AS has_goal
    FROM (
        SELECT
            who_id,
            journey,
            place,
            label,
            state,
            MAX(place) OVER (PARTITION BY who_id, journey) AS last_place,
            COUNT(*) FILTER (WHERE label = $goal AND state = 'ok')
                OVER (PARTITION BY who_id, journey) AS goals
        FROM picture_step
    ) AS s
    JOIN (
        SELECT
            place,
            label,
            state,
            rank,
            CASE WHEN in_column <= $nodes THEN $nodes ELSE $nodes - 1 END AS shown
        FROM picture_node
    ) AS k
        ON k.place = s.place AND k.label = s.label AND k.state = s.state
    GROUP BY s.who_id, s.journey
) AS way
GROUP BY rank_1, rank_2, rank_3, rank_4, rank_5, rank_6, rank_7, goes_on, has_goal
ORDER BY
    n DESC,
    rank_1 NULLS LAST, rank_2 NULLS LAST, rank_3 NULLS LAST, rank_4 NULLS LAST,
    rank_5 NULLS LAST, rank_6 NULLS LAST, rank_7 NULLS LAST, goes_on, has_goal
