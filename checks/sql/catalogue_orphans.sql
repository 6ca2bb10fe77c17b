-- One impression whose key leads nowhere, if any. A join, because Citus refuses NOT EXISTS here.
WITH cte_there AS {leaf} (
    SELECT t.{id} AS id FROM {target} AS t
)
SELECT 1
FROM {table} AS i
LEFT JOIN cte_there AS t ON t.id = i.{key}
WHERE i.{key} IS NOT NULL AND t.id IS NULL
LIMIT 1
