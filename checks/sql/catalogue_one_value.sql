-- The value of one row that the premise admits, as text.
SELECT {column}::text
FROM {table}
WHERE {premise} AND {column} IS NOT NULL
LIMIT %(one)s
