-- Takes an insertion back: deletes the rows that are still as they were left.
WITH cte_listed AS MATERIALIZED (
    {undo_listed}
),
cte_taken AS (
    DELETE FROM {target} AS t
    USING cte_listed AS n
    WHERE {row_is_named} AND {as_left}
    RETURNING n.position
)
{undo_outcome}
