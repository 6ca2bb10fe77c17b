-- Takes a change back: the rows that are still as they were left get the values that they had.
WITH cte_listed AS MATERIALIZED (
    {undo_listed}
),
cte_taken AS (
    UPDATE {target} AS t
    SET {old_values}
    FROM cte_listed AS n
    WHERE {row_is_named} AND {as_left}
    RETURNING n.position
)
{undo_outcome}
