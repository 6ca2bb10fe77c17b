-- A part of the statements that take a repair back: how far the batch came. `changed` above `taken` is a
-- row that a trigger gave another key.
SELECT
    (SELECT count(*) FROM cte_taken) AS taken,
    (SELECT count(*) FROM {given_back}) AS changed,
    (SELECT count(*) FROM cte_listed) AS looked_at,
    (SELECT max(l.position) FROM cte_listed AS l) AS last_position
