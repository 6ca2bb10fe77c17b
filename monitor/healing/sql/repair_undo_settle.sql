-- What has become of a batch that was taken back, once all triggers have fired: the ledger forgets what was
-- given back and what is gone; of a deleted row, what `before` says is kept where a trigger made it another
-- one (`heeds`: there are any), because nothing else knows it. `ours` are rows that this transaction wrote and that are there,
-- `otherwise` those of them that hold other values than the ledger gives back.
WITH cte_listed AS MATERIALIZED (
    {undo_listed}
),
cte_found AS MATERIALIZED (
    SELECT
        n.position,
        t.ctid IS NOT NULL AS is_there,
        coalesce({ours}, FALSE) AS ours,
        coalesce({as_given}, FALSE) AS as_given,
        coalesce(NOT %(heeds)s::boolean OR {as_before}, FALSE) AS as_before
    FROM cte_listed AS n
    LEFT JOIN {target} AS t ON {row_is_named}
),
cte_cleared AS (
    DELETE FROM {state}.repaired_row AS b
    WHERE b.run_id = %(undoes)s
      AND b.position = ANY (ARRAY(SELECT f.position FROM cte_found AS f WHERE {is_settled}))
)
SELECT
    count(*) FILTER (WHERE f.ours) AS ours,
    count(*) FILTER (WHERE f.ours AND NOT f.as_given) AS otherwise
FROM cte_found AS f
