-- Gives rows of the operator's choice the values that `find` returns, and lists them as they were and
-- are. Each only as the version that this statement saw, as in repair_delete.
WITH cte_asked AS MATERIALIZED (
    {due}
),
cte_named AS MATERIALIZED (
    {named}
),
cte_present AS MATERIALIZED (
    {present}
),
cte_written AS (
    UPDATE {target} AS t
    SET {changes}
    FROM cte_present AS n
    WHERE {row_is_named} AND t.tableoid = n.part AND t.ctid = n.place AND t.xmin = n.writer
    RETURNING n.position, n.key, n.before, {row} AS after
),
cte_listed AS (
    {listed}
)
{outcome}
