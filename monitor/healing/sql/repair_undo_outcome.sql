-- A part of the statements that take a repair back: the ledger forgets what was given back and what is
-- gone. `changed` above `taken` is a row that a trigger gave another key.
cte_cleared AS (
    DELETE FROM {state}.repaired_row AS b
    WHERE b.run_id = %(undoes)s
      AND b.position = ANY (ARRAY(SELECT g.position FROM cte_taken AS g UNION ALL SELECT o.position FROM cte_gone AS o))
    RETURNING 1
)
SELECT
    (SELECT count(*) FROM cte_taken) AS taken,
    (SELECT count(*) FROM {changed}) AS changed,
    (SELECT count(*) FROM cte_cleared) AS cleared,
    (SELECT count(*) FROM cte_listed) AS looked_at,
    (SELECT max(l.position) FROM cte_listed AS l) AS last_position
