-- What `find` names now, counted, with the first rows by their key as they are and as they would be.
WITH cte_named AS MATERIALIZED (
    SELECT {found_key}{found_values}
    FROM (
{find}
    ) AS f
)
SELECT
    count(*) AS named,
    count(*) FILTER (WHERE NOT ({key_is_whole})) AS nulls,
    (
        SELECT count(*)
        FROM (SELECT 1 FROM cte_named AS n GROUP BY {named_key} HAVING count(*) > 1) AS twice
    ) AS doubled,
    (
        SELECT coalesce(jsonb_agg(first.one), '[]')
        FROM (
            SELECT jsonb_build_object(
                'key', {key_in_json},
                'before', CASE WHEN t.ctid IS NOT NULL THEN {row} END,
                'after', {change}
            ) AS one
            FROM (
                SELECT * FROM cte_named AS n
                WHERE {key_is_whole}
                ORDER BY {named_key}
                LIMIT %(shown)s
            ) AS n
            LEFT JOIN {target} AS t ON {row_is_named}
            ORDER BY {named_key}
        ) AS first
    ) AS shown
FROM cte_named AS n
