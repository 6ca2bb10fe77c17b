-- Of the impressions looked at, how many have in a column what their artwork or user has in one.
SELECT
    count(*) AS looked_at,
    count(*) FILTER (WHERE i.{column}::text IS NOT DISTINCT FROM o.{own}::text) AS equal
FROM {impressions} AS i
JOIN {table} AS o ON o.{id} = i.{key}
