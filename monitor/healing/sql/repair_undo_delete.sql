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
    RETURNING {row_key}
),
cte_taken AS (
    SELECT n.position FROM cte_added AS t JOIN cte_listed AS n ON {added_is_named}
)
{undo_outcome}
