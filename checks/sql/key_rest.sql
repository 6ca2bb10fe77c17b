-- Do the rows that are admitted differ in the columns that belong to a key? Two rows if they do.
-- Their values stay where they are.
SELECT 1 FROM (
    SELECT DISTINCT {columns}
    FROM {table} AS i
    LIMIT 2
) AS differing
