-- Does the operator's expression yield one value that fits the column? It may read what it may where
-- rows are written, and WHERE refuses aggregates and set-returning functions.
SELECT 1
FROM {pair}
WHERE {fits}
LIMIT %(none)s
