-- The values of a column that comes back in the keys of all three tables, the most frequent of the
-- sampled rows first; never more than a few.
SELECT i.{column}::text AS value, count(*) AS rows
FROM {rows} AS i
WHERE i.{column} IS NOT NULL
GROUP BY i.{column}
ORDER BY count(*) DESC, i.{column}
LIMIT %(most)s
