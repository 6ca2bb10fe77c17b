-- One row without a key, if any.
SELECT 1
FROM {table}
WHERE ({filter}
) AND {column} IS NULL
LIMIT 1
