-- Takes a deletion back: inserts the rows again as they were, where their key is free.
WITH cte_listed AS MATERIALIZED (
    {undo_listed}
),
cte_added AS (
    INSERT INTO {target} AS t ({whole_columns}) OVERRIDING SYSTEM VALUE
    SELECT {whole_values}
    FROM cte_listed AS n
    ORDER BY n.position
    ON CONFLICT ({arbiter}) DO NOTHING
    RETURNING {row_key}, TRUE AS added
),
-- A full join, as in repair_insert.
cte_taken AS (
    SELECT n.position
    FROM cte_added AS t
    FULL JOIN cte_listed AS n ON {added_is_named}
    WHERE coalesce(t.added AND n.position > 0, FALSE)
)
{undo_outcome}
