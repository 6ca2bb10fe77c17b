-- Inserts the rows that `find` returns where their key is free, and lists them as they are.
WITH cte_asked AS MATERIALIZED (
    {due}
),
cte_named AS MATERIALIZED (
    {named}
),
cte_added AS (
    INSERT INTO {target} AS t ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {values}
    FROM cte_named AS n
    ORDER BY n.position
    ON CONFLICT ({arbiter}) DO NOTHING
    RETURNING {row_key}, {row} AS after, TRUE AS added
),
-- A full join, which can't be a nested loop: of the sizes of its own results the planner knows nothing.
cte_written AS (
    SELECT n.position, n.key, NULL::jsonb AS before, t.after
    FROM cte_added AS t
    FULL JOIN cte_named AS n ON {added_is_named}
    WHERE coalesce(t.added AND n.position > 0, FALSE)
),
cte_listed AS (
    {listed}
)
{outcome}
