-- One impression whose key leads nowhere, if any. A join, because Citus refuses NOT EXISTS here.
SELECT 1
FROM {table} AS i
LEFT JOIN {target} AS t ON t.{id} = i.{key}
WHERE i.{key} IS NOT NULL AND t.{id} IS NULL
LIMIT 1
