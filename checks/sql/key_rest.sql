-- Do the rows that are admitted differ in the columns that belong to a key? Two rows if they do.
SELECT DISTINCT {columns}
FROM {table} AS i
LIMIT 2
