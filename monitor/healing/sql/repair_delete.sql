-- Deletes rows of the operator's choice, and lists them as they were. Each only as the version that
-- this statement saw: what somebody else has changed since is another row by now, and stays.
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
    DELETE FROM {target} AS t
    USING cte_present AS n
    WHERE {row_is_named} AND t.tableoid = n.part AND t.ctid = n.place AND t.xmin = n.writer
    RETURNING n.position, n.key, n.before, NULL::jsonb AS after
),
cte_listed AS (
    {listed}
)
{outcome}
