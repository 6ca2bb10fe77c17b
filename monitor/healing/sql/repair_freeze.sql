-- Freezes the keys that `find` names, the first ones by their order, and counts all of them.
WITH cte_named AS MATERIALIZED (
    SELECT {found_key}{found_values}
    FROM (
{find}
    ) AS f
),
cte_kept AS (
    INSERT INTO {state}.repair_work (run_id, position, key, version, change)
    SELECT
        %(run_id)s::bigint, row_number() OVER (ORDER BY {named_key}), {key_in_json}, {version},
        {frozen_change}
    FROM (
        SELECT * FROM cte_named AS n WHERE {key_is_whole} ORDER BY {named_key} LIMIT %(max_rows)s
    ) AS n{versions}
    RETURNING 1
)
SELECT
    count(*) AS named,
    count(*) FILTER (WHERE NOT ({key_is_whole})) AS nulls,
    (
        SELECT count(*)
        FROM (SELECT 1 FROM cte_named AS n GROUP BY {named_key} HAVING count(*) > 1) AS twice
    ) AS doubled,
    (SELECT count(*) FROM cte_kept) AS planned
FROM cte_named AS n
