-- Does the operator's expression yield one value that fits the column? WHERE refuses aggregates
-- and set-returning functions, with which an insert would write too many rows, and no FROM means
-- that it can't lean on a column.
SELECT 1
WHERE (({expression}
)::{type}) IS NOT NULL
LIMIT %(none)s
